"""No tenant sees another's data: not by the same ids, not even by edges that must not be there."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import neomodel
import pytest

import memgraph
from memgraph.domain.errors import GraphRefused, NotFound
from memgraph.domain.events import EVENT_CLASSES, read_event
from memgraph.domain.nodes import NODE_CLASSES, Prompt, Session
from memgraph.domain.schema import GraphModel
from memgraph.graph import credentials, dead_letters, export, reader
from memgraph.graph.queries import load_queries
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.graph.traversal import Direction, lineage_statement
from memgraph.graph.writer import Writer
from memgraph.settings import Neo4jSettings
from tests.support.twins import Asker, Twin, canonical, plant, write

HOSTILE = "' OR true //\" } ) /* `x` \\u0027 {{7*7}} ; DROP ‮ ü 中 🦊 $tenant_id \u00a0"


def hostile_tenants() -> tuple[str, str]:
    """Two names of 512 characters that differ in the last one."""
    stem = f"{HOSTILE}{uuid.uuid4()}".ljust(511, "🦊")
    return f"{stem}a", f"{stem}b"


class World:
    """Two tenants that were asked everything, before and after they were tied together."""

    def __init__(self, graph: Graph, model: GraphModel, folder: Path) -> None:
        writer = Writer(graph, model)
        self.graph, self.model = graph, model
        self.one, self.other = (Twin(tenant) for tenant in hostile_tenants())
        for twin in (self.one, self.other):
            write(writer, graph, model, twin)
        self.askers = {t.canary: Asker(graph, model, t) for t in (self.one, self.other)}
        self.one.baseline = self.ask(self.one, folder)
        self.planted = plant(graph, model, self.one, self.other)
        self.after = {t.canary: self.ask(t, folder) for t in (self.one, self.other)}

    def ask(self, twin: Twin, folder: Path) -> dict[str, Any]:
        return self.askers[twin.canary].everything(folder)


@pytest.fixture(scope="module")
def world(
    graph: Graph, model: GraphModel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    world = World(graph, model, tmp_path_factory.mktemp("exports"))
    yield world
    # Edges between tenants are no state to leave to other tests.
    for twin in (world.one, world.other):
        graph.run(
            "MATCH (n {tenant_id: $tenant_id}) CALL (n) { DETACH DELETE n } "
            "IN TRANSACTIONS OF 1000 ROWS",
            tenant_id=twin.tenant,
        )


def test_every_kind_of_event_is_among_what_is_written() -> None:
    events = [read_event(e) for e in Twin("t").events()]
    assert {type(e) for e in events} == set(EVENT_CLASSES)


def test_every_method_of_the_reader_is_asked() -> None:
    public = {name for name in vars(Reader) if not name.startswith("_")}
    called = set(re.findall(r"reader\.(\w+)\(", Path(Asker.ask.__code__.co_filename).read_text()))
    assert called == public


def test_every_class_of_nodes_is_there(world: World) -> None:
    content = {c.__label__ for c in NODE_CLASSES if c.is_content}
    assert {
        label
        for label in content
        if not world.askers[world.one.canary].ids[world.model.nodes[label].snake]
    } == set()


def test_what_is_told_is_ones_own(world: World) -> None:
    for twin, stranger in ((world.one, world.other), (world.other, world.one)):
        for question, answer in world.after[twin.canary].items():
            said = repr(answer)
            assert stranger.canary not in said, question
            assert stranger.tenant not in said, question
        assert twin.canary in repr(world.after[twin.canary])


def test_edges_between_tenants_change_no_answer(world: World) -> None:
    assert world.planted > 5_000
    before, after = world.one.baseline, world.after[world.one.canary]
    assert before.keys() == after.keys()
    changed = [q for q in before if canonical(before[q]) != canonical(after[q])]
    assert not changed


def test_the_planted_edges_are_there(world: World) -> None:
    """What nobody follows could be followed: every type, both ways."""
    for mine, theirs in ((world.one, world.other), (world.other, world.one)):
        found = world.graph.read(
            "MATCH (a {tenant_id: $mine})-[r]->(b {tenant_id: $theirs}) "
            "RETURN collect(DISTINCT type(r)) AS types",
            mine=mine.tenant,
            theirs=theirs.tenant,
        )
        # The only end of one kind of summary is the tenant itself, which has one end for all.
        assert set(found[0]["types"]) == set(world.model.edge_types)


FOREIGN = [
    ("thread", "{only}"),
    ("lineage", "session", "{only}"),
    ("lineage", "prompt", "a-{only}"),
    ("lineage", "response", "r-{only}"),
    ("lineage", "tool", "call-{only}"),
    ("lineage", "agent", "{only}"),
    ("lineage", "user", "{only}"),
    ("lineage", "template", "{only}@9.9.9"),
    ("lineage", "model-version", "{only}@{only}"),
    ("lineage", "score", "s-{only}"),
    ("impact", "model", "{only}"),
    ("impact", "model", "{only}@{only}"),
    ("impact", "template", "{only}"),
    ("impact", "template", "{only}@9.9.9"),
    ("impact", "document", "{only}"),
    ("impact", "tool", "{only}"),
    ("error", "e-{only}"),
    ("genealogy", "{only}"),
    ("metrics", "{only}"),
    ("summary", "{only}"),
    ("node", "session", "{only}"),
    ("node", "template", "{only}@9.9.9"),
]


@pytest.mark.parametrize("question", FOREIGN, ids=" ".join)
def test_a_foreign_id_is_as_missing_as_any(world: World, question: tuple[str, ...]) -> None:
    asked = tuple(word.format(only=world.other.only) for word in question)
    assert world.askers[world.other.canary].ask(*asked)
    nobody = Asker(world.graph, world.model, Twin(f"tenant-{uuid.uuid4()}"))
    with pytest.raises(NotFound) as foreign:
        world.askers[world.one.canary].ask(*asked)
    with pytest.raises(NotFound) as missing:
        nobody.ask(*asked)
    assert foreign.value.message == missing.value.message
    assert foreign.value.facts == missing.value.facts
    assert world.one.tenant not in foreign.value.message


def test_an_import_stays_in_its_tenant(world: World, tmp_path: Path) -> None:
    target = tmp_path / "graph.jsonl"
    export.export(world.graph, world.model, world.other.tenant, target)
    copy = f"tenant-{uuid.uuid4()}"
    export.import_(world.graph, world.model, copy, target)
    asker = Asker(world.graph, world.model, Twin(copy))
    assert asker.ask("digest") == world.after[world.other.canary]["digest"]
    mine = world.askers[world.one.canary]
    assert mine.ask("digest") == world.one.baseline["digest"]
    assert mine.ask("count") == world.one.baseline["count"]


def test_the_notebook_finds_a_tenant_by_its_name(
    world: World, server: Neo4jSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMGRAPH_NEO4J__URI", server.uri)
    monkeypatch.setenv("MEMGRAPH_NEO4J__USER", server.user)
    monkeypatch.setenv("MEMGRAPH_NEO4J__PASSWORD", server.password.get_secret_value())
    memgraph.connect()
    try:
        for node_class in NODE_CLASSES:
            found = node_class.nodes.filter(tenant_id=world.one.tenant).all()
            assert {node.tenant_id for node in found} <= {world.one.tenant}
            assert world.other.canary not in repr(found)
        (session,) = Session.nodes.filter(tenant_id=world.one.tenant, session_id="s-0033")
        own = session.prompts.filter(tenant_id=world.one.tenant).all()
        assert {p.prompt_id for p in own} >= {"s-0033-p1", f"b-{world.one.only}"}
        assert f"b-{world.other.only}" not in {p.prompt_id for p in own}
        assert len(Prompt.nodes.filter(tenant_id=world.one.tenant)) == len(
            world.askers[world.one.canary].ids["prompt"]
        )
    finally:
        neomodel.db.close_connection()


# These tests can fail: without its tenant, each node of each statement leaks

_SCOPED = re.compile(r"\{tenant_id: \$tenant_id(?:, |(?=\}))")


def places(text: str) -> range:
    return range(len(_SCOPED.findall(text)))


def without_tenant(text: str, *numbers: int) -> str:
    """The text with some of its nodes belonging to anybody."""
    found = list(_SCOPED.finditer(text))
    for number in sorted(numbers, reverse=True):
        before, after = text[: found[number].start()], text[found[number].end() :]
        is_all = after.startswith("}")
        text = before.rstrip() + after[1:] if is_all else before + "{" + after
    return text


QUESTIONS = {
    "sessions/read_thread": [("thread", "s-0033"), ("thread", "s-0012"), ("thread", "s1")],
    "agents/read_network": [("network",)],
    "tools/read_failures": [("failures",)],
    "tools/read_error_path": [("error", "err-0020-4"), ("error", "er2"), ("error", "err-0020-1")],
    "templates/read_genealogy": [("genealogy", "tpl-triage"), ("genealogy", "tpl-support-base")],
    "templates/list_versions": [("versions", "tpl-triage"), ("versions", "tpl-support-base")],
    "templates/list_texts": [("texts",)],
    "ingest/list_sources": [("sources",)],
    "ingest/list_dead_letters": [("letters",)],
    "ingest/read_dead_letters": [("letter", "letter")],
    "templates/read_line": [("line", "tpl-warranty@1.1.0"), ("line", "tpl-support-base@1.0.0")],
    "models/list_versions": [("prices", "tarn-3"), ("prices", "m")],
    "models/list_prices": [("price_facts", "tarn-3"), ("price_facts", "m")],
    "agents/list_configurations": [
        ("configurations", "agent-triage"),
        ("configurations", "agent-refunds"),
    ],
    "agents/read_metrics": [("metrics", "agent-triage"), ("metrics", "agent-refunds")],
    "sessions/read_summary": [("summary", "s-0033"), ("summary", "s-0012"), ("summary", "s1")],
    "impact/read_model": [("impact", "model", "auster-mini"), ("impact", "model", "tarn-3@3.1")],
    "impact/read_template": [("impact", "template", "tpl-support-base@1.0.0")],
    "impact/read_document": [("impact", "document", "doc-returns-policy#3")],
    "impact/read_tool": [("impact", "tool", "order_lookup")],
    "access/find_key": [("key",)],
    "access/list_keys": [("keys",)],
}


def test_every_query_is_among_the_questions() -> None:
    assert QUESTIONS.keys() == load_queries().keys()


def leaks(world: World, questions: list[tuple[str, ...]]) -> bool:
    """Whether some answer is not what it was."""
    for question in questions:
        for twin in (world.one, world.other):
            try:
                answer = world.askers[twin.canary].ask(*question)
            except (NotFound, GraphRefused):
                return True
            if canonical(answer) != canonical(world.after[twin.canary][" ".join(question)]):
                return True
    return False


@pytest.fixture
def texts() -> dict[str, str]:
    return {name: query.text for name, query in load_queries().items()}


def is_noticed(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    texts: dict[str, str],
    name: str,
    *numbers: int,
) -> bool:
    changed = {**texts, name: without_tenant(texts[name], *numbers)}
    for module in (reader, credentials, dead_letters):
        monkeypatch.setattr(module, "query", changed.__getitem__)
    return leaks(world, QUESTIONS[name])


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_node_without_its_tenant_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch, texts: dict[str, str], name: str
) -> None:
    assert is_noticed(world, monkeypatch, texts, name, places(texts[name])[-1])


REDUNDANT = {
    "impact/read_template": (1, 2, 3),
    "templates/read_line": (0, 1, 2, 3),
}
"""Nodes of paths: each is asked twice, as the end of one step and the start of the next."""


@pytest.mark.slow
@pytest.mark.parametrize("name", REDUNDANT)
def test_a_path_without_its_tenant_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch, texts: dict[str, str], name: str
) -> None:
    assert is_noticed(world, monkeypatch, texts, name, *REDUNDANT[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", QUESTIONS)
def test_each_node_without_its_tenant_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch, texts: dict[str, str], name: str
) -> None:
    unnoticed = [
        number
        for number in places(texts[name])
        if not is_noticed(world, monkeypatch, texts, name, number)
    ]
    assert unnoticed == [*REDUNDANT.get(name, ())]


STEPS = [
    ("lineage", "response", "s-0033-p2-r3"),
    ("lineage", "tool_invocation", "t0"),
    ("lineage", "response", "r0b"),
    ("lineage", "response", "r0"),
    ("lineage", "prompt", "s-0033-p1"),
    ("lineage", "response", "unsaid-r2"),
    ("lineage", "tool_invocation", "unsaid-t"),
]


def is_noticed_in_lineage(
    world: World, monkeypatch: pytest.MonkeyPatch, questions: list[tuple[str, ...]], number: int
) -> bool:
    def changed(model: GraphModel, label: str, directions: tuple[Direction, ...]) -> str:
        return without_tenant(lineage_statement(model, label, directions), number)

    monkeypatch.setattr(reader, "lineage_statement", changed)
    return any(leaks(world, [question]) for question in questions)


def _lineage_places(world: World) -> range:
    return places(lineage_statement(world.model, "Response", ("up", "down")))


@pytest.mark.slow
def test_a_step_of_a_lineage_without_its_tenant_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_noticed_in_lineage(world, monkeypatch, STEPS[:1], 1)


@pytest.mark.slow
def test_each_step_of_a_lineage_without_its_tenant_is_noticed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unnoticed = [
        number
        for number in _lineage_places(world)
        if not is_noticed_in_lineage(world, monkeypatch, STEPS, number)
    ]
    assert unnoticed == []
