"""Order per key, and numbers without gaps."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

from memgraph.domain.schema import GraphModel
from memgraph.graph.outbox import Entry, Outbox
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from tests.support.events import at, event
from tests.support.relaying import MakeRelay, mutations, prompt, waiting
from tests.support.sinks import InMemorySink


def test_order_per_key_under_writers_at_the_same_time(
    graph: Graph,
    model: GraphModel,
    outbox: Outbox,
    tenant: str,
    relay: MakeRelay,
    sink: InMemorySink,
) -> None:
    """Each thread changes an agent of its own and one of all, a commit after the other."""
    lanes, steps = 4, 12
    stop = threading.Event()
    committed: list[tuple[str, int]] = []

    def work(lane: int) -> None:
        writer = Writer(graph, model)
        for step in range(steps):
            word = event(
                type="agent",
                event_id=f"{lane}-{step}",
                timestamp=at(step),
                agent={"id": f"a{lane}", "name": str(step)},
            )
            assert writer.write(tenant, mutations([word])).outcomes == ["stored"]
            committed.append((f"a{lane}", step))

    reading = threading.Thread(target=relay(sink).work, args=(stop,))
    reading.start()
    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(work, range(lanes)))
    give_up = time.monotonic() + 60
    while waiting(outbox, tenant) and time.monotonic() < give_up:
        time.sleep(0.02)
    stop.set()
    reading.join()
    assert waiting(outbox, tenant) == []
    told = defaultdict(list)
    for body in sink.bodies:
        if body["kind"] == "node_updated":
            told[body["node_id"]].append(body["occurred_at"])
    assert len(told) == lanes
    for times in told.values():
        assert len(times) == steps
        assert times == sorted(times)


def test_numbers_have_no_gaps(graph: Graph, model: GraphModel, outbox: Outbox, tenant: str) -> None:
    writer = Writer(graph, model)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: writer.write(tenant, mutations([prompt(f"p{n}")])), range(24)))
    assert waiting(outbox, tenant) == list(range(1, 25))


class Overtaken(Outbox):
    """Reads once as a reader does who passed the place of an entry before it was committed."""

    def __init__(self, graph: Graph, unseen: int) -> None:
        super().__init__(graph)
        self.unseen = {unseen}

    def list_entries(self, tenant_id: str, after: int, limit: int) -> list[Entry]:
        entries = super().list_entries(tenant_id, after, limit)
        seen = [entry for entry in entries if entry.sequence not in self.unseen]
        self.unseen -= {entry.sequence for entry in entries}
        return seen


@pytest.mark.parametrize("unseen", [1, 2, 4, 5])
def test_an_entry_that_a_read_overtook_is_not_left_behind(
    graph: Graph, writer: Writer, tenant: str, relay: MakeRelay, sink: InMemorySink, unseen: int
) -> None:
    for n in range(6):
        writer.write(tenant, mutations([prompt(f"p{n}")]))
    relay(sink, outbox=Overtaken(graph, unseen)).drain()
    assert [b["node_id"] for b in sink.bodies] == [f"p{n}" for n in range(6)]
