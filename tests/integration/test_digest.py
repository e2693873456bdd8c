"""The digest: equal content, equal value, whatever the order, the batches, the tenant."""

from __future__ import annotations

import random
from typing import Any

import pytest

from memgraph.domain.events import read_event
from memgraph.domain.mutations import Mutation
from memgraph.domain.schema import GraphModel
from memgraph.graph.digest import digest, statements
from memgraph.graph.export import pages
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.services.ingest.graph_rows import to_mutation
from tests.support.events import at, event, small_story


def mutations(events: list[bytes]) -> list[Mutation]:
    return [to_mutation(read_event(e), e) for e in events]


def write(writer: Writer, tenant: str, *events: bytes, batch: int = 500) -> None:
    for i in range(0, len(events), batch):
        writer.write(tenant, mutations(list(events[i : i + batch])))


def prompt(id_: str, text: str = "hello", **more: Any) -> bytes:
    return event(event_id=id_, timestamp=at(0), prompt={"text": text}, session={"id": "s"}, **more)


def test_order_and_batches_do_not_show(graph: Graph, model: GraphModel, tenant: str) -> None:
    story = small_story()
    values = set()
    for i, batch in enumerate((500, 7, 1)):
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


CHANGES = [
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'}) SET p.text = 'hello '",
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'}) SET p.token_count = 0",
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'}) SET p.temperature = 0.1 + 0.2",
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'}) SET p.tags = []",
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'}) SET p.fact_hash = p.fact_hash + 1",
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'}) SET p.metadata = '{\"a\":2,\"b\":[1]}'",
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'}) "
    "SET p.created_at = p.created_at + duration({microseconds: 1})",
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'}) SET p:Placeholder",
    "MATCH (s:Session {tenant_id: $t, session_id: 's'}) SET s.clocks = '{}'",
    "MATCH (s:Session {tenant_id: $t, session_id: 's'}) SET s:Tombstone",
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'})-[r:PART_OF]->(:Session) DELETE r",
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'q'})-[r:FOLLOWS]->(:Prompt) SET r.gap_ms = 1",
    "CREATE (:User {tenant_id: $t, user_id: 'u'})",
]
NO_CHANGES = [
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'}) SET p.write_id = 7",
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'}) SET p.metadata = '{\"b\": [1], \"a\": 1}'",
    "MATCH (p:Prompt {tenant_id: $t, prompt_id: 'p'}) "
    "SET p.created_at = datetime({datetime: p.created_at, timezone: '+02:00'})",
    "CREATE (:JobRun {tenant_id: $t, job: 'j', slot: $t})",
    "CREATE (:Prompt {tenant_id: $t + '-other', prompt_id: 'p'})",
]


def _changed(graph: Graph, model: GraphModel, tenant: str, statement: str) -> bool:
    writer = Writer(graph, model)
    body = {"text": "hello", "metadata": {"a": 1, "b": [1]}}
    first = event(event_id="p", timestamp=at(0), prompt=body, session={"id": "s"})
    second = event(event_id="q", timestamp=at(1), prompt={"text": "x"}, session={"id": "s"})
    write(writer, tenant, first, second)
    before = digest(graph, model, tenant)
    graph.run(statement, t=tenant)
    return digest(graph, model, tenant).value != before.value


@pytest.mark.parametrize("statement", CHANGES, ids=range(len(CHANGES)))
def test_any_change_of_content_shows(
    graph: Graph, model: GraphModel, tenant: str, statement: str
) -> None:
    assert _changed(graph, model, tenant, statement)


@pytest.mark.parametrize("statement", NO_CHANGES, ids=range(len(NO_CHANGES)))
def test_what_is_no_content_does_not_show(
    graph: Graph, model: GraphModel, tenant: str, statement: str
) -> None:
    assert not _changed(graph, model, tenant, statement)


@pytest.mark.parametrize("page", [1, 2, 3, 5])
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
    write(writer, tenant, *(prompt(id_) for id_ in ids), *small_story())
    templates = [
        event(
            type="template",
            event_id=f"{name}-{version}",
            timestamp=at(0),
            template={
                "id": name,
                "version": version,
                "name": "T",
                "text": "x",
                "parent": {"id": "\U0001f600", "version": "1.0.0"},
            },
        )
        for name in ("\uffee", "a", "b")
        for version in ("1.0.0", "1.0.10", "1.0.9")
    ]
    write(writer, tenant, *templates)
    whole = digest(graph, model, tenant)
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


def test_every_statement_seeks(graph: Graph, model: GraphModel) -> None:
    """No scan and no sort: a page costs what it holds."""
    for name, statement in statements(model).items():
        operators = _operators(graph, statement)
        assert "NodeUniqueIndexSeek" in operators, name
        slow = {o for o in operators if "Scan" in o or o in ("Sort", "Top", "Union", "Distinct")}
        assert not slow, (name, slow)


def _operators(graph: Graph, statement: str) -> set[str]:
    parameters = {f"after_{i}": "" for i in range(6)}
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
