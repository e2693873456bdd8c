"""Keep events in bounded memory and deliver them in the background, the oldest first.

Nothing here raises into the host, and nothing of an event is logged.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from weakref import WeakSet

from memgraph_sdk import delivery
from memgraph_sdk.delivery import Delivery
from memgraph_sdk.errors import MemgraphError

THREAD_NAME = "memgraph-observe"
log = logging.getLogger("memgraph_sdk")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the recorder may take of the host."""

    queue_events: int = 10_000
    queue_bytes: int = 32_000_000
    batch_events: int = 500
    batch_bytes: int = 500_000
    linger_s: float = 1.0
    """How long an event waits for company."""
    timeout_s: float = 10.0
    """Of one attempt to deliver."""
    exit_timeout_s: float = 5.0
    """How long the end of the program waits for what is not delivered."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What became of the events of this process.

    ``recorded`` is the sum of ``sent``, ``dropped``, ``failed`` and ``waiting``.
    """

    recorded: int = 0
    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    """Refused one by one: they break a rule of the service."""
    dead_lettered: int = 0
    """Kept by the service for people to look at."""
    dropped: int = 0
    """Not sent, for want of room or time."""
    failed: int = 0
    """Sent in a batch that the service refused as a whole."""
    waiting: int = 0
    """Not delivered yet."""
    errors: int = 0
    """Faults of the observer itself, each of which the host did not notice."""

    @property
    def sent(self) -> int:
        """Events that the service answered for."""
        return self.stored + self.duplicate + self.rejected + self.dead_lettered


