"""Push back before memory grows: bytes on their way, rate by write latency, circuit breaker.

The levels of back-pressure, from the door to the database: a door takes no more
bytes than the buffer holds; writes take tokens from a bucket whose rate follows
how long commits take; and when commits fail, nobody waits for the next failure.
A door that somebody waits at answers 503 with Retry-After; a stream pauses.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from memgraph.domain.errors import GraphUnavailable, Overloaded

Clock = Callable[[], float]
MB = 1_024 * 1_024


class ByteBuffer:
    """How many bytes may be on their way through the pipeline of one process."""

    def __init__(self, most_bytes: int = 256 * MB) -> None:
        self.most_bytes = most_bytes
        self.used_bytes = 0
        self._freed = threading.Condition()

    @contextmanager
    def hold(self, size: int, *, wait_s: float = 0.0) -> Iterator[None]:
        """Hold ``size`` bytes; raises Overloaded when they do not fit within ``wait_s``.

        What is larger than the whole buffer goes through alone.
        """
        with self._freed:
            if not self._freed.wait_for(lambda: self._fits(size), timeout=wait_s):
                raise Overloaded("too many events are on their way; send them again later")
            self.used_bytes += size
        try:
            yield
        finally:
            with self._freed:
                self.used_bytes -= size
                self._freed.notify_all()

    def _fits(self, size: int) -> bool:
        return self.used_bytes == 0 or self.used_bytes + size <= self.most_bytes


class AdaptiveRate:
    """A token bucket of events whose rate follows the latency of writes (AIMD, as in TCP).

    A write that takes longer than ``slow_s`` cuts the rate to ``CUT`` of it, one that
    does not adds ``GROW`` of the highest rate, between ``LEAST`` of it and itself.
    """

    CUT = 0.7
    GROW = 0.02
    LEAST = 0.01

    def __init__(
        self, most_per_s: float = 10_000.0, *, slow_s: float = 2.0, clock: Clock = time.monotonic
    ) -> None:
        self.most_per_s = most_per_s
        self.per_s = most_per_s
        self._slow_s = slow_s
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = most_per_s
        self._at = clock()

    def take(self, events: int) -> float:
        """Take tokens, on credit when there are too few; seconds until the credit is paid."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self.per_s, self._tokens + (now - self._at) * self.per_s)
            self._at = now
            self._tokens -= events
            return max(0.0, -self._tokens / self.per_s)

    def observe(self, took_s: float) -> None:
        """Note how long a write took."""
        with self._lock:
            if took_s > self._slow_s:
                self.per_s = max(self.most_per_s * self.LEAST, self.per_s * self.CUT)
            else:
                self.per_s = min(self.most_per_s, self.per_s + self.most_per_s * self.GROW)


class Circuit(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """Opens when too many calls of a window failed; then one probe at a time may try.

    Waits 1, 2, 4, 8 s between probes (seed 002, section 1.2.3). Threads share it.
    """

    WAITS_S = (1.0, 2.0, 4.0, 8.0)

    def __init__(
        self,
        *,
        failure_rate: float = 0.5,
        window_s: float = 30.0,
        least_calls: int = 20,
        clock: Clock = time.monotonic,
    ) -> None:
        self._failure_rate = failure_rate
        self._window_s = window_s
        self._least_calls = least_calls
        self._clock = clock
        self._lock = threading.Lock()
        self._calls: deque[tuple[float, bool]] = deque()
        self._probe_at = 0.0
        self._probes = 0
        self.state = Circuit.CLOSED

    def enter(self) -> None:
        """Begin a call. Raises Overloaded, with when to come back, while the circuit is open."""
        with self._lock:
            if self.state is Circuit.CLOSED:
                return
            left_s = self._probe_at - self._clock()
            if self.state is Circuit.HALF_OPEN or left_s > 0:
                raise Overloaded(
                    "writes failed lately; the next try is due soon",
                    retry_after_s=math.ceil(max(left_s, self.WAITS_S[0])),
                )
            self.state = Circuit.HALF_OPEN

    def leave(self, *, is_failure: bool) -> None:
        """End a call."""
        with self._lock:
            now = self._clock()
            if self.state is not Circuit.CLOSED:
                self._settle_probe(now, is_failure)
                return
            self._calls.append((now, is_failure))
            while self._calls and self._calls[0][0] < now - self._window_s:
                self._calls.popleft()
            failures = sum(failed for _, failed in self._calls)
            if len(self._calls) >= self._least_calls and failures >= self._failure_rate * len(
                self._calls
            ):
                self._open(now)

    def _settle_probe(self, now: float, is_failure: bool) -> None:
        if self.state is Circuit.OPEN:
            return  # began before it opened
        if is_failure:
            self._open(now)
            return
        self.state = Circuit.CLOSED
        self._probes = 0
        self._calls.clear()

    def _open(self, now: float) -> None:
        self._probe_at = now + self.WAITS_S[min(self._probes, len(self.WAITS_S) - 1)]
        self._probes += 1
        self.state = Circuit.OPEN


@dataclass(frozen=True, slots=True)
class PressureFigures:
    """A snapshot of the levels."""

    used_bytes: int
    events_per_s: float
    """The rate that writes may take now."""
    is_open: bool
    """Whether the circuit lets no write through."""


class Pressure:
    """The levels together, for the pipeline of one process."""

    def __init__(
        self,
        buffer: ByteBuffer | None = None,
        rate: AdaptiveRate | None = None,
        breaker: CircuitBreaker | None = None,
        *,
        wait_s: float = 5.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Make it. ``wait_s`` is how long a batch may wait for its tokens."""
        self.buffer = buffer or ByteBuffer()
        self.rate = rate or AdaptiveRate()
        self.breaker = breaker or CircuitBreaker()
        self._wait_s = wait_s
        self._sleep = sleep

    def figures(self) -> PressureFigures:
        """The levels as they are now."""
        is_open = self.breaker.state is not Circuit.CLOSED
        return PressureFigures(self.buffer.used_bytes, self.rate.per_s, is_open)

    @contextmanager
    def writing(self, events: int) -> Iterator[None]:
        """Around a write. Raises Overloaded when the circuit is open or the rate is spent."""
        self.breaker.enter()
        began, is_failure = time.monotonic(), True
        try:
            self._wait(events)
            began = time.monotonic()
            yield
            is_failure = False
        except GraphUnavailable:
            raise
        except BaseException:
            # The caller's fault, or the rate's: the server is well.
            is_failure = False
            raise
        finally:
            self.breaker.leave(is_failure=is_failure)
            if not is_failure:
                self.rate.observe(time.monotonic() - began)

    def _wait(self, events: int) -> None:
        wait_s = self.rate.take(events)
        if wait_s > self._wait_s:
            self.rate.take(-events)
            raise Overloaded(
                "writes are slow now; send it again later", retry_after_s=math.ceil(wait_s)
            )
        if wait_s > 0:
            self._sleep(wait_s)
