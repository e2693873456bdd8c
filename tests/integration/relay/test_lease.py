"""One relay works at a time, and waits for a graph that is away."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from memgraph.domain.errors import GraphUnavailable, StreamRefused
from memgraph.graph.lease import Lease
from memgraph.graph.outbox import Entry, Outbox
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.services.relay import JOB
from tests.support.relaying import MakeRelay, mutations, prompt, waiting
from tests.support.sinks import InMemorySink


def test_only_the_holder_of_the_lease_works(
    graph: Graph, writer: Writer, tenant: str, relay: MakeRelay
) -> None:
    one, other = InMemorySink(), InMemorySink()
    leases = [Lease(graph, JOB, tenant) for _ in range(2)]
    first, second = (relay(s, lease=lease) for s, lease in zip((one, other), leases, strict=True))
    writer.write(tenant, mutations([prompt("p0")]))
    assert first.drain() == 1
    writer.write(tenant, mutations([prompt("p1")]))
    assert second.drain() == 0
    leases[0].let_go()
    assert second.drain() == 1
    assert [b["node_id"] for b in other.bodies] == ["p1"]


def test_a_dead_holder_is_succeeded(graph: Graph, tenant: str) -> None:
    dead, next_ = (Lease(graph, JOB, tenant) for _ in range(2))
    assert dead.hold()
    assert dead.hold()
    assert not next_.hold()
    # By the clock of the server it died long ago.
    graph.run(
        "MATCH (j:JobRun {tenant_id: '', job: $job, slot: $slot}) "
        "SET j.heartbeat_at = datetime() - duration('PT1H')",
        job=JOB,
        slot=tenant,
    )
    assert next_.hold()
    assert not dead.hold()
    dead.let_go()
    assert next_.hold()


def test_two_relays_lose_nothing_when_one_takes_over_in_the_middle(
    graph: Graph, writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    stops = [threading.Event(), threading.Event()]
    threads = [
        threading.Thread(target=relay(sink, lease=Lease(graph, JOB, tenant)).work, args=(stop,))
        for stop in stops
    ]
    for thread in threads:
        thread.start()
    for n in range(12):
        writer.write(tenant, mutations([prompt(f"p{n}")]))
        if n == 5:
            stops[0].set()
            threads[0].join()
    give_up = time.monotonic() + 60
    while waiting(outbox, tenant) and time.monotonic() < give_up:
        time.sleep(0.02)
    stops[1].set()
    threads[1].join()
    first = dict.fromkeys(b["node_id"] for b in sink.bodies)
    assert list(first) == [f"p{n}" for n in range(12)]


def test_work_waits_for_a_graph_that_is_away(
    graph: Graph, writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    class Away(Outbox):
        failures = 3

        def list_entries(self, tenant_id: str, after: int, limit: int) -> list[Entry]:
            if self.failures:
                self.failures -= 1
                raise GraphUnavailable("away")
            return super().list_entries(tenant_id, after, limit)

    stop = threading.Event()
    writer.write(tenant, mutations([prompt("p")]))
    thread = threading.Thread(target=relay(sink, outbox=Away(graph)).work, args=(stop,))
    thread.start()
    give_up = time.monotonic() + 60
    while waiting(outbox, tenant) and time.monotonic() < give_up:
        time.sleep(0.02)
    stop.set()
    thread.join()
    assert [b["node_id"] for b in sink.bodies] == ["p"]


def test_work_ends_with_an_error_that_would_not_pass(relay: MakeRelay, graph: Graph) -> None:
    class Faulty(Outbox):
        def list_entries(self, *_: Any) -> list[Entry]:
            raise StreamRefused("never")

    with pytest.raises(StreamRefused):
        relay(InMemorySink(), outbox=Faulty(graph)).work(threading.Event())
