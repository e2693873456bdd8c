"""Ingest files: batch their records, give them to the pipeline, and account for every one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

from memgraph.domain.mutations import Outcome, Totals
from memgraph.services.enrichment.items import Item
from memgraph.services.ingest.formats.records import Problem, Record
from memgraph.services.ingest.routing import Router

PROBLEMS_KEPT = 1_000
"""Problems that a report holds; all of them are counted."""
DOOR = "file"
BATCH_BYTES = 4_000_000
"""A batch is also full when its events are this large, so that memory stays flat."""


class SettlesItems(Protocol):
    """What ingestion needs of the pipeline."""

    def run(self, tenant_id: str, items: list[Item], *, door: str, source: str) -> Totals: ...


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
    """Feed records of one tenant and source to the pipeline, several batches at a time."""

    def __init__(
        self,
        pipeline: SettlesItems,
        *,
        tenant_id: str,
        source: str,
        batch: int = 500,
        writers: int = 2,
        on_progress: OnProgress = lambda _: None,
    ) -> None:
        self._pipeline = pipeline
        self._tenant_id = tenant_id
        self._source = source
        self._batch = batch
        self._writers = writers
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._report = Report()

    def run(self, records: Iterable[Record | Problem]) -> Report:
        """Store every good record. Raises what the pipeline raises after the batches under way."""
        router = Router(self._writers)
        lanes = [_Lane() for _ in range(self._writers)]
        pool = ThreadPoolExecutor(self._writers, thread_name_prefix="memgraph-writer")
        try:
            for record in records:
                lane = lanes[0 if isinstance(record, Problem) else router.route(record.event)]
                lane.add(_item(record))
                if len(lane.items) >= self._batch or lane.size >= BATCH_BYTES:
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
        if lane.items:
            lane.pending = pool.submit(self._write, lane.items)
            lane.clear()

    def _write(self, items: list[Item]) -> None:
        totals = self._pipeline.run(self._tenant_id, items, door=DOOR, source=self._source)
        with self._lock:
            self._report.totals += totals
            for item in items:
                if item.outcome in (Outcome.REJECTED, Outcome.DEAD_LETTERED):
                    self._report.note(item.position, item.outcome, item.reason)
            self._on_progress(self._report.totals)


class _Lane:
    """The batch that one writer gets next, and the one it is writing."""

    def __init__(self) -> None:
        self.pending: Future[None] | None = None
        self.clear()

    def clear(self) -> None:
        self.items: list[Item] = []
        self.size = 0

    def add(self, item: Item) -> None:
        self.items.append(item)
        self.size += len(item.payload)

    def settle(self) -> None:
        if self.pending is not None:
            self.pending.result()
            self.pending = None


def _item(record: Record | Problem) -> Item:
    if isinstance(record, Record):
        return Item(record.payload, record.position, record.event)
    item = Item(b"", record.position)
    item.end(Outcome.REJECTED, record.error.code, **record.error.facts)
    return item
