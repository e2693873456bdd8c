"""The balance of what came in."""

from __future__ import annotations

import io
from typing import Any

import orjson
import pytest

from memgraph import metrics
from memgraph.adapters.meters import PrometheusMeters
from memgraph.domain.errors import Unbalanced
from memgraph.services.balance import adds_up, check


def source(name: str = "day.jsonl", **figures: int) -> dict[str, Any]:
    settled = {"stored": 4, "duplicate": 3, "rejected": 2, "dead_lettered": 1}
    return {"source": name, "received": 10, **settled, **figures}


def shown(meters: PrometheusMeters) -> float | None:
    return meters.registry.get_sample_value(metrics.UNBALANCED_SOURCES.name)


@pytest.mark.parametrize("figure", ["received", "stored", "duplicate", "rejected", "dead_lettered"])
def test_each_figure_counts(figure: str) -> None:
    assert adds_up(source())
    assert not adds_up(source(**{figure: 11}))


def test_all_is_well() -> None:
    meters = PrometheusMeters()
    assert check(["a", "b"], lambda _: [source(), source("kafka")], meters) == 4
    assert shown(meters) == 0


def test_every_wrong_source_is_logged_and_counted(log: io.StringIO) -> None:
    meters = PrometheusMeters()
    sources = {"a": [source(received=12), source("kafka")], "b": [], "c": [source(stored=3)]}
    with pytest.raises(Unbalanced, match="2 of 3 sources"):
        check(sources, sources.__getitem__, meters)
    assert shown(meters) == 2
    lines = [orjson.loads(line) for line in log.getvalue().splitlines()]
    assert [(line["level"], line["tenant_id"], line["source"]) for line in lines] == [
        ("error", "a", "day.jsonl"),
        ("error", "c", "day.jsonl"),
    ]
    assert lines[0]["received"] == 12
