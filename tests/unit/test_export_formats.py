"""Every value of every type survives each format: writer, reader, check, same canonical line."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel, NodeSpec, PropertySpec
from memgraph.graph.export import FORMATS, Format
from memgraph.graph.export.checks import CheckedEdge, CheckedNode, checked
from memgraph.graph.export.graphml import GraphmlWriter
from memgraph.graph.export.graphml_reader import read_graphml
from memgraph.graph.export.jsonl import JsonlWriter, read_jsonl
from memgraph.graph.export.multiset import MultisetHash
from memgraph.graph.export.parquet import ParquetWriter, read_parquet
from memgraph.graph.export.records import (
    EdgeRecord,
    NodeRecord,
    Record,
    content_edges,
    content_nodes,
    content_properties,
    key_properties,
    portable,
)

MODEL = GraphModel.of(NODE_CLASSES, {"Session": ("task_id", "odd key & <more>")})
READERS: dict[Format, Any] = {
    "jsonl": read_jsonl,
    "graphml": read_graphml,
    "parquet": read_parquet,
}
AT = datetime(2026, 3, 4, 5, 6, 7, 89_012, tzinfo=UTC)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
nasty_texts = st.sampled_from(
    [
        "",
        '"',
        '"quoted"',
        "'",
        "\\",
        "\n",
        "\r\n",
        "\r",
        "\t x \t",
        "  ",
        "\x00\x01\x1f\x7f",
        "\ufffe\uffff\ufdd0",
        "]]>",
        "<!-- & -->",
        "&amp;&#10;",
        "\u2028\u2029\x85",
        "null",
        "NaN",
        "1",
        "👩‍👩‍👧‍👦 🇨🇭 e\u0301",
        "\U0010ffff",
    ]
)
strings = texts | nasty_texts
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40) | (
    nasty_texts.filter(bool)
)
integers = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=True, allow_infinity=True)
moments = st.datetimes(timezones=st.just(UTC))
json_values = st.recursive(
    st.none() | st.booleans() | integers | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(strings, children, max_size=3)
    ),
    max_leaves=8,
)
json_texts = json_values.map(lambda v: orjson.dumps(v, option=orjson.OPT_SORT_KEYS).decode())

BY_TYPE: dict[str, st.SearchStrategy[Any]] = {
    "string": strings,
    "integer": integers,
    "float": floats,
    "boolean": st.booleans(),
    "datetime": moments,
    "json": json_texts,
    "strings": st.lists(strings, max_size=4),
    "floats": st.lists(floats, max_size=4),
}
EXAMPLES: dict[str, tuple[Any, ...]] = {
    "string": ("", "\x01 \r\n \ufffe", '"', "é🙂"),
    "integer": (-(2**63), 2**63 - 1, 0),
    "float": (0.0, -0.0, 0.1, 1e300, 5e-324, float("inf"), float("-inf"), float("nan")),
    "boolean": (True, False),
    "datetime": (AT, datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)),
    "json": ('{"b":1,"a":[]}', "null", '"\\u0001"', "[]", "9223372036854775807"),
    "strings": ([], [""], ["\x00", "\r", '"']),
    "floats": ([], [0.5, -0.0], [float("nan")]),
}

every_format = pytest.mark.parametrize("format_", FORMATS)


def value_of(declared: PropertySpec, *, is_key: bool) -> st.SearchStrategy[Any]:
    if declared.enum is not None:
        return st.sampled_from([str(member.value) for member in declared.enum])
    if declared.type == "string" and is_key:
        return keys
    return BY_TYPE[declared.type]


@st.composite
def node_records(draw: st.DrawFn) -> NodeRecord:
    spec = draw(st.sampled_from(content_nodes(MODEL)))
    extra = draw(st.sampled_from([(), (), ("Placeholder",), ("Tombstone",)]))
    required = {*spec.key, "created_at"}
    typed = {
        p.name: draw(value_of(p, is_key=p.name in spec.key))
        for p in content_properties(spec)
        if p.name in required or draw(st.booleans())
    }
    return NodeRecord(spec.label, extra, portable(content_properties(spec), typed))


@st.composite
def edge_records(draw: st.DrawFn) -> EdgeRecord:
    spec = draw(st.sampled_from(content_edges(MODEL)))
    start, end = (_ref(draw, MODEL.nodes[label]) for label in (spec.start, spec.end))
    typed = {
        p.name: draw(value_of(p, is_key=False))
        for p in content_properties(spec)
        if draw(st.booleans())
    }
    return EdgeRecord(spec.type, start, end, portable(content_properties(spec), typed))


def _ref(draw: st.DrawFn, spec: NodeSpec) -> tuple[Any, ...]:
    declared = key_properties(spec)
    typed = {p.name: draw(value_of(p, is_key=True)) for p in declared}
    return (spec.label, *portable(declared, typed).values())


def write(
    folder: Path, format_: Format, records: Iterable[Record], *, packed: bool = False
) -> Path:
    """Write records as an export does, class by class, relationships first."""
    path = folder / "export"
    content = MultisetHash(MODEL)
    if format_ == "parquet":
        writer: Any = ParquetWriter(path, MODEL, "t")
    else:
        kind = JsonlWriter if format_ == "jsonl" else GraphmlWriter
        writer = kind(path, MODEL, "t", compressed=packed)
    with closing(writer):
        for record in sorted(records, key=_class):
            line = record.line()
            content.add(record, line)
            writer.add(record, line)
        writer.finish(content.digest())
    return path


def _class(record: Record) -> tuple[bool, Any]:
    if isinstance(record, NodeRecord):
        return (True, (record.label,))
    return (False, record.ends)


def read(path: Path, format_: Format) -> list[CheckedNode | CheckedEdge]:
    return list(checked(READERS[format_](path, MODEL), MODEL))


def lines(records: Iterable[Record]) -> list[bytes]:
    return sorted(record.line() for record in records)


@every_format
@settings(max_examples=60, deadline=None)
@given(records=st.lists(node_records() | edge_records(), max_size=6), packed=st.booleans())
def test_any_record_survives(format_: Format, records: list[Record], packed: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder), format_, records, packed=packed)
        found = read(path, format_)
    assert lines(item.record for item in found) == lines(records)


@every_format
@pytest.mark.parametrize("type_", EXAMPLES)
def test_hard_values_of_each_type_survive(tmp_path: Path, format_: Format, type_: str) -> None:
    spec, declared = next(
        (spec, p)
        for spec in content_nodes(MODEL)
        for p in content_properties(spec)
        if p.type == type_ and p.enum is None and not p.index and p.name != "created_at"
        if p.name not in spec.key
    )
    records = [
        NodeRecord(
            spec.label,
            (),
            portable(
                content_properties(spec),
                {"created_at": AT, **dict.fromkeys(spec.key, f"k{i}"), declared.name: value},
            ),
        )
        for i, value in enumerate(EXAMPLES[type_])
    ]
    found = read(write(tmp_path, format_, records), format_)
    assert lines(item.record for item in found) == lines(records)
    for item, record in zip(found, records, strict=True):
        assert isinstance(item, CheckedNode)
        assert repr(item.record.properties.keys()) == repr(record.properties.keys())


@every_format
def test_nothing_is_a_whole_export(tmp_path: Path, format_: Format) -> None:
    assert read(write(tmp_path, format_, []), format_) == []


@every_format
def test_rows_hold_what_statements_expect(tmp_path: Path, format_: Format) -> None:
    spec = MODEL.nodes["Prompt"]
    typed: dict[str, Any] = {
        "prompt_id": "p",
        "created_at": AT,
        "text": "a\r\n\x01",
        "token_count": 2**60 + 1,
        "temperature": 1.0,
        "has_pii": True,
        "tags": [],
        "metadata": '{"a":1,"b":[1.5,null]}',
        "embedding": [0.25, -0.0],
        "fact_hash": -(2**63),
    }
    record = NodeRecord("Prompt", (), portable(content_properties(spec), typed))
    (item,) = read(write(tmp_path, format_, [record]), format_)
    typed["created_at"] = "2026-03-04T05:06:07.089012Z"
    assert item.row == typed
    assert {n: type(v) for n, v in item.row.items()} == {n: type(v) for n, v in typed.items()}


def test_the_header_names_the_tenant_and_the_last_line_the_totals(tmp_path: Path) -> None:
    path = write(tmp_path, "jsonl", [])
    header, footer = (json.loads(line) for line in path.read_bytes().splitlines())
    assert (header["format"], header["version"], header["tenant"]) == ("memgraph-export", 1, "t")
    assert footer["totals"] == {"nodes": 0, "relationships": 0}
    assert len(footer["digest"]) == 64


def test_graphml_is_well_formed_and_declares_every_key(tmp_path: Path) -> None:
    user = NodeRecord("User", (), {"created_at": "2026-01-01T00:00:00.000000Z", "user_id": "a:b/c"})
    root = ElementTree.parse(write(tmp_path, "graphml", [user])).getroot()
    space = {"g": "http://graphml.graphdrawing.org/xmlns"}
    declared = {key.get("id") for key in root.findall("g:key", space)}
    assert {data.get("key") for data in root.iterfind(".//g:data", space)} <= declared
    (node,) = root.iterfind(".//g:node", space)
    assert node.get("id") == "User:a%3Ab%2Fc"
    types = {key.get("attr.type") for key in root.findall("g:key", space)}
    assert types == {"string", "long", "double", "boolean"}


def test_parquet_has_typed_columns(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    user = NodeRecord("User", (), {"created_at": "2026-01-01T00:00:00.000000Z", "user_id": "u"})
    path = write(tmp_path, "parquet", [user])
    table = pq.read_table(path / "nodes" / "User.parquet")
    assert str(table.schema.field("created_at").type) == "timestamp[us, tz=UTC]"
    assert table.column("user_id").to_pylist() == ["u"]
    assert [p.name for p in (path / "nodes").iterdir()] == ["User.parquet"]


def test_row_groups_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.parquet as pq

    monkeypatch.setattr("memgraph.graph.export.parquet.ROW_GROUP_ROWS", 2)
    at = "2026-01-01T00:00:00.000000Z"
    users = [NodeRecord("User", (), {"created_at": at, "user_id": f"u{i}"}) for i in range(5)]
    path = write(tmp_path, "parquet", users)
    assert pq.ParquetFile(path / "nodes" / "User.parquet").num_row_groups == 3
    assert len(read(path, "parquet")) == 5


def test_parquet_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    acts: list[Callable[[], Any]] = [
        lambda: write(tmp_path, "parquet", []),
        lambda: read(tmp_path, "parquet"),
    ]
    for act in acts:
        with pytest.raises(Exception, match=r"pip install \"llm-memory-graph\[parquet\]\""):
            act()
