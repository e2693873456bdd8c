"""The relay: takes what waits in the outbox to all sinks, in order, and removes what all took."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from memgraph.domain.errors import MemgraphError, OutboxUnreadable
from memgraph.domain.events.changes import ChangeEvent, read_notes
from memgraph.domain.mutations import Ref
from memgraph.graph.lease import RENEW_S
from memgraph.graph.outbox import Entry, Outbox
from memgraph.metrics import OUTBOX_DELIVERED, OUTBOX_FAILED
from memgraph.services.metering import NullMeters
from memgraph.services.ports import EventPublisher, EventSink, Meters, OutgoingEvent
from memgraph.settings import OutboxSettings

JOB, SLOT = "relay", "events"
"""The lease of the relay. One for all tenants: two relays never have one tenant between them."""
MOST_TOLD = 2_000
"""Changes in memory at once, or those of one transaction."""
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_CLEAN_EVERY_S = 60.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TopicSink:
    """Publishes to a topic. The key of a record is that of the event, in its tenant."""

    publisher: EventPublisher
    topic: str
    name: str = "kafka"

    def deliver(self, tenant_id: str, events: Sequence[OutgoingEvent]) -> None:
        headers = [("tenant_id", tenant_id.encode())]
        self.publisher.publish(
            self.topic,
            [(f"{tenant_id}/{event.key}".encode(), event.body, headers) for event in events],
        )


class HoldsLease(Protocol):
    """What the relay needs of a lease."""

    def hold(self) -> bool: ...

    def let_go(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Page:
    """Entries of a tenant, and their events."""

    last: int
    """Number of the last entry; 0: none."""
    events: list[OutgoingEvent]


@dataclass(slots=True)
class _Way:
    """How far a sink is, and when it is tried again."""

    sink: EventSink
    taken: dict[str, int] = field(default_factory=dict)
    """The last entry it took, by tenant."""
    pause_s: float = 0.0
    due: float = 0.0

    def failed(self) -> None:
        self.pause_s = min(2 * self.pause_s or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self.due = time.monotonic() + self.pause_s


class Relay:
    """Delivers what waits, tenant by tenant. One thread uses it.

    A sink that is away is tried again later and later; the others go on, and nothing
    is removed until it took it, too. What was taken when the relay ended and not
    removed is delivered again by the next one.
    """

    def __init__(
        self,
        outbox: Outbox,
        sinks: Sequence[EventSink],
        lease: HoldsLease,
        settings: OutboxSettings,
        *,
        tenant_id: str | None = None,
        meters: Meters | None = None,
    ) -> None:
        """With ``tenant_id`` others are left alone. Without sinks old entries are removed."""
        self._outbox = outbox
        self._ways = [_Way(sink) for sink in sinks]
        self._lease = lease
        self._settings = settings
        self._tenant_id = tenant_id
        self._meters = meters or NullMeters()
        self._removed: dict[str, int] = {}
        self._renew_at = 0.0
        self._clean_at = 0.0

    @property
    def sinks(self) -> list[str]:
        """The names of what it delivers to."""
        return [way.sink.name for way in self._ways]

    def work(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is set. What may come back is waited for, longer each time."""
        poll_s = pause_s = self._settings.poll_s
        while not stop.is_set():
            try:
                delivered = self.run_once(stop)
            except MemgraphError as error:
                if not error.retryable:
                    raise
                _log.warning("relay waits", code=error.code)
                stop.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s = poll_s
            if not delivered:
                stop.wait(poll_s)
        self.end()

    def end(self) -> None:
        """Leave the work to another relay at once."""
        with suppress(MemgraphError):  # then it waits until this one is taken for dead
            self._lease.let_go()

    def run_once(self, stop: threading.Event | None = None) -> int:
        """Take a page of every tenant; how many deliveries of events were made.

        Nothing when another relay holds the lease. Three round trips for a tenant with
        entries, one when there is none.
        """
        delivered = 0
        tenant_id: str | None = ""
        while self._has_work(stop):
            tenant_id = self._next(tenant_id or "")
            if tenant_id is None:
                break
            delivered += self._take(tenant_id) if self._ways else self._clean(tenant_id)
            if self._tenant_id is not None:
                break
        if not self._ways and time.monotonic() >= self._clean_at:
            self._clean_at = time.monotonic() + _CLEAN_EVERY_S
        return delivered

    def _has_work(self, stop: threading.Event | None) -> bool:
        """Whether it is its turn, and a sink, or the time, to look at the next tenant."""
        if stop is not None and stop.is_set():
            return False
        due = min((way.due for way in self._ways), default=self._clean_at)
        return self._holds_lease() and time.monotonic() >= due

    def drain(self) -> int:
        """Take what waits, as far as sinks are there; how many deliveries were made."""
        delivered = 0
        while more := self.run_once():
            delivered += more
        return delivered

    def _next(self, after: str) -> str | None:
        if self._tenant_id is not None:
            return self._tenant_id
        return self._outbox.find_tenant(after)

    def _holds_lease(self) -> bool:
        if time.monotonic() < self._renew_at:
            return True
        if not self._lease.hold():
            # Whoever has it delivers and removes what this one remembers.
            for known in (self._removed, *(way.taken for way in self._ways)):
                known.clear()
            return False
        self._renew_at = time.monotonic() + RENEW_S
        return True

    def _take(self, tenant_id: str) -> int:
        try:
            return self._relay(tenant_id)
        except OutboxUnreadable as error:
            # Nothing is lost and nothing overtakes it; other tenants go on.
            _log.error("an outbox cannot be read", tenant_id=tenant_id, code=error.code)
            self._meters.count(OUTBOX_FAILED, sink="none")
            return 0

    def _relay(self, tenant_id: str) -> int:
        pages: dict[int, Page] = {}
        delivered, is_skipping = 0, False
        for way in self._ways:
            if time.monotonic() < way.due:
                is_skipping = True
                continue
            after = way.taken.get(tenant_id, 0)
            if after not in pages:
                pages[after] = self._page(tenant_id, after)
            delivered += self._deliver(way, tenant_id, pages[after])
        if not is_skipping and not any(page.last for page in pages.values()):
            # If something waits, it is not after what was taken: numbers began anew.
            self._forget(tenant_id)
            return 0
        taken = min(way.taken.get(tenant_id, 0) for way in self._ways)
        if taken > self._removed.get(tenant_id, 0):
            self._outbox.remove(tenant_id, taken)
            self._removed[tenant_id] = taken
        return delivered

    def _forget(self, tenant_id: str) -> None:
        for known in (self._removed, *(way.taken for way in self._ways)):
            known.pop(tenant_id, None)

    def _deliver(self, way: _Way, tenant_id: str, page: Page) -> int:
        if not page.last:
            return 0
        try:
            way.sink.deliver(tenant_id, page.events)
        except MemgraphError as error:
            # Refused or away: it stays in the outbox, and the others go on.
            way.failed()
            self._meters.count(OUTBOX_FAILED, sink=way.sink.name)
            _log.warning("a sink took nothing", sink=way.sink.name, code=error.code)
            return 0
        way.taken[tenant_id] = page.last
        way.pause_s = 0.0
        for kind, amount in Counter(event.kind for event in page.events).items():
            self._meters.count(OUTBOX_DELIVERED, amount, sink=way.sink.name, kind=kind)
        return len(page.events)

    def _page(self, tenant_id: str, after: int) -> Page:
        entries = self._outbox.list_entries(tenant_id, after, self._settings.entries)
        if entries and not _is_whole(entries, after):
            # A read may pass the place of an entry just before it is committed and still see
            # the next one. All that was committed before what it saw is seen by the second read.
            entries = self._outbox.list_entries(tenant_id, after, self._settings.entries)
        entries = _cut(entries)
        events = [event for entry in entries for event in read_notes(entry.notes)]
        sessions = self._outbox.sessions_of(tenant_id, _without_session(events))
        return Page(
            entries[-1].sequence if entries else 0,
            [outgoing(tenant_id, event, sessions) for event in events],
        )

    def _clean(self, tenant_id: str) -> int:
        self._outbox.remove_old(tenant_id, self._settings.keep_s)
        return 0


def outgoing(tenant_id: str, event: ChangeEvent, sessions: dict[Ref, str]) -> OutgoingEvent:
    """An event as sinks get it, in its session if that is known by now."""
    session_id = sessions.get(event.belongs_to)
    if session_id is not None:
        event = event.within(session_id)
    return OutgoingEvent(
        event.id(tenant_id),
        event.key,
        event.kind,
        event.node_type,
        event.session_id,
        event.to_json(tenant_id),
    )


def _is_whole(entries: Sequence[Entry], after: int) -> bool:
    """Whether nothing is missing between what was taken and the last entry."""
    return after > 0 and entries[-1].sequence == after + len(entries)


def _cut(entries: list[Entry]) -> list[Entry]:
    """The first of them, until they tell enough."""
    told = 0
    for count, entry in enumerate(entries, 1):
        told += len(entry.notes)
        if told >= MOST_TOLD:
            return entries[:count]
    return entries


def _without_session(events: Iterable[ChangeEvent]) -> set[Ref]:
    return {event.belongs_to for event in events if event.session_id is None}
