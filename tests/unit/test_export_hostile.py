"""Damaged, forged and hostile files are refused with position and field, and never quoted."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from memgraph.domain.errors import InvalidInput
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel
from memgraph.graph.export import detect_format
from memgraph.graph.export.checks import checked
from memgraph.graph.export.graphml_reader import read_graphml
from memgraph.graph.export.jsonl import read_jsonl
from memgraph.graph.export.parquet import read_parquet

MODEL = GraphModel.of(NODE_CLASSES, {"Session": ("task_id",)})
SECRET = "correct horse battery staple"
AT = "2026-03-04T05:06:07.000000Z"
HEADER = {"format": "memgraph-export", "version": 1}

Change = Callable[[dict[str, Any]], Any]


def user(**properties: Any) -> dict[str, Any]:
    return {"node": "User", "properties": {"user_id": "u", "created_at": AT, **properties}}


def prompt(**properties: Any) -> dict[str, Any]:
    return {"node": "Prompt", "properties": {"prompt_id": "p", "created_at": AT, **properties}}


def edge(**members: Any) -> dict[str, Any]:
    whole = {
        "relationship": "STARTED_BY",
        "start": ["Session", "s"],
        "end": ["User", "u"],
        "properties": {},
    }
    return {**whole, **members}


def totals(nodes: int = 0, relationships: int = 0, **members: Any) -> dict[str, Any]:
    return {"totals": {"nodes": nodes, "relationships": relationships}, **members}


def jsonl(tmp_path: Path, *lines: Any) -> Path:
    path = tmp_path / "export.jsonl"
    encoded = [line if isinstance(line, bytes) else orjson.dumps(line) for line in lines]
    path.write_bytes(b"".join(line + b"\n" for line in encoded))
    return path


def refused(read: Any, path: Path) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        list(checked(read(path, MODEL), MODEL))
    assert SECRET not in str(caught.value) + repr(caught.value.facts)
    return caught.value


def test_a_file_made_by_hand_needs_no_digest(tmp_path: Path) -> None:
    path = jsonl(tmp_path, HEADER, user(), prompt(text="x"), edge(), totals(2, 1))
    assert len(list(checked(read_jsonl(path, MODEL), MODEL))) == 3


LONG = "x" * 1_000_001
DEEP: Any = []
for _ in range(40):
    DEEP = [DEEP]

RECORDS: list[tuple[Any, str, str]] = [
    ([], "line", "must be an object"),
    ({"some": SECRET}, "line", "neither"),
    ({"node": SECRET, "properties": {}}, "node", "is not a label"),
    ({"node": ["User"], "properties": {}}, "node", "is not a label"),
    ({"node": "JobRun", "properties": {}}, "node", "is not a label"),
    ({"node": "Tenant", "properties": {}}, "node", "is not a label"),
    ({"node": "User"}, "User", "must be an object"),
    ({**user(), "extra": SECRET}, "line", "no members but"),
    ({**user(), "labels": ["Admin"]}, "labels", "must be a list of"),
    ({**user(), "labels": "Placeholder"}, "labels", "must be a list of"),
    ({**user(), "labels": ["Placeholder", "Placeholder"]}, "labels", "must be a list of"),
    ({"node": "User", "properties": {"created_at": AT}}, "User.user_id", "required"),
    ({"node": "User", "properties": {"user_id": "u"}}, "User.created_at", "required"),
    (user(tenant_id="other"), "User.tenant_id", "is not a property"),
    (user(write_id=1), "User.write_id", "is not a property"),
    (user(nothing=SECRET), "User.nothing", "is not a property"),
    (user(user_id=""), "User.user_id", "1 to 512"),
    (user(user_id="x" * 513), "User.user_id", "1 to 512"),
    (user(user_id=1), "User.user_id", "1 to 512"),
    (user(created_at=SECRET), "User.created_at", "time"),
    (user(created_at="2026-01-01T00:00:00"), "User.created_at", "zone"),
    (user(created_at=1_700_000_000), "User.created_at", "time"),
    (user(created_at="0001-01-01T00:00:00+14:00"), "User.created_at", "time"),
    (user(name=None), "User.name", "string"),
    (user(name=5), "User.name", "string"),
    (prompt(text=LONG), "Prompt.text", "at most 1000000"),
    (prompt(text=[SECRET]), "Prompt.text", "string"),
    (prompt(model_id="x" * 9_000), "Prompt.model_id", "indexed"),
    (prompt(purpose=SECRET), "Prompt.purpose", "one of"),
    (prompt(purpose=["chat"]), "Prompt.purpose", "one of"),
    (prompt(token_count=1.0), "Prompt.token_count", "integer"),
    (prompt(token_count=True), "Prompt.token_count", "integer"),
    (prompt(token_count=2**63), "Prompt.token_count", "integer"),
    (prompt(token_count=SECRET), "Prompt.token_count", "integer"),
    (prompt(temperature=SECRET), "Prompt.temperature", "number"),
    (prompt(temperature=True), "Prompt.temperature", "number"),
    (prompt(has_pii=1), "Prompt.has_pii", "true or false"),
    (prompt(tags="a"), "Prompt.tags", "list"),
    (prompt(tags=[1]), "Prompt.tags", "string"),
    (prompt(tags=["x"] * 1_001), "Prompt.tags", "1000"),
    (prompt(embedding=[1.0, SECRET]), "Prompt.embedding", "number"),
    (prompt(embedding=[1.0] * 4_097), "Prompt.embedding", "4096"),
    (prompt(metadata=DEEP), "Prompt.metadata", "nest deeper than 32"),
    (prompt(metadata=["x" * 900_000] * 20), "Prompt.metadata", "must not exceed"),
    (edge(relationship=SECRET), "relationship", "is not a type"),
    (edge(relationship=None), "relationship", "is not a type"),
    (edge(relationship="PART_OF"), "PART_OF", "does not run from Session to User"),
    (edge(start=None), "start", "list of label and key"),
    (edge(start=["Session"]), "start", "must name session_id"),
    (edge(start=["Session", "s", "t"]), "start", "must name session_id"),
    (edge(end=[SECRET, "u"]), "end", "is not a label"),
    (edge(end=["Tenant"]), "end", "is not a label"),
    (edge(end=["User", ""]), "User.user_id", "1 to 512"),
    (edge(properties={"weight": SECRET}), "STARTED_BY.weight", "is not a property"),
    (edge(properties=None), "STARTED_BY", "must be an object"),
]


@pytest.mark.parametrize(("record", "field", "rule"), RECORDS, ids=range(len(RECORDS)))
def test_a_wrong_record_is_named(tmp_path: Path, record: Any, field: str, rule: str) -> None:
    error = refused(read_jsonl, jsonl(tmp_path, HEADER, user(), record, totals(2)))
    assert error.field == f"line 3, {field}"
    assert rule in error.rule


def test_a_property_that_is_not_promoted_here_says_so(tmp_path: Path) -> None:
    session = {"session_id": "s", "created_at": AT, "metadata_trial": "1"}
    node = {"node": "Session", "properties": session}
    error = refused(read_jsonl, jsonl(tmp_path, HEADER, node, totals(1)))
    assert "promoted_metadata" in error.rule


FILES: list[tuple[tuple[Any, ...], str, str]] = [
    ((), "line 1", "not the header"),
    ((user(), totals(1)), "line 1", "not the header"),
    (([],), "line 1", "not the header"),
    (({**HEADER, "version": 2}, totals()), "line 1", "version"),
    ((HEADER,), "end of the file", "cut off"),
    ((HEADER, user()), "end of the file", "cut off"),
    ((HEADER, b'{"node": "User", "prop'), "line 2", "not JSON"),
    ((HEADER, SECRET.encode()), "line 2", "not JSON"),
    ((HEADER, b'{"node": "\xff"}'), "line 2", "not JSON"),
    ((HEADER, b'{"node": "\\ud800"}'), "line 2", "not JSON"),
    ((HEADER, b""), "line 2", "not JSON"),
    ((HEADER, user(), totals(2)), "totals", "not complete"),
    ((HEADER, user(), totals(1, 1)), "totals", "not complete"),
    ((HEADER, user(), {"totals": SECRET}), "totals", "not complete"),
    ((HEADER, user(), totals(1, digest="0" * 64)), "digest", "changed"),
    ((HEADER, totals(), user()), "line 3", "after the totals"),
    ((HEADER, edge(), user(), totals(1, 1)), "line 3, node", "after a relationship"),
]


@pytest.mark.parametrize(("lines", "field", "rule"), FILES, ids=range(len(FILES)))
def test_a_wrong_file_is_named(tmp_path: Path, lines: Any, field: str, rule: str) -> None:
    error = refused(read_jsonl, jsonl(tmp_path, *lines))
    assert error.field == field
    assert rule in error.rule


def test_a_line_without_end_is_refused_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memgraph.graph.export.jsonl.MAX_LINE_BYTES", 1_000)
    error = refused(read_jsonl, jsonl(tmp_path, HEADER, b'{"x": "' + b"x" * 5_000))
    assert error.field == "line 2"


def test_a_cut_or_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    packed = gzip.compress(jsonl(tmp_path, HEADER, *[user()] * 50, totals(50)).read_bytes())
    damaged = packed[:20] + bytes(b ^ 0xFF for b in packed[20:40]) + packed[40:]
    for content in (packed[:-12], packed[: len(packed) // 2], damaged, b"\x1f\x8b"):
        path = tmp_path / "export.jsonl.gz"
        path.write_bytes(content)
        refused(read_jsonl, path)


def graphml(tmp_path: Path, body: str, *, head: str = "", footer: str = "") -> Path:
    keys = (
        ("graph", "format"),
        ("graph", "version"),
        ("graph", "nodes"),
        ("graph", "relationships"),
        ("node", "labels"),
        ("node", "user_id"),
        ("node", "created_at"),
        ("node", "metadata"),
        ("edge", "type"),
    )
    declared = "".join(f'<key id="{k}.{n}" for="{k}" attr.name="{n}"/>' for k, n in keys)
    said = '<data key="graph.format">memgraph-export</data><data key="graph.version">1</data>'
    path = tmp_path / "export.graphml"
    path.write_text(f"{head}<graphml>{declared}<graph>{said}\n{body}{footer or TOTALS}")
    return path


TOTALS = (
    '<data key="graph.nodes">1</data><data key="graph.relationships">0</data></graph></graphml>'
)


def user_xml(data: str = "", labels: str = "User", id_: str = "User:u") -> str:
    return (
        f'<node id="{id_}"><data key="node.labels">{labels}</data>'
        f'<data key="node.user_id">u</data><data key="node.created_at">{AT}</data>{data}</node>'
    )


def test_graphml_by_hand_is_read(tmp_path: Path) -> None:
    assert list(checked(read_graphml(graphml(tmp_path, user_xml()), MODEL), MODEL))


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE graphml SYSTEM "file:///etc/hostname">'
GRAPHML: list[tuple[dict[str, str], str]] = [
    ({"body": user_xml(), "head": BOMB}, "needs none"),
    ({"body": user_xml(), "head": OUTSIDE}, "needs none"),
    ({"body": user_xml("&a;")}, "is not XML"),
    ({"body": user_xml() + "<hyperedge/>"}, "none that stands here"),
    ({"body": f"<node id='x'>{SECRET}</node>"}, "outside of data"),
    ({"body": user_xml(f'<data key="node.{SECRET}">x</data>')}, "not declared"),
    ({"body": user_xml('<data key="edge.type">x</data>')}, "not declared"),
    ({"body": user_xml('<data key="node.user_id">x</data>')}, "twice"),
    ({"body": user_xml(f'<data key="node.metadata">{SECRET}</data>')}, "not the JSON"),
    ({"body": user_xml(labels=SECRET)}, "is not a label"),
    ({"body": user_xml(labels="User:Admin")}, "must be a list of"),
    ({"body": user_xml(id_="User:other")}, "does not agree with the key"),
    ({"body": '<edge source="User:%ff" target="User:u"/>'}, "percent-encoded"),
    ({"body": '<edge source="User:u"/>'}, "is not a type"),
    ({"body": user_xml(), "footer": "</graph></graphml>"}, "has no totals"),
    ({"body": user_xml(), "footer": "<!-- -->"}, "cut off"),
    ({"body": user_xml() + user_xml()}, "not complete"),
    ({"body": "\x01"}, "is not XML"),
]


@pytest.mark.parametrize(("parts", "rule"), GRAPHML, ids=range(len(GRAPHML)))
def test_wrong_graphml_is_named(tmp_path: Path, parts: dict[str, str], rule: str) -> None:
    error = refused(read_graphml, graphml(tmp_path, **parts))
    assert rule in error.rule


def test_graphml_with_keys_without_end_is_refused(tmp_path: Path) -> None:
    keys = "".join(f'<key id="{i}" for="node" attr.name="{i}"/>' for i in range(10_001))
    assert "more than" in refused(read_graphml, graphml(tmp_path, "", head=f"<graphml>{keys}")).rule


def test_graphml_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "export.graphml"
    path.write_text("<graphml><graph><node id='n0'/></graph></graphml>")
    assert "is not of the format" in refused(read_graphml, path).rule


def test_an_element_without_end_is_refused_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memgraph.graph.export.graphml_reader.MAX_LINE_BYTES", 100_000)
    for body in (f"<node id='{'x' * 500_000}'/>", user_xml("x" * 500_000)):
        refused(read_graphml, graphml(tmp_path, body))
    many = "".join(f'<data key="graph.{i}">{"x" * 60_000}</data>' for i in range(4))
    refused(read_graphml, graphml(tmp_path, many))


def parquet(tmp_path: Path, rows: list[dict[str, Any]], **manifest: Any) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "nodes").mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "nodes" / "User.parquet")
    said = {
        **HEADER,
        "totals": {"nodes": len(rows), "relationships": 0},
        "files": {"nodes/User.parquet": len(rows)},
        **manifest,
    }
    (tmp_path / "manifest.json").write_bytes(orjson.dumps(said))
    return tmp_path


def user_row(**columns: Any) -> dict[str, Any]:
    from datetime import UTC, datetime

    return {"user_id": "u", "created_at": datetime(2026, 1, 1, tzinfo=UTC), **columns}


def test_parquet_by_hand_is_read(tmp_path: Path) -> None:
    assert list(checked(read_parquet(parquet(tmp_path, [user_row()]), MODEL), MODEL))


PARQUET: list[tuple[list[dict[str, Any]], dict[str, Any], str, str]] = [
    ([user_row(nothing=SECRET)], {}, "nodes/User.parquet row 1, User.nothing", "not a property"),
    (
        [user_row(), user_row(user_id=None)],
        {},
        "nodes/User.parquet row 2, User.user_id",
        "required",
    ),
    ([user_row(user_id=5)], {}, "nodes/User.parquet row 1, User.user_id", "string"),
    ([user_row(name=b"\xff")], {}, "nodes/User.parquet row 1, User.name", "string"),
    ([user_row(metadata=SECRET)], {}, "nodes/User.parquet row 1, metadata", "not JSON"),
    ([user_row(metadata=5)], {}, "nodes/User.parquet row 1, metadata", "not JSON"),
    ([user_row()], {"totals": {"nodes": 2, "relationships": 0}}, "totals", "not complete"),
    ([user_row()], {"files": {"nodes/User.parquet": 2}}, "nodes/User.parquet", "rows"),
    ([user_row()], {"files": {}}, "source", "that the manifest names"),
    ([user_row()], {"files": {"../secret": 1}}, "source", "not exported"),
    ([user_row()], {"version": 3}, "manifest.json", "version"),
    ([user_row()], {"format": SECRET}, "manifest.json", "is not that"),
    ([user_row()], {"files": []}, "manifest.json", "no files"),
    ([user_row()], {"digest": "0"}, "digest", "changed"),
]


@pytest.mark.parametrize(("rows", "said", "field", "rule"), PARQUET, ids=range(len(PARQUET)))
def test_wrong_parquet_is_named(
    tmp_path: Path, rows: list[dict[str, Any]], said: dict[str, Any], field: str, rule: str
) -> None:
    error = refused(read_parquet, parquet(tmp_path, rows, **said))
    assert error.field == field
    assert rule in error.rule


def test_a_damaged_folder_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, [user_row()])
    table = path / "nodes" / "User.parquet"
    content = table.read_bytes()
    for damaged in (content[:-8], content[: len(content) // 2], b"", SECRET.encode()):
        table.write_bytes(damaged)
        refused(read_parquet, path)
    table.write_bytes(content)
    (path / "nodes" / "Tenant.parquet").write_bytes(content)
    assert "not exported" in refused(read_parquet, path).rule
    (path / "manifest.json").unlink()
    assert "not complete" in refused(read_parquet, path).rule


def test_the_format_is_told_by_the_content(tmp_path: Path) -> None:
    assert detect_format(jsonl(tmp_path, HEADER)) == "jsonl"
    assert detect_format(graphml(tmp_path, "")) == "graphml"
    assert detect_format(tmp_path) == "parquet"
    (tmp_path / "other").write_text(SECRET)
    for path in (tmp_path / "other", tmp_path / "missing"):
        with pytest.raises(InvalidInput):
            detect_format(path)
