"""How much a tenant has: the counts are those of the file and of the store."""

from __future__ import annotations

from collections import Counter

import orjson

from memgraph.domain.schema import GraphModel
from memgraph.graph import counts
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from tests.support import demo
from tests.support.questions import prompt, response, write
from tests.support.recording import RecordingGraph


def expected_counts() -> counts.Counts:
    nodes = Counter(node[0] for node in demo.nodes())
    edges = Counter(edge[1] for edge in demo.edges())
    return {"nodes": dict(nodes), "relationships": dict(edges)}


def test_counts_are_those_of_the_file(reader: Reader, tenant: str) -> None:
    assert reader.count(tenant) == expected_counts()


def test_an_unknown_tenant_has_nothing(reader: Reader, own: str) -> None:
    assert reader.count(own) == {"nodes": {}, "relationships": {}}
    assert reader.list_agent_network(own) == []
    assert reader.list_tool_failures(own) == []


def test_the_count_store_agrees(graph: Graph, model: GraphModel, writer: Writer, own: str) -> None:
    """What the store counts too much for a tenant that shares it is what others have."""
    write(
        writer,
        own,
        prompt("p", 0, template={"id": "unregistered", "version": "1.0.0"}),
        response("r", 1, "p", "t"),
        response("orphan", 1, "not arrived"),
        prompt("gone", 2),
    )
    graph.run(
        "MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: 'gone'}) SET p:Tombstone",
        tenant_id=own,
    )
    indexed = counts.summed(graph.read(counts.index_statement(model), tenant_id=own))
    assert indexed["nodes"] == {
        "Prompt": 1,
        "Response": 2,
        "Session": 1,
        "ToolInvocation": 1,
    }
    assert indexed["relationships"] == {"PART_OF": 1, "RESPONDS_TO": 1, "INVOKES": 1}
    for _ in range(50):
        before = foreign(graph, model, own)
        stored = counts.summed(graph.read(counts.store_statement(model), tenant_id=own))
        if foreign(graph, model, own) == before:
            break
    else:
        raise AssertionError("somebody else keeps writing to this server")
    for kind, found in stored.items():
        mine = {name: n - before[kind, name] for name, n in found.items()}
        assert {name: n for name, n in mine.items() if n} == indexed[kind]


def foreign(graph: Graph, model: GraphModel, tenant: str) -> Counter[tuple[str, str]]:
    """What other tenants have in the store, hidden or not."""
    labels = [spec.label for spec in model.nodes.values() if spec.is_content]
    nodes = graph.read(
        "MATCH (n) WHERE n.tenant_id <> $tenant_id "
        "UNWIND [label IN labels(n) WHERE label IN $labels] AS name "
        "RETURN 'nodes' AS kind, name, count(*) AS n",
        tenant_id=tenant,
        labels=labels,
    )
    edges = graph.read(
        "MATCH (n)-[r]->() WHERE n.tenant_id <> $tenant_id AND type(r) IN $types "
        "RETURN 'relationships' AS kind, type(r) AS name, count(*) AS n",
        tenant_id=tenant,
        types=list(model.edge_types),
    )
    return Counter({(row["kind"], row["name"]): row["n"] for row in (*nodes, *edges)})


def test_counting_takes_two_requests(graph: Graph, model: GraphModel, tenant: str) -> None:
    recording = RecordingGraph(graph)
    assert orjson.dumps(Reader(recording, model).count(tenant))
    assert len(recording.sent) <= 3
