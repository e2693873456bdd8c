"""Record single events durably and fast: callers at the same time share a transaction.

A caller waits until its events are committed. Meanwhile others queue up, and
the next committer takes all that wait for a tenant at once (group commit), so
that the cost of a commit is shared.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from memgraph.domain.errors import Conflict, MemgraphError, Overloaded, TemplateCycle
from memgraph.domain.events.base import EventBase
from memgraph.domain.mutations import Mutation, Outcome, WriteResult
from memgraph.services.ingest.graph_rows import to_mutation

MOST_TOGETHER = 200
"""Events of one shared transaction."""


class WritesBatches(Protocol):
    """What recording needs of the writer."""

    def write(
        self, tenant_id: str, mutations: Sequence[Mutation], *, source: str
    ) -> WriteResult: ...


Prepare = Callable[[str, EventBase, bytes], Mutation]
"""Tenant, event and its bytes to what the event asks of the graph. Raises InvalidInput."""


def plain(tenant_id: str, event: EventBase, payload: bytes) -> Mutation:
    """The event as it was sent, without enrichment."""
    return to_mutation(event, payload)


@dataclass(slots=True)
class _Ticket:
    mutations: list[Mutation]
    done: Future[list[Outcome]] = field(default_factory=Future)
    context: Context = field(default_factory=copy_context)
    """What is bound to the caller: a shared transaction is told of as its first caller's."""


class Recorder:
    """Write the events of callers that wait for them. Threads share it."""

    def __init__(
        self,
        writer: WritesBatches,
        *,
        committers: int = 2,
        source: str = "api",
        prepare: Prepare = plain,
        wait_s: float = 30.0,
        most_waiting: int = 10_000,
    ) -> None:
        self._writer = writer
        self._committers = committers
        self._source = source
        self._prepare = prepare
        self._wait_s = wait_s
        self._most_waiting = most_waiting
        self._lock = threading.Lock()
        self._waiting: OrderedDict[str, deque[_Ticket]] = OrderedDict()
        self._busy: set[str] = set()
        self.waiting = 0
        """Writes that are not committed yet."""
        self._threads = 0

    def record(self, tenant_id: str, event: EventBase) -> Outcome:
        """Commit one event: stored, or duplicate. Raises Conflict when it is known otherwise."""
        payload = orjson.dumps(event.model_dump(mode="json", exclude_none=True))
        [outcome] = self.write(tenant_id, [self._prepare(tenant_id, event, payload)])
        if outcome is Outcome.DEAD_LETTERED:
            raise Conflict("this id exists with other content; a fact is written once")
        if outcome is Outcome.REJECTED:
            raise TemplateCycle("parent", "leads back to this template version")
        return outcome

    def write(self, tenant_id: str, mutations: list[Mutation]) -> list[Outcome]:
        """Commit mutations together with what others write now; one outcome for each.

        Raises Overloaded when too many wait or the commit takes too long; then
        the events may still be written, and sending them again does no harm.
        """
        ticket = _Ticket(mutations)
        with self._lock:
            if self.waiting >= self._most_waiting:
                raise Overloaded("too many writes wait", waiting=self.waiting)
            self.waiting += 1
            self._waiting.setdefault(tenant_id, deque()).append(ticket)
            start = tenant_id not in self._busy and self._threads < self._committers
            self._threads += start
        if start:
            # Not a pool: threads end when nothing waits, so nothing has to be shut down.
            threading.Thread(target=self._commit_all, name="memgraph-committer").start()
        try:
            return ticket.done.result(self._wait_s)
        except TimeoutError:
            raise Overloaded("the write was not committed in time") from None

    def _commit_all(self) -> None:
        while (taken := self._take()) is not None:
            tenant_id, tickets = taken
            try:
                self._commit(tenant_id, tickets)
            finally:
                with self._lock:
                    self._busy.discard(tenant_id)
                    self.waiting -= len(tickets)

    def _take(self) -> tuple[str, list[_Ticket]] | None:
        """What waits for the tenant whose turn it is; tenants take turns."""
        with self._lock:
            for tenant_id, queue in self._waiting.items():
                if tenant_id in self._busy:
                    continue
                tickets = [queue.popleft()]
                size = len(tickets[0].mutations)
                while queue and size + len(queue[0].mutations) <= MOST_TOGETHER:
                    tickets.append(queue.popleft())
                    size += len(tickets[-1].mutations)
                if queue:
                    self._waiting.move_to_end(tenant_id)
                else:
                    del self._waiting[tenant_id]
                self._busy.add(tenant_id)
                return tenant_id, tickets
            self._threads -= 1
            return None

    def _commit(self, tenant_id: str, tickets: list[_Ticket]) -> None:
        try:
            mutations = [m for ticket in tickets for m in ticket.mutations]
            outcomes = tickets[0].context.run(self._write, tenant_id, mutations).outcomes
        except Exception as error:  # noqa: BLE001 - a caller gets it, not this thread
            self._fail(tenant_id, tickets, error)
            return
        at = 0
        for ticket in tickets:
            ticket.done.set_result(outcomes[at : at + len(ticket.mutations)])
            at += len(ticket.mutations)

    def _write(self, tenant_id: str, mutations: list[Mutation]) -> WriteResult:
        return self._writer.write(tenant_id, mutations, source=self._source)

    def _fail(self, tenant_id: str, tickets: list[_Ticket], error: Exception) -> None:
        """A fault of one must not be the others': what cannot be retried is tried one by one."""
        is_shared = isinstance(error, MemgraphError) and error.retryable
        if len(tickets) == 1 or is_shared:
            for ticket in tickets:
                ticket.done.set_exception(error)
            return
        for ticket in tickets:
            self._commit(tenant_id, [ticket])
