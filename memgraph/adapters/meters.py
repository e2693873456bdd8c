"""Metrics kept by prometheus-client, for one process or for workers that share a folder.

The library is imported when it is needed: its import copies the environment, and decides by it
whether figures are shared.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memgraph import metrics
from memgraph.metrics import Metric

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

MULTIPROC_DIR = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder that workers share. To be set before the first meters are made."""


class PrometheusMeters:
    """Every declared metric in a registry of its own. Make it after the fork."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry

        self.registry = CollectorRegistry()
        self._collectors = {m: _collector(m, self.registry) for m in metrics.ALL}
        self._labelled: dict[tuple[Any, ...], Any] = {}

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        self._of(metric, labels).inc(amount)

    def observe(self, metric: Metric, value: float, **labels: str) -> None:
        self._of(metric, labels).observe(value)

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        self._of(metric, labels).set(value)

    def _of(self, metric: Metric, labels: dict[str, str]) -> Any:
        if not metric.labels:
            return self._collectors[metric]
        # The library checks the labels each time it is asked.
        name = (metric, *labels.items())
        if (known := self._labelled.get(name)) is None:
            known = self._labelled[name] = self._collectors[metric].labels(**labels)
        return known


def _collector(metric: Metric, registry: CollectorRegistry) -> Any:
    from prometheus_client import Counter, Gauge, Histogram

    if metric.kind == "counter":
        return Counter(metric.name, metric.meaning, metric.labels, registry=registry)
    if metric.kind == "gauge":
        return Gauge(
            metric.name,
            metric.meaning,
            metric.labels,
            registry=registry,
            multiprocess_mode=metric.merge,
        )
    return Histogram(
        metric.name, metric.meaning, metric.labels, registry=registry, buckets=metrics.BUCKETS
    )


def forget_dead_workers() -> None:
    """Leave the gauges of workers that are gone out of what is scraped."""
    from prometheus_client.multiprocess import mark_process_dead

    folder = Path(os.environ[MULTIPROC_DIR])
    for pid in {int(p.stem.rpartition("_")[2]) for p in folder.glob("gauge_live*.db")}:
        if not Path(f"/proc/{pid}").exists():
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]


def expose_all(port: int) -> None:
    """Answer on loopback what this process and its children count in the folder they share."""
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    start_http_server(port, addr="127.0.0.1", registry=registry)


def expose(meters: PrometheusMeters, port: int) -> None:
    """Answer on loopback what a process without a service counts."""
    from prometheus_client import start_http_server

    start_http_server(port, addr="127.0.0.1", registry=meters.registry)
