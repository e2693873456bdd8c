"""Server-sent events (HTML Living Standard, 9.2): a bounded number of streams out of the feed.

A stream holds a thread as long as it is open, so a worker has threads for streams besides
those that answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

from flask import Flask, current_app

from memgraph.domain.errors import Overloaded, StreamUnavailable
from memgraph.metrics import EVENT_STREAMS
from memgraph.services.catalogue import Services
from memgraph.services.ports import EventFeed, FedEvent

MEDIA = "text/event-stream"
HEADER = "Last-Event-ID"
PLACE = r"^[0-9]{1,19}-[0-9]{1,19}$"

HEARTBEAT_S = 15.0
POLL_S = 0.25
TOGETHER = 200
"""Events of one chunk."""
RETRY_MS = 3_000
"""So long a listener waits before it comes back."""

_EXTENSION = "memgraph.event_streams"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Nothing on the way may keep a stream back."""

Wanted = Callable[[FedEvent], bool]


class Streams:
    """The streams of this worker: so many at the same time, the next is refused at once."""

    def __init__(
        self,
        most: int,
        longest_s: float,
        stopping: threading.Event,
        count: Callable[[int], None] = lambda _: None,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        """``count`` is told how many are open. All end soon after ``stopping`` is set."""
        self._most = most
        self.longest_s = longest_s
        self.heartbeat_s = heartbeat_s
        self.stopping = stopping
        self._count = count
        self._open = 0
        self._lock = threading.Lock()

    @classmethod
    def of(cls, services: Services, stopping: threading.Event) -> Self:
        """Those that the settings allow."""
        api = services.settings.api
        return cls(
            api.event_streams,
            api.event_stream_s,
            stopping,
            lambda open_: services.meters.set(EVENT_STREAMS, open_),
        )

    def belong_to(self, app: Flask) -> None:
        """Be those of an application."""
        app.extensions[_EXTENSION] = self

    @staticmethod
    def current() -> Streams:
        """Those of the application that answers."""
        found: Streams = current_app.extensions[_EXTENSION]
        return found

    def open(self, source: Source) -> Iterator[bytes]:
        """Begin a stream. Raises Overloaded and StreamUnavailable."""
        with self._lock:
            if self._open >= self._most:
                raise Overloaded("too many streams of events are open; come back later")
            self._change(1)
        try:
            return _Stream(source, self)
        except BaseException:
            self.ended()
            raise

    def ended(self) -> None:
        """Count one less."""
        with self._lock:
            self._change(-1)

    def _change(self, by: int) -> None:
        self._open += by
        self._count(self._open)


@dataclass(frozen=True, slots=True)
class Source:
    """What a stream is made of: events of a tenant after a place, those that are wanted."""

    feed: EventFeed
    tenant_id: str
    after: str | None
    """None: what comes from now on."""
    is_wanted: Wanted


class _Stream:
    """Chunks of one stream. Closed once, whether or not it was ever read."""

    def __init__(self, source: Source, streams: Streams) -> None:
        self._source = source
        self._streams = streams
        feed, tenant_id = source.feed, source.tenant_id
        self._place = feed.end(tenant_id) if source.after is None else source.after
        is_whole = feed.is_complete(tenant_id, self._place)
        self._head: bytes | None = _head(self._place, is_whole=is_whole)
        self._told = self._place
        self._ends_at = time.monotonic() + streams.longest_s
        self._beat_at = time.monotonic() + streams.heartbeat_s
        self._is_behind = False
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._head is not None:
            head, self._head = self._head, None
            return head
        while not self._is_over():
            if chunk := self._next():
                self._beat_at = time.monotonic() + self._streams.heartbeat_s
                return chunk
            if not self._is_behind:
                self._streams.stopping.wait(POLL_S)
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Make room for another stream."""
        if not self._is_closed:
            self._is_closed = True
            self._streams.ended()

    def _is_over(self) -> bool:
        stopping = self._streams.stopping.is_set()
        return self._is_closed or stopping or time.monotonic() >= self._ends_at

    def _next(self) -> bytes:
        try:
            found = self._source.feed.read(self._source.tenant_id, self._place, TOGETHER)
        except StreamUnavailable:
            found = []  # it goes on where it was when the feed is there again
        self._is_behind = len(found) == TOGETHER
        if found:
            self._place = found[-1].place
        wanted = [event for event in found if self._source.is_wanted(event)]
        if wanted:
            self._told = wanted[-1].place
            return b"".join(map(_framed, wanted))
        return self._heartbeat() if time.monotonic() >= self._beat_at else b""

    def _heartbeat(self) -> bytes:
        """A comment. With the place when it moved, so that what nobody wanted is not read again."""
        moved = f"id: {self._place}\n" if self._place != self._told else ""
        self._told = self._place
        return f": still here\n{moved}\n".encode()


def _head(place: str, *, is_whole: bool) -> bytes:
    """Where the stream begins, and whether something before it may be lost."""
    gap = "" if is_whole else 'event: gap\ndata: {"kind":"gap"}\n\n'
    return f"retry: {RETRY_MS}\nid: {place}\n\n{gap}".encode()


def _framed(event: FedEvent) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (
        event.place.encode(),
        event.kind.encode(),
        event.body,
    )
