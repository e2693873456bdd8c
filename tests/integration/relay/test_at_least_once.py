"""What was not removed comes again; nothing is dropped."""

from __future__ import annotations

from typing import Any

import pytest

from memgraph.domain.errors import StreamRefused
from memgraph.domain.schema import GraphModel
from memgraph.graph.outbox import Outbox
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from tests.support.events import small_story
from tests.support.relaying import MakeRelay, mutations, prompt, waiting
from tests.support.sinks import InMemorySink


def test_what_was_delivered_and_not_removed_comes_again(
    graph: Graph, writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    class Dying(Outbox):
        def remove(self, tenant_id: str, sequence: int) -> int:
            raise KeyboardInterrupt  # as far as a relay can be killed inside a test

    writer.write(tenant, mutations(small_story()))
    writer.write(tenant, mutations([prompt("later")]))
    with pytest.raises(KeyboardInterrupt):
        relay(sink, outbox=Dying(graph)).drain()
    delivered = len(sink.taken)
    assert delivered
    relay(sink).drain()
    assert waiting(outbox, tenant) == []
    assert len(sink.taken) == 2 * delivered
    assert len(sink.first_ids) == delivered
    assert sink.bodies[-1]["node_id"] == "later"


def test_a_delivery_that_broke_off_comes_again_whole(
    writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    writer.write(tenant, mutations(small_story()))
    sink.most = 5
    relay(sink).run_once()
    assert waiting(outbox, tenant) == [1]
    broken = [event.id for _, event in sink.taken]
    sink.most = None
    relay(sink).drain()
    assert sink.first_ids[:5] == broken
    assert waiting(outbox, tenant) == []


def test_a_lost_commit_answer_tells_nothing_twice(
    graph: Graph, model: GraphModel, outbox: Outbox, tenant: str
) -> None:
    class Lossy(Graph):
        lost = 0

        def write(self, work: Any) -> Any:
            answer = super().write(work)
            if not self.lost:
                self.lost += 1
                # The driver does so when the answer to a commit does not arrive.
                return super().write(work)
            return answer

    lossy = Lossy(graph.driver, database=graph.database)
    result = Writer(lossy, model).write(tenant, mutations(small_story()))
    assert lossy.lost == 1
    assert set(result.outcomes) == {"stored"}
    assert waiting(outbox, tenant) == [1]


@pytest.mark.parametrize(
    "events", ["", "nonsense", '"nonsense"', '"bm9uc2Vuc2U="', '[["later_kind"]]', "[1]", "{}"]
)
def test_what_cannot_be_read_stays(
    graph: Graph,
    writer: Writer,
    outbox: Outbox,
    tenant: str,
    relay: MakeRelay,
    sink: InMemorySink,
    events: str,
) -> None:
    writer.write(tenant, mutations([prompt("p")]))
    graph.run(
        "MATCH (o:Outbox {tenant_id: $tenant_id}) SET o.events = $events",
        tenant_id=tenant,
        events=events,
    )
    assert relay(sink).drain() == 0
    assert sink.taken == []
    assert waiting(outbox, tenant) == ([] if events == "{}" else [1])


def test_an_entry_that_tells_nothing_goes(
    graph: Graph, writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    writer.write(tenant, mutations([prompt("p")]))
    graph.run("MATCH (o:Outbox {tenant_id: $tenant_id}) REMOVE o.events", tenant_id=tenant)
    relay(sink).drain()
    assert waiting(outbox, tenant) == []


def test_a_refusal_of_a_sink_is_no_reason_to_drop_anything(
    writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    class Refusing(InMemorySink):
        def deliver(self, *_: Any) -> None:
            raise StreamRefused("not allowed")

    writer.write(tenant, mutations([prompt("p")]))
    assert relay(Refusing("refusing"), sink).run_once() == 1
    assert waiting(outbox, tenant) == [1]
