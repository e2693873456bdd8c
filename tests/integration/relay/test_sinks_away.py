"""Sinks that are away, and graphs without any."""

from __future__ import annotations

import time
from collections import defaultdict

import pytest

from memgraph.domain.schema import GraphModel
from memgraph.graph.outbox import Outbox
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.metrics import OUTBOX_DELIVERED, OUTBOX_FAILED, Metric
from memgraph.services.metering import NullMeters
from tests.support.relaying import MakeRelay, mutations, prompt, waiting
from tests.support.sinks import InMemorySink


class Counting(NullMeters):
    def __init__(self) -> None:
        self.counted: dict[Metric, float] = defaultdict(float)

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        self.counted[metric] += amount


def test_a_sink_that_is_away_holds_no_other_up(
    writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memgraph.services.relay._FIRST_PAUSE_S", 0.05)
    here, away, meters = InMemorySink("here"), InMemorySink("away"), Counting()
    away.is_away = True
    both = relay(here, away, meters=meters)
    for n in range(8):
        writer.write(tenant, mutations([prompt(f"p{n}")]))
    both.drain()
    assert [b["node_id"] for b in here.bodies] == [f"p{n}" for n in range(8)]
    assert waiting(outbox, tenant) == list(range(1, 9))
    assert meters.counted[OUTBOX_FAILED] >= 1
    away.is_away = False
    give_up = time.monotonic() + 60
    while waiting(outbox, tenant) and time.monotonic() < give_up:
        both.run_once()
    assert [b["node_id"] for b in away.bodies] == [f"p{n}" for n in range(8)]
    assert len(here.taken) == 8
    assert meters.counted[OUTBOX_DELIVERED] == 16


def test_a_sink_that_is_away_is_asked_less_and_less(
    writer: Writer,
    tenant: str,
    relay: MakeRelay,
    sink: InMemorySink,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("memgraph.services.relay._FIRST_PAUSE_S", 60.0)
    writer.write(tenant, mutations([prompt("p")]))
    sink.is_away = True
    meters = Counting()
    one = relay(sink, meters=meters)
    for _ in range(20):
        one.run_once()
    assert meters.counted[OUTBOX_FAILED] == 1


def test_numbers_that_begin_anew_are_told(
    graph: Graph, model: GraphModel, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    one = relay(sink)
    for n in range(3):
        Writer(graph, model).write(tenant, mutations([prompt(f"p{n}")]))
    one.drain()
    graph.run("MATCH (n {tenant_id: $tenant_id}) DETACH DELETE n", tenant_id=tenant)
    Writer(graph, model).write(tenant, mutations([prompt("again")]))
    one.drain()
    one.drain()
    assert sink.bodies[-1]["node_id"] == "again"


def test_without_sinks_old_entries_are_removed(
    graph: Graph, writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay
) -> None:
    for n in range(4):
        writer.write(tenant, mutations([prompt(f"p{n}")]))
    graph.run(
        "MATCH (o:Outbox {tenant_id: $tenant_id}) WHERE o.sequence < 3 "
        "SET o.created_at = datetime() - duration('P8D')",
        tenant_id=tenant,
    )
    nobody = relay()
    assert nobody.drain() == 0
    assert waiting(outbox, tenant) == [3, 4]
    assert nobody.sinks == []