class Recorder:
    """One bounded queue, and one thread that begins with the first event. Threads may share it."""

    def __init__(self, deliver_with: Callable[[], Delivery], bounds: Bounds) -> None:
        self._deliver_with = deliver_with
        self._bounds = bounds
        self._abandoned: list[Delivery | None] = []
        self._is_registered = False
        self._begin()

    def _begin(self) -> None:
        """Start empty: when made, and in a forked child, where what waits is the parent's."""
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._flight: Sequence[bytes] = ()
        self._counts: Counter[str] = Counter()
        self._told: set[str] = set()
        self._thread: threading.Thread | None = None
        self._delivery: Delivery | None = None
        self._closed_at: float | None = None
        self._has_left = False
        self._hurried_to = 0
        self._hurries = 0

    def put(self, events: Sequence[bytes]) -> None:
        """Take events over. When there is no room, the oldest that wait are dropped."""
        with self._changed:
            was_empty = not self._waiting
            self._counts["recorded"] += len(events)
            if self._closed_at is not None:
                self._drop(len(events), "the recorder is closed")
                return
            self._waiting.extend(events)
            self._waiting_bytes += sum(map(len, events))
            self._make_room()
            if self._thread is None:
                self._start()
            elif was_empty or self._is_full():
                self._changed.notify_all()

    def flush(self, timeout_s: float) -> bool:
        """Wait until all that was recorded so far came to an end; False when time ran out."""
        with self._changed:
            target = self._counts["recorded"]
            self._hurried_to = max(self._hurried_to, target)
            self._hurries += 1
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._settled() >= target, timeout_s)

    def close(self) -> None:
        """Take nothing more; what waits is delivered in the background, for a bounded time."""
        with self._changed:
            self._closed_at = time.monotonic()
            self._hurries += 1
            self._changed.notify_all()

    def stats(self) -> Stats:
        """Count what became of the events."""
        with self._changed:
            unsettled = len(self._waiting) + len(self._flight)
            return Stats(**self._counts, waiting=unsettled)

    def fault(self, error: BaseException) -> None:
        """Count an error of our own. Its message may hold content, so only its kind is told."""
        with self._changed:
            self._counts["errors"] += 1
        self._tell("a call could not be observed wholly", type(error).__name__)

    def _settled(self) -> int:
        return self._counts["recorded"] - len(self._waiting) - len(self._flight)

    def _make_room(self) -> None:
        bounds, dropped = self._bounds, 0
        while self._waiting and (
            len(self._waiting) + len(self._flight) > bounds.queue_events
            or self._waiting_bytes > bounds.queue_bytes
        ):
            self._waiting_bytes -= len(self._waiting.popleft())
            dropped += 1
        if dropped:
            self._drop(dropped, "the queue is full")

    def _drop(self, count: int, why: str) -> None:
        self._counts["dropped"] += count
        self._changed.notify_all()
        self._tell("events are dropped", why)

    def _is_full(self) -> bool:
        bounds = self._bounds
        is_many = len(self._waiting) >= bounds.batch_events
        return is_many or self._waiting_bytes >= bounds.batch_bytes

    def _start(self) -> None:
        self._thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
        try:
            self._thread.start()
        except RuntimeError:
            # The interpreter is on its way out.
            self._thread = None
            self._discard("no thread can be started")
            return
        self._register()

    def _register(self) -> None:
        if not self._is_registered:
            self._is_registered = True
            atexit.register(self._leave)
            _watch_forks(self)
        if util := sys.modules.get("multiprocessing.util"):
            # Its children end without the handlers of atexit, and begin without finalizers.
            util.Finalize(None, self._leave, exitpriority=0)

    def _leave(self) -> None:
        """Deliver what waits at the end of the program, for a bounded time."""
        if not self._has_left and not self.flush(self._bounds.exit_timeout_s):
            self._has_left = True
            self.close()
            with self._changed:
                self._discard("the program ends")

    def _discard(self, why: str) -> None:
        if self._waiting:
            count = len(self._waiting)
            self._waiting.clear()
            self._waiting_bytes = 0
            self._drop(count, why)

    def _run(self) -> None:
        while batch := self._next_batch():
            try:
                self._deliver(batch)
            except Exception as error:  # noqa: BLE001 - the outermost loop of the thread
                self.fault(error)
                self._settle(self._flight, failed=len(self._flight))
        if self._delivery is not None:
            self._delivery.close()
        atexit.unregister(self._leave)

    def _next_batch(self) -> list[bytes]:
        """Wait for events, then for company. Nothing once it is closed and all is delivered."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed_at is not None)
            self._changed.wait_for(self._is_due, self._bounds.linger_s)
            batch: list[bytes] = []
            size = 0
            while self._waiting and len(batch) < self._bounds.batch_events:
                size += len(self._waiting[0])
                if batch and size > self._bounds.batch_bytes:
                    break
                batch.append(self._waiting.popleft())
                self._waiting_bytes -= len(batch[-1])
            self._flight = batch
            return batch

    def _is_due(self) -> bool:
        is_hurried = self._settled() < self._hurried_to
        return self._is_full() or is_hurried or self._closed_at is not None

    def _deliver(self, batch: Sequence[bytes]) -> None:
        """Try until the service answers for the batch, or refuses it for good."""
        attempt = 0
        while True:
            try:
                receipt = self._connected().send(batch)
            except MemgraphError as error:
                if error.status == delivery.TOO_LARGE and len(batch) > 1:
                    middle = len(batch) // 2
                    self._deliver(batch[:middle])
                    self._deliver(batch[middle:])
                    return
                wait_s = delivery.wait_s(error, attempt)
                if wait_s is None:
                    self._tell("events are refused", type(error).__name__)
                    self._settle(batch, failed=len(batch))
                    return
                self._tell("events cannot be delivered yet", type(error).__name__)
                if not self._pause(wait_s, is_asked=error.retry_after_s is not None):
                    self._settle(batch, dropped=len(batch))
                    return
                attempt += 1
            else:
                self._settle(batch, **_ends(receipt, len(batch)))
                return

    def _connected(self) -> Delivery:
        if self._delivery is None:
            self._delivery = self._deliver_with()
        return self._delivery

    def _pause(self, wait_s: float, *, is_asked: bool) -> bool:
        """Wait before another attempt; False when there shall be none.

        Whoever flushes does not wait for a connection, but for what the service asks for.
        """
        with self._changed:
            hurries = self._hurries
            self._changed.wait_for(
                lambda: self._is_over() or (self._hurries != hurries and not is_asked), wait_s
            )
            return not self._is_over()

    def _is_over(self) -> bool:
        closed_at = self._closed_at
        return closed_at is not None and time.monotonic() > closed_at + self._bounds.exit_timeout_s

    def _settle(self, batch: Sequence[bytes], **counts: int) -> None:
        """Count the ends of a batch, which is the first part of what is in flight."""
        with self._changed:
            self._counts.update(counts)
            self._flight = self._flight[len(batch) :]
            self._changed.notify_all()

    def _tell(self, what: str, why: str) -> None:
        """Log each matter once; the counts tell how often it happens."""
        if what not in self._told:
            self._told.add(what)
            log.warning("%s: %s", what, why)

    def _forked(self) -> None:
        # Closing what is shared with the parent would end the parent's connection.
        self._abandoned.append(self._delivery)
        self._begin()


def _ends(receipt: delivery.Receipt, sent: int) -> dict[str, int]:
    """How many events came to which end. Those that the answer forgets have failed."""
    ends = {
        "stored": receipt.stored,
        "duplicate": receipt.duplicate,
        "rejected": receipt.rejected,
        "dead_lettered": receipt.dead_lettered,
    }
    return {**ends, "failed": max(0, sent - sum(ends.values()))}


_recorders: WeakSet[Recorder] = WeakSet()


def _watch_forks(recorder: Recorder) -> None:
    """Have a recorder begin anew in forked children. A handler cannot be taken back."""
    if not _recorders and hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_begin_in_child)
    _recorders.add(recorder)


def _begin_in_child() -> None:
    for recorder in _recorders:
        recorder._forked()
