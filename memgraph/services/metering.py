"""Figures of what the graph and the recorder do, taken from outside so that neither knows."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

from memgraph import metrics, telemetry
from memgraph.domain.errors import MemgraphError
from memgraph.domain.mutations import Ended, Mutation, WriteResult
from memgraph.graph.permits import PermitFigures
from memgraph.graph.session import Mode, Watch
from memgraph.metrics import Metric
from memgraph.services.ingest.delivery import WritesBatches
from memgraph.services.ingest.pressure import PressureFigures
from memgraph.services.ports import CacheFigures, Meters

_log = structlog.get_logger()

BACKEND = "neo4j"
CENSUS_EVERY_S = 30.0
CENSUS_TIMEOUT_S = 2.0
"""Whoever scrapes waits no longer: the other figures are worth more then."""


class NullMeters:
    """Keeps nothing."""

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        return None

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        return None

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        return None


def watching(meters: Meters) -> Watch:
    """What a graph tells of each statement becomes a span and figures by its name."""

    @contextmanager
    def watch(name: str, mode: Mode) -> Iterator[None]:
        began = time.perf_counter()
        status = "ok"
        try:
            with telemetry.statement_span(name):
                yield
        except MemgraphError as error:
            status = error.code
            raise
        finally:
            took_s = time.perf_counter() - began
            if mode == "read":
                meters.count(metrics.QUERIES, type=name, status=status)
                meters.observe(metrics.QUERY_SECONDS, took_s, type=name)
            else:
                meters.observe(metrics.WRITE_STATEMENT_SECONDS, took_s, operation_type=name)

    return watch


@dataclass(frozen=True)
class MeteredWriter:
    """A writer whose batches are counted and timed."""

    writer: WritesBatches
    meters: Meters

    def write(
        self,
        tenant_id: str,
        mutations: Sequence[Mutation],
        *,
        source: str = "api",
        ended: Ended | None = None,
    ) -> WriteResult:
        """Write a batch as the writer does."""
        kinds = [kind_of(m) for m in mutations]
        for kind, amount in Counter(kinds).items():
            self.meters.count(metrics.EVENTS_RECEIVED, amount, event_type=kind, source=source)
        began = time.perf_counter()
        try:
            result = self.writer.write(tenant_id, mutations, source=source, ended=ended)
        except MemgraphError as error:
            self.meters.count(metrics.WRITE_FAILURES, code=error.code)
            raise
        took_s = time.perf_counter() - began
        self.meters.observe(metrics.WRITE_SECONDS, took_s, storage_backend=BACKEND)
        self.meters.count(metrics.WRITE_ATTEMPTS, result.attempts)
        self.meters.count(metrics.NODES_CREATED, result.nodes_created)
        self.meters.count(metrics.EDGES_CREATED, result.relationships_created)
        for (kind, outcome), amount in Counter(zip(kinds, result.outcomes, strict=True)).items():
            self.meters.count(
                metrics.EVENTS_PROCESSED, amount, event_type=kind, status=outcome.value
            )
        return result


def kind_of(mutation: Mutation) -> str:
    """What an event is about: its node's label or its edge's type."""
    if mutation.fact is not None:
        return mutation.fact[0]
    if mutation.fact_edge is not None:
        return mutation.fact_edge.type
    return mutation.changes[0].ref[0] if mutation.changes else "none"


@dataclass
class Sampler:
    """Takes the figures that others keep for themselves. Threads share it."""

    meters: Meters
    permits: Callable[[], PermitFigures]
    limit: int
    waiting: Callable[[], int]
    cache: Callable[[], CacheFigures] = CacheFigures
    pressure: Callable[[], PressureFigures] | None = None
    _last: dict[Metric, float] = field(default_factory=dict)
    """What was told of each, because most of it is the same from request to request."""
    _asked: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sample(self) -> None:
        """Bring the metrics up to date. Under a lock, so that the last one told is the newest."""
        with self._lock:
            permits, cache = self.permits(), self.cache()
            self._show(metrics.PERMITS_LIMIT, self.limit)
            self._show(metrics.PERMITS_ACTIVE, permits.active)
            self._show(metrics.PERMITS_PEAK, permits.peak)
            self._show(metrics.RECORDER_WAITING, self.waiting())
            self._reach(metrics.PERMITS_GRANTED, permits.total)
            self._reach(metrics.PERMITS_REFUSED, permits.timeouts)
            self._reach(metrics.PERMITS_FAILED, permits.failed)
            self._reach(metrics.PERMITS_WAIT_SECONDS, permits.wait_ms / 1000)
            self._reach(metrics.CACHE_HITS, cache.hits)
            self._reach(metrics.CACHE_MISSES, cache.misses)
            self._reach(metrics.CACHE_FAILURES, cache.failures)
            if self.pressure is not None:
                levels = self.pressure()
                self._show(metrics.BUFFER_BYTES, levels.used_bytes)
                self._show(metrics.WRITE_RATE_LIMIT, levels.events_per_s)
                self._show(metrics.CIRCUIT_OPEN, float(levels.is_open))
            asked = cache.hits + cache.misses
            if asked != self._asked:
                self._asked = asked
                self.meters.set(metrics.CACHE_HIT_RATE, 100 * cache.hits / asked)

    def _show(self, metric: Metric, value: float) -> None:
        if value != self._last.get(metric):
            self.meters.set(metric, value)
            self._last[metric] = value

    def _reach(self, metric: Metric, total: float) -> None:
        """Counters grow by what is new since the last time."""
        last = self._last.get(metric, 0.0)
        if total != last:
            self.meters.count(metric, total - last)
            self._last[metric] = total


_OF_OUTBOX = {
    "waiting": metrics.OUTBOX_WAITING,
    "oldest_s": metrics.OUTBOX_OLDEST_SECONDS,
}


@dataclass
class Census:
    """Tells how much the graph holds to whoever scrapes, at most once in `CENSUS_EVERY_S`."""

    meters: Meters
    count: Callable[[], Sequence[Mapping[str, Any]]]
    _due: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sample(self) -> None:
        """Bring the metrics up to date when it is time. Without the graph they stay as is."""
        with self._lock:
            if time.monotonic() < self._due:
                return
            self._due = time.monotonic() + CENSUS_EVERY_S
        try:
            rows = self.count()
        except MemgraphError as error:
            _log.warning("nothing was counted", code=error.code)
            return
        for row in rows:
            if row["kind"] == "nodes":
                self.meters.set(metrics.GRAPH_NODES, row["n"], label=row["name"])
            elif row["kind"] == "outbox":
                self.meters.set(_OF_OUTBOX[row["name"]], row["n"])
            else:
                self.meters.set(metrics.GRAPH_EDGES, row["n"], type=row["name"])
