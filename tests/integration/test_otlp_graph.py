"""Recordings of OTLP in the graph: nothing conflicts, in any order, and threads read right."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from memgraph.domain.mutations import Outcome
from memgraph.domain.schema import GraphModel
from memgraph.graph.digest import digest
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.services.ingest.formats.records import Record
from memgraph.services.ingest.graph_rows import to_mutation
from tests.support.otlp_recordings import Recording

EXCERPT = Path(__file__).parents[1] / "data" / "otlp" / "f_responses"


@pytest.fixture
def records() -> list[Record]:
    return Recording.of(EXCERPT).records()


def write(writer: Writer, tenant: str, records: list[Record]) -> set[Outcome]:
    outcomes: set[Outcome] = set()
    for start in range(0, len(records), 7):
        batch = [to_mutation(r.event, r.payload) for r in records[start : start + 7]]
        outcomes |= set(writer.write(tenant, batch).outcomes)
    return outcomes


def test_the_order_of_events_does_not_matter_in_the_graph(
    graph: Graph, model: GraphModel, writer: Writer, tenant: str, records: list[Record]
) -> None:
    digests = set()
    for seed in range(3):
        Random(seed).shuffle(records)
        into = f"{tenant}-{seed}"
        assert write(writer, into, records) == {Outcome.STORED}
        assert Outcome.DEAD_LETTERED not in write(writer, into, records)
        digests.add(digest(graph, model, into).value)
    assert len(digests) == 1


def test_a_thread_shows_the_handoff_and_the_tools(
    writer: Writer, reader: Reader, tenant: str, records: list[Record]
) -> None:
    write(writer, tenant, records)
    thread = reader.get_thread(tenant, "sess-f_responses-1")
    assert thread["users"] == ["user-f-ada"]
    first, second = thread["prompts"]
    assert (first["agent"], second["agent"]) == ("triage_agent", "refund_agent")
    assert (second["follows"]["prompt_id"], second["follows"]["stated"]) == (
        first["prompt_id"],
        True,
    )
    asking, refunding, notifying, answering = first["responses"]
    assert [h["agent_id"] for h in asking["handoffs"]] == ["refund_agent"]
    tools = [t for r in (refunding, notifying) for t in r["tools"]]
    assert [(t["tool_name"], t["status"]) for t in tools] == [
        ("refund", "success"),
        ("notify", "failed"),
    ]
    assert answering["informed_by"] == [notifying["tools"][0]["invocation_id"]]
    assert sum(r["total_tokens"] for p in (first, second) for r in p["responses"]) == 334
