"""Commits whose answer is lost: the transaction is repeated, and the graph stays the same."""

from __future__ import annotations

import pytest

from memgraph.domain.events import read_event
from memgraph.domain.mutations import Totals
from memgraph.domain.schema import GraphModel
from memgraph.graph.digest import digest
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.services.ingest.graph_rows import to_mutation
from tests.support.events import late_events, small_story
from tests.support.faulty import FaultyGraph


@pytest.mark.parametrize("together", [1, 5, 1_000])
@pytest.mark.parametrize("is_backwards", [False, True])
def test_whatever_is_repeated_is_there_once(
    graph: Graph, model: GraphModel, tenant: str, together: int, is_backwards: bool
) -> None:
    story = [*small_story(), *late_events()]
    if is_backwards:
        story.reverse()
    lossy = FaultyGraph(graph, retry_for_s=60.0, lose_every=2)
    calm = f"calm-{tenant}"
    for place, tenant_id in ((graph, calm), (lossy, tenant)):
        write(Writer(place, model), tenant_id, story, together)
    assert lossy.lost
    assert digest(graph, model, tenant).value == digest(graph, model, calm).value
    counted = sums(Reader(graph, model), tenant)
    assert counted == sums(Reader(graph, model), calm)
    assert counted["received"] == counted["stored"] + counted["duplicate"] == len(story)


def write(writer: Writer, tenant: str, story: list[bytes], together: int) -> None:
    """One event, so that the answer of the next commit is lost, then so many at a time."""
    for batch in (story[:1], *(story[n : n + together] for n in range(1, len(story), together))):
        writer.write(tenant, [to_mutation(read_event(e), e) for e in batch])


def sums(reader: Reader, tenant: str) -> dict[str, int]:
    [found] = reader.list_sources(tenant)
    return {name: found[name] for name in Totals().as_dict()}
