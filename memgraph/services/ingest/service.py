"""Ingest records: map them to mutations, batch them, write them, and account for every one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from memgraph.domain.errors import InvalidInput, MemgraphError
from memgraph.domain.mutations import Mutation, Outcome, Refusal, Totals, WriteResult
from memgraph.services.ingest.formats.records import Problem, Record
from memgraph.services.ingest.graph_rows import to_mutation
from memgraph.services.ingest.routing import Router

PROBLEMS_KEPT = 1_000
"""Problems that a report holds; all of them are counted."""
BATCH_BYTES = 4_000_000
"""A batch is also full when its events are this large, so that memory stays flat."""


class WritesBatches(Protocol):
    """What ingestion needs of the writer."""

    def write(self, tenant_id: str, mutations: list[Mutation], *, source: str) -> WriteResult: ...


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that was not stored: where it stood, and the rule it broke."""

    position: str
    outcome: Outcome
    reason: str


@dataclass(slots=True)
class Report:
    """What became of the records of one ingestion."""

    totals: Totals = field(default_factory=Totals)
    refused: list[Refused] = field(default_factory=list)

    def note(self, position: str, outcome: Outcome, reason: str) -> None:
        if len(self.refused) < PROBLEMS_KEPT:
            self.refused.append(Refused(position, outcome, reason))


OnProgress = Callable[[Totals], None]


class Ingestion:
    """Feed records of one tenant and source to the writer, several batches at a time."""

    def __init__(
        self,
        writer: WritesBatches,
        *,
        tenant_id: str,
        source: str,
        batch: int = 500,
        writers: int = 2,
        on_progress: OnProgress = lambda _: None,
    ) -> None:
        self._writer = writer
        self._tenant_id = tenant_id
        self._source = source
        self._batch = batch
        self._writers = writers
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._report = Report()

    def run(self, records: Iterable[Record | Problem]) -> Report:
        """Store every good record. Raises what the writer raises after the batches under way."""
        router = Router(self._writers)
        lanes = [_Lane() for _ in range(self._writers)]
        pool = ThreadPoolExecutor(self._writers, thread_name_prefix="memgraph-writer")
        try:
            for record in records:
                if isinstance(record, Problem):
                    self._reject(record.position, record.error)
                    continue
                try:
                    mutation = to_mutation(record.event, record.payload)
                except InvalidInput as error:
                    self._reject(record.position, error)
                    continue
                lane = lanes[router.route(record.event)]
                lane.add(mutation, record.position)
                if len(lane.mutations) >= self._batch or lane.size >= BATCH_BYTES:
                    self._flush(pool, lane)
            for lane in lanes:
                self._flush(pool, lane)
            for lane in lanes:
                lane.settle()
        finally:
            pool.shutdown(cancel_futures=True)
        return self._report

    def _flush(self, pool: ThreadPoolExecutor, lane: _Lane) -> None:
        # One batch of a lane at a time: a session's batches are written in their order.
        lane.settle()
        if lane.mutations:
            lane.pending = pool.submit(self._write, lane.mutations, lane.positions)
            lane.clear()

    def _write(self, mutations: list[Mutation], positions: list[str]) -> None:
        result = self._writer.write(self._tenant_id, mutations, source=self._source)
        with self._lock:
            self._report.totals.add(result.outcomes)
            for refusal in result.refusals:
                outcome = result.outcomes[refusal.index]
                self._report.note(positions[refusal.index], outcome, _reason(refusal))
            self._on_progress(self._report.totals)

    def _reject(self, position: str, error: MemgraphError) -> None:
        with self._lock:
            self._report.totals.add([Outcome.REJECTED])
            self._report.note(position, Outcome.REJECTED, error.message)
            self._on_progress(self._report.totals)


class _Lane:
    """The batch that one writer gets next, and the one it is writing."""

    def __init__(self) -> None:
        self.pending: Future[None] | None = None
        self.clear()

    def clear(self) -> None:
        self.mutations: list[Mutation] = []
        self.positions: list[str] = []
        self.size = 0

    def add(self, mutation: Mutation, position: str) -> None:
        self.mutations.append(mutation)
        self.positions.append(position)
        self.size += len(mutation.payload)

    def settle(self) -> None:
        if self.pending is not None:
            self.pending.result()
            self.pending = None


def _reason(refusal: Refusal) -> str:
    if refusal.code == "conflict":
        return f"conflict: a {refusal.detail['label']} with this key exists with other content"
    return refusal.code.replace("_", " ")
