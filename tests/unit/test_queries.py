"""Query files: what a header must say, and that no node of a query is left to another tenant."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memgraph.bootstrap import build_model
from memgraph.domain.errors import InvalidInput
from memgraph.domain.schema import GraphModel
from memgraph.graph.ddl import desired_items
from memgraph.graph.kinds import find_spec, kinds, parse_key, show_key
from memgraph.graph.queries import HEADER, Query, load_queries, query, scope_to_tenant
from memgraph.settings import Settings

SEEN = "&!Placeholder&!Tombstone {tenant_id: $tenant_id"


@pytest.fixture(scope="module")
def model() -> GraphModel:
    return build_model(Settings())


def scoped(text: str) -> str:
    return scope_to_tenant("test", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MATCH (p:Prompt) RETURN p", f"MATCH (p:Prompt{SEEN}}}) RETURN p"),
        ("MATCH (p:Prompt {id: $id})", f"MATCH (p:Prompt{SEEN}, id: $id}})"),
        ("MATCH(:Prompt)", f"MATCH(:Prompt{SEEN}}})"),
        ("MATCH (n:A|B)", f"MATCH (n:(A|B){SEEN}}})"),
        ("MATCH (a:A)-[:R]->(b:B)", f"MATCH (a:A{SEEN}}})-[:R]->(b:B{SEEN}}})"),
        ("MATCH (a:A) MATCH (a)--(b:B)", f"MATCH (a:A{SEEN}}}) MATCH (a)--(b:B{SEEN}}})"),
        (
            "MATCH SHORTEST 1 (a:A) ((:B)-[:R]->(:B)){0,9} (c:B)",
            f"MATCH SHORTEST 1 (a:A{SEEN}}}) ((:B{SEEN}}})-[:R]->(:B{SEEN}}})){{0,9}} "
            f"(c:B{SEEN}}})",
        ),
        (
            "MATCH (a:A {x: f(1, 'a)', \"(b:B)\")})",
            f"MATCH (a:A{SEEN}, x: f(1, 'a)', \"(b:B)\")}})",
        ),
        ("MATCH (a:A) // (b)\nRETURN a", f"MATCH (a:A{SEEN}}}) // (b)\nRETURN a"),
        (
            "MATCH (a:A) RETURN [(a)-->(b:B) | b.x]",
            f"MATCH (a:A{SEEN}}}) RETURN [(a)-->(b:B{SEEN}}}) | b.x]",
        ),
        (
            "MATCH (a:A) WHERE EXISTS { (b:B)-->(a) }",
            f"MATCH (a:A{SEEN}}}) WHERE EXISTS {{ (b:B{SEEN}}})-->(a) }}",
        ),
    ],
)
def test_every_node_gets_the_tenant_and_must_be_visible(text: str, expected: str) -> None:
    assert scoped(text) == expected


@pytest.mark.parametrize(
    "rest",
    [
        "RETURN count(a), count(*), avg(a.x - (a.y + 1)) AS n",
        "WHERE ($x IS NULL OR a.x = $x) AND (a.y IS NOT NULL)",
        "CALL (a) { RETURN 1 AS x }",
        "CALL () { RETURN 1 AS x } RETURN x",
        "WITH collect(a) AS found UNWIND found AS b MATCH (b)-->(a)",
        "RETURN [x IN nodes | (x)]",
        "RETURN a {.x, y: ['(b)']}",
    ],
)
def test_what_is_no_node_stays(rest: str) -> None:
    assert scoped(f"MATCH (a:A) {rest}") == f"MATCH (a:A{SEEN}}}) {rest}"


@pytest.mark.parametrize(
    "text",
    [
        "MATCH (a)",
        "MATCH ()",
        "MATCH (a:A), (b)",
        "MATCH (a:A)-->()",
        "MATCH (a:A)-->(b)",
        "MATCH (a:A)<--(b {x: 1})",
        "MATCH (a {x: 1})",
        "MATCH (a $properties)",
        "MATCH (a:$($label))",
        "MATCH (a:A&B)",
        "MATCH (a:A:B)",
        "MATCH (a:!A)",
        "MATCH (a:%)",
        "MATCH (a:`A`)",
        "MATCH (a: A)",
        "MATCH (a IS A)",
        "MATCH (a:A WHERE a.x = 1)",
        "MATCH (WHERE true)",
        "MATCH (a:A)-[*]->(b:B)",
        "MATCH (a:A)-[:R*]->(b:B)",
        "MATCH (a:A)<-[r:R*0..3]-(b:B)",
        "MATCH (a:A)-[:R]->+(b:B)",
        "MATCH (a:A)-[:R]->{1,3}(b:B)",
        "MATCH (a:A)<-[:R]-*(b:B)",
        "MATCH (a:A)-->{2}(b:B)",
        "MATCH (a:A) RETURN [(a)-->(b) | b]",
        "MATCH (a:A) WHERE EXISTS { (b)-->(a) }",
    ],
)
def test_what_cannot_be_scoped_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="query test: "):
        scoped(text)


def _write(root: Path, name: str, body: str, **header: str) -> None:
    path = root / "queries" / f"{name}.cypher"
    path.parent.mkdir(parents=True, exist_ok=True)
    said = {**dict.fromkeys(HEADER, "x"), **header}
    path.write_text("".join(f"// {k}: {v}\n" for k, v in said.items()) + body)


def test_a_query_ends_with_what_it_includes(tmp_path: Path) -> None:
    _write(tmp_path, "area/one", "MATCH (a:A)\nWITH a", include="area/ending")
    _write(tmp_path, "area/ending", "WITH a MATCH (a)-->(b:B)\nRETURN b")
    (found,) = load_queries(tmp_path).values()
    assert found.name == "area/one"
    assert found.text == f"MATCH (a:A{SEEN}}})\nWITH a\nWITH a MATCH (a)-->(b:B{SEEN}}})\nRETURN b"


@pytest.mark.parametrize("field", HEADER)
def test_a_header_is_complete(tmp_path: Path, field: str) -> None:
    _write(tmp_path, "area/one", "RETURN 1", **{field: ""})
    with pytest.raises(ValueError, match=f"header lacks {field}"):
        load_queries(tmp_path)


QUERIES = list(load_queries().values())


@pytest.mark.parametrize("found", QUERIES, ids=lambda q: q.name)
def test_a_header_names_the_parameters(found: Query) -> None:
    declared = {part.split()[0] for part in found.header["parameters"].split(", ")}
    used = set(re.findall(r"\$(\w+)", found.text)) - {"tenant_id"}
    assert used <= declared
    # The four queries of impact are called alike.
    assert declared - used <= {"version"}


@pytest.mark.parametrize("found", QUERIES, ids=lambda q: q.name)
def test_a_header_names_an_index_that_there_is(found: Query, model: GraphModel) -> None:
    assert found.header["index"] in {item.name for item in desired_items(model)}


def test_a_query_is_found_by_its_name() -> None:
    assert query("sessions/read_thread") == load_queries()["sessions/read_thread"].text


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        ("response", "Response"),
        ("tool-invocation", "ToolInvocation"),
        ("TOOL_INVOCATION", "ToolInvocation"),
        ("tool", "ToolInvocation"),
        ("template", "PromptTemplate"),
        ("document", "ContextDocument"),
        ("model-version", "ModelVersion"),
    ],
)
def test_kinds(model: GraphModel, kind: str, label: str) -> None:
    assert find_spec(model, kind).label == label


def test_every_kind_is_known(model: GraphModel) -> None:
    assert {find_spec(model, kind).label for kind in kinds(model)} == {
        spec.label for spec in model.nodes.values() if spec.is_content
    }


@pytest.mark.parametrize("kind", ["", "responses", "outbox", "tenant", "re sponse"])
def test_unknown_kinds_are_told_the_known_ones(model: GraphModel, kind: str) -> None:
    with pytest.raises(InvalidInput, match=r"must be one of .*response.*, tool$"):
        find_spec(model, kind)


@pytest.mark.parametrize(
    ("kind", "id_", "key"),
    [
        ("response", "r@1", ("r@1",)),
        ("response", "@", ("@",)),
        ("template", "tpl@1.0.0", ("tpl", "1.0.0")),
        ("template", "a@b@1.0.0", ("a@b", "1.0.0")),
        ("model-version", "gpt 4@2026-01-01", ("gpt 4", "2026-01-01")),
        (
            "rollup",
            "user:a@b.example@day@2026-01-31T00:00:00+00:00",
            ("user:a@b.example", "day", datetime(2026, 1, 31, tzinfo=UTC)),
        ),
    ],
)
def test_ids_and_keys(model: GraphModel, kind: str, id_: str, key: tuple[object, ...]) -> None:
    assert parse_key(find_spec(model, kind), id_) == key
    assert show_key(key) == id_


@pytest.mark.parametrize(
    ("kind", "id_", "needs"),
    [
        ("response", "", "needs RESPONSE_ID"),
        ("template", "tpl", "needs TEMPLATE_ID@VERSION"),
        ("template", "tpl@", "needs TEMPLATE_ID@VERSION"),
        ("template", "@1.0.0", "needs TEMPLATE_ID@VERSION"),
        ("rollup", "all@day", "needs SCOPE@GRAIN@BUCKET"),
        ("rollup", "all@day@today", "BUCKET is a time"),
        ("rollup", "all@day@2026-01-31T00:00:00", "BUCKET is a time"),
    ],
)
def test_ids_that_lack_a_part(model: GraphModel, kind: str, id_: str, needs: str) -> None:
    with pytest.raises(InvalidInput, match=needs):
        parse_key(find_spec(model, kind), id_)
