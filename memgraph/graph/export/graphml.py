r"""GraphML for igraph, Gephi, yEd, networkx; ``.gz`` by name. Import undoes it exactly.

Ids are label and key, percent-encoded, joined by colons: ``Prompt:p-1``. Node
data ``labels`` holds all labels, edge data ``type`` the type. Numbers and
booleans are written as such; lists and JSON properties as JSON.

XML cannot hold most control characters. A string with one of them, or that
begins with a quotation mark, is written as a JSON string literal
(``"\u0001…"``); so text that begins with a quotation mark is a literal, always.

The reader is `graphml_reader`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from memgraph.domain.schema import GraphModel, PropertySpec
from memgraph.graph.export.files import FORMAT, VERSION, Output
from memgraph.graph.export.multiset import Digest
from memgraph.graph.export.records import (
    NodeRecord,
    Record,
    content_edges,
    content_nodes,
    content_properties,
)
from memgraph.ids import iso, now

_HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
"""
GRAPH_TYPES = {
    "format": "string",
    "version": "long",
    "tenant": "string",
    "exported_at": "string",
    "nodes": "long",
    "relationships": "long",
    "digest": "string",
}
"""Data of the graph; the last three stand at its end."""

AT_END = ("nodes", "relationships", "digest")

_ATTRIBUTE_TYPES = {"integer": "long", "float": "double", "boolean": "boolean"}
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_ESCAPED = str.maketrans(_ESCAPES)
_IN_DATA = str.maketrans({c: e for c, e in _ESCAPES.items() if c != '"'})


class GraphmlWriter:
    """Write records; relationships may come before nodes, they stand behind them."""

    def __init__(self, path: Path, model: GraphModel, tenant_id: str, *, compressed: bool) -> None:
        self._keys = {spec.label: spec.key for spec in content_nodes(model)}
        self._output = Output(path, compressed=compressed)
        said = {"format": FORMAT, "version": VERSION, "tenant": tenant_id}
        graph = f'<graph id="{FORMAT}" edgedefault="directed">\n'
        data = _data("graph", {**said, "exported_at": iso(now())})
        self._output.write("".join((_HEAD, *_key_elements(model), graph, data, "\n")).encode())

    def add(self, record: Record, line: bytes) -> None:
        if isinstance(record, NodeRecord):
            key = (record.properties[name] for name in self._keys[record.label])
            labels = ":".join((record.label, *record.extra))
            data = _data("node", {"labels": labels, **record.properties})
            self._output.write(f'<node id="{node_id(record.label, *key)}">{data}</node>\n'.encode())
        else:
            ends = f'source="{node_id(*record.start)}" target="{node_id(*record.end)}"'
            data = _data("edge", {"type": record.type, **record.properties})
            self._output.spool(f"<edge {ends}>{data}</edge>\n".encode())

    def finish(self, digest: Digest) -> None:
        self._output.append_spool()
        totals = (sum(digest.nodes.values()), sum(digest.relationships.values()), digest.value)
        data = _data("graph", dict(zip(AT_END, totals, strict=True)))
        self._output.write(f"{data}\n</graph>\n</graphml>\n".encode())
        self._output.sync()

    def close(self) -> None:
        self._output.close()


def _key_elements(model: GraphModel) -> Iterator[str]:
    nodes = (content_properties(spec) for spec in content_nodes(model))
    edges = (content_properties(spec) for spec in content_edges(model))
    for kind, types in (
        ("graph", GRAPH_TYPES),
        ("node", {"labels": "string", **_attribute_types(nodes)}),
        ("edge", {"type": "string", **_attribute_types(edges)}),
    ):
        for name, type_ in types.items():
            key, shown_name = _key_id(kind, name), name.translate(_ESCAPED)
            yield f'<key id="{key}" for="{kind}" attr.name="{shown_name}" attr.type="{type_}"/>\n'


def _attribute_types(classes: Iterable[tuple[PropertySpec, ...]]) -> dict[str, str]:
    """One type per name, as readers want it: the one that holds what any class has there."""
    types: dict[str, str] = {}
    for declared in (p for properties in classes for p in properties):
        type_ = _ATTRIBUTE_TYPES.get(declared.type, "string")
        known = types.setdefault(declared.name, type_)
        if known != type_:
            types[declared.name] = "double" if {known, type_} == {"long", "double"} else "string"
    return types


def _key_id(kind: str, name: str) -> str:
    return f"{kind}.{quote(name, safe='')}"


def node_id(label: str, *key: str) -> str:
    """The id of a node: label and key, percent-encoded, joined by colons."""
    return ":".join((label, *(quote(part, safe="") for part in key)))


def _data(kind: str, values: Mapping[str, Any]) -> str:
    return "".join(
        f'<data key="{_key_id(kind, name)}">{_text(value).translate(_IN_DATA)}</data>'
        for name, value in values.items()
    )


def _text(value: Any) -> str:
    if isinstance(value, str) and not value.startswith('"') and not _FORBIDDEN.search(value):
        return value
    return _FORBIDDEN.sub(_escape, orjson.dumps(value).decode())


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"
