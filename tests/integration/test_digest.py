"""The digest: equal content, equal value, whatever the order, the batches, the tenant."""

from __future__ import annotations

import random
from typing import Any

import pytest

from memgraph.domain.events import read_event
from memgraph.domain.schema import GraphModel
from memgraph.graph.digest import digest, statements
from memgraph.graph.export import pages
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.services.ingest.graph_rows import to_mutation
from tests.support.events import at, event, small_story


def write(writer: Writer, tenant: str, *events: bytes, batch: int = 500) -> None:
    mutations = [to_mutation(read_event(e), e) for e in events]
    for i in range(0, len(mutations), batch):
        writer.write(tenant, mutations[i : i + batch])


def prompt(id_: str, text: str = "hello", second: int = 0, **body: Any) -> bytes:
    said = {"text": text, **body}
    return event(event_id=id_, timestamp=at(second), prompt=said, session={"id": "s"})


def template(name: str, version: str, parent: str) -> bytes:
    body = {"id": name, "version": version, "name": "T", "text": "x"}
    body["parent"] = {"id": parent, "version": "1.0.0"}
    return event(type="template", event_id=f"{name}-{version}", timestamp=at(0), template=body)


def test_order_and_batches_do_not_show(graph: Graph, model: GraphModel, tenant: str) -> None:
    story = small_story()
    values = set()
    for i, batch in enumerate((500, 7)):
        random.Random(i).shuffle(story)
        write(Writer(graph, model), f"{tenant}-{i}", *story, batch=batch)
        found = digest(graph, model, f"{tenant}-{i}")
        values.add(found.value)
        assert found.nodes["Prompt"] == 6
        assert found.relationships["PART_OF"] == 6
    assert len(values) == 1


def test_an_empty_tenant_has_a_digest(graph: Graph, model: GraphModel, tenant: str) -> None:
    found = digest(graph, model, tenant)
    assert (found.nodes, found.relationships, len(found.value)) == ({}, {}, 64)


def test_two_tenants_with_the_same_ids_never_mix(
    graph: Graph, model: GraphModel, writer: Writer, tenant: str
) -> None:
    write(writer, tenant, prompt("p", "one"))
    alone = digest(graph, model, tenant)
    write(writer, f"{tenant}-other", prompt("p", "two"), prompt("q"))
    assert digest(graph, model, tenant) == alone
    assert digest(graph, model, f"{tenant}-other").nodes["Prompt"] == 2


PROMPT = "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'}) "
SESSION = "MATCH (s:Session {tenant_id: $t, session_id: 's'}) "
CHANGES = [
    PROMPT + "SET p.text = 'hello '",
    PROMPT + "SET p.token_count = 0",
    PROMPT + "SET p.temperature = 0.1 + 0.2",
    PROMPT + "SET p.tags = []",
    PROMPT + "SET p.fact_hash = p.fact_hash + 1",
    PROMPT + 'SET p.metadata = \'{"a":2,"b":[1]}\'',
    PROMPT + "SET p.created_at = p.created_at + duration({microseconds: 1})",
    PROMPT + "SET p:Placeholder",
    SESSION + "SET s.clocks = '{}'",
    SESSION + "SET s:Tombstone",
    PROMPT + "MATCH (p)<-[r:FOLLOWS]-(:Prompt) SET r.gap_ms = 1",
    PROMPT + "MATCH (p)-[r:PART_OF]->(:Session) DELETE r",
    "CREATE (:User {tenant_id: $t, user_id: 'u'})",
]
NO_CHANGES = [
    PROMPT + "SET p.write_id = 7",
    PROMPT + 'SET p.metadata = \'{"b": [1], "a": 1}\'',
    PROMPT + "SET p.created_at = datetime({datetime: p.created_at, timezone: '+02:00'})",
    "CREATE (:JobRun {tenant_id: $t, job: 'j', slot: $t})",
    "CREATE (:Prompt {tenant_id: $t + '-other', prompt_id: 'p'})",
]


def test_every_change_of_content_shows_and_no_other(
    graph: Graph, model: GraphModel, writer: Writer, tenant: str
) -> None:
    write(writer, tenant, prompt("p", metadata={"a": 1, "b": [1]}), prompt("q", second=1))
    values = [digest(graph, model, tenant).value]
    for statement in NO_CHANGES:
        graph.run(statement, t=tenant)
        assert digest(graph, model, tenant).value == values[0], statement
    for statement in CHANGES:
        graph.run(statement, t=tenant)
        values.append(digest(graph, model, tenant).value)
        assert values.count(values[-1]) == 1, statement


@pytest.mark.parametrize("page", [1, 4])
def test_pages_end_where_the_next_begins(
    graph: Graph,
    model: GraphModel,
    writer: Writer,
    tenant: str,
    page: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Keys of every plane of Unicode: the index sorts them otherwise than a comparison does."""
    ids = ["p", "P", "é", "\uffee", "\U0001f600", "\ue000", "a b", "p\u0301", "\U0010ffff", "~"]
    versions = ("1.0.0", "1.0.10", "1.0.9")
    write(
        writer,
        tenant,
        *(prompt(id_, second=i) for i, id_ in enumerate(ids)),
        *(template(name, version, "\U0001f600") for name in ids[2:5] for version in versions),
    )
    whole = digest(graph, model, tenant)
    assert (whole.nodes["Prompt"], whole.nodes["PromptTemplate"]) == (10, 9)
    assert whole.relationships["INHERITS"] == 8
    monkeypatch.setattr(pages, "PAGE", page)
    assert digest(graph, model, tenant) == whole


def test_keys_with_times_are_paged(
    graph: Graph, model: GraphModel, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph.run(
        "UNWIND range(0, 9) AS i UNWIND ['hour', 'day'] AS grain "
        "CREATE (r:Rollup {tenant_id: $t, scope: 'model:m', grain: grain, "
        "  bucket: datetime('1960-01-01T00:00:00.000001Z') + duration({hours: i}), "
        "  created_at: datetime('2026-01-01T00:00:00Z')}) "
        "MERGE (m:Model {tenant_id: $t, model_id: 'm'}) CREATE (r)-[:SUMMARISES]->(m)",
        t=tenant,
    )
    whole = digest(graph, model, tenant)
    assert (whole.nodes, whole.relationships) == ({"Model": 1, "Rollup": 20}, {"SUMMARISES": 20})
    monkeypatch.setattr(pages, "PAGE", 3)
    assert digest(graph, model, tenant) == whole


def test_every_page_is_a_seek_in_the_order_of_its_index(graph: Graph, model: GraphModel) -> None:
    """No scan and no sort: a page costs what it holds."""
    for name, statement in statements(model).items():
        operators = _operators(graph, statement)
        assert "NodeUniqueIndexSeek" in operators, name
        slow = {o for o in operators if "Scan" in o or o in ("Sort", "Top", "Union", "Distinct")}
        assert not slow, (name, slow)


def _operators(graph: Graph, statement: str) -> set[str]:
    parameters = {f"after_{i}": "" for i in range(3)}
    with graph.driver.session(database=graph.database) as session:
        asked = session.run(f"EXPLAIN {statement}", tenant_id="t", limit=1, **parameters)
        plan = asked.consume().plan
    assert plan is not None
    waiting, found = [plan], set()
    while waiting:
        step = waiting.pop()
        found.add(str(step["operatorType"]).partition("@")[0])
        waiting.extend(step.get("children", []))
    return found
