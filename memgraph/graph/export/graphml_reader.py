"""Read GraphML: a parser of the elements that `graphml` writes, one record at a time.

It keeps no tree, and it refuses document types, so no entity is ever expanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.parsers import expat

import orjson

from memgraph.domain.errors import InvalidInput
from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec, PropertySpec
from memgraph.graph.export.checks import Flaw, Footer, Raw, RawEdge, RawNode
from memgraph.graph.export.files import FORMAT, VERSION, opened
from memgraph.graph.export.graphml import AT_END, GRAPH_TYPES, node_id
from memgraph.graph.export.jsonl import MAX_LINE_BYTES

_CHUNK_BYTES = 1 << 16
_MAX_KEYS = 10_000
_PARENTS = {
    "graphml": ("",),
    "key": ("graphml",),
    "graph": ("graphml",),
    "node": ("graph",),
    "edge": ("graph",),
    "data": ("graph", "node", "edge"),
}


def read_graphml(source: Path, model: GraphModel) -> Iterator[Raw]:
    """Yield what a file says. Raises InvalidInput for what is no such file."""
    parser = _Parser(model)
    with opened(source) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield from parser.feed(chunk)
        yield from parser.feed(b"", is_last=True)


class _Parser:
    """A parser of the elements that the writer makes; it keeps one record at a time."""

    def __init__(self, model: GraphModel) -> None:
        self._model = model
        self._found: list[Raw] = []
        self._keys: dict[str, tuple[str, str]] = {}
        self._path: list[str] = []
        self._graph: dict[str, str] = {}
        self._data: dict[str, str] = {}
        self._name = ""
        self._text: list[str] = []
        self._size = self._fed = 0
        self._attributes: dict[str, str] = {}
        self._position = ""
        self._expat = expat.ParserCreate()
        self._expat.buffer_text = True
        self._expat.StartDoctypeDeclHandler = self._start_doctype
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._characters

    def feed(self, chunk: bytes, *, is_last: bool = False) -> list[Raw]:
        """Parse a piece of the file and return the records that it ended."""
        self._fed += len(chunk)
        try:
            self._expat.Parse(chunk, is_last)
        except Flaw as flaw:
            raise flaw.at(self._here()) from None
        except expat.ExpatError:
            raise InvalidInput(self._here(), "is not XML, or was cut off") from None
        if self._fed - self._expat.CurrentByteIndex > MAX_LINE_BYTES:
            raise InvalidInput(self._here(), f"an element must not exceed {MAX_LINE_BYTES} bytes")
        found, self._found = self._found, []
        return found

    def _here(self) -> str:
        return f"line {self._expat.CurrentLineNumber}"

    def _start_doctype(self, *_: Any) -> None:
        raise Flaw("document type", "is not allowed: GraphML needs none")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        parent = self._path[-1] if self._path else ""
        if parent not in _PARENTS.get(name, ()):
            raise Flaw("element", "is none that stands here")
        self._path.append(name)
        if name == "key":
            self._declare(attributes)
        elif name == "data":
            self._name = self._data_name(parent, attributes)
            self._text = []
        elif name in ("node", "edge"):
            self._check_format()
            self._attributes, self._data, self._size = attributes, {}, 0
            self._position = self._here()

    def _end(self, name: str) -> None:
        self._path.pop()
        if name == "data":
            kept = self._graph if self._path[-1] == "graph" else self._data
            if self._name in kept:
                raise Flaw("data", "has a key twice")
            kept[self._name] = "".join(self._text)
        elif name == "node":
            self._found.append(self._node())
        elif name == "edge":
            self._found.append(self._edge())
        elif name == "graph":
            self._check_format()
            self._found.append(_footer(self._graph))

    def _characters(self, text: str) -> None:
        if self._path and self._path[-1] == "data":
            self._text.append(text)
            self._size += len(text)
            if self._size > MAX_LINE_BYTES:
                raise Flaw("data", f"must not exceed {MAX_LINE_BYTES} characters")
        elif not text.isspace():
            raise Flaw("text", "stands outside of data")

    def _declare(self, attributes: dict[str, str]) -> None:
        if len(self._keys) >= _MAX_KEYS:
            raise Flaw("key", f"is one of more than {_MAX_KEYS}")
        id_, kind, name = (attributes.get(n, "") for n in ("id", "for", "attr.name"))
        self._keys[id_] = (kind, name)

    def _data_name(self, parent: str, attributes: dict[str, str]) -> str:
        kind, name = self._keys.get(attributes.get("key", ""), ("", ""))
        if kind != parent or (kind == "graph" and name not in GRAPH_TYPES):
            raise Flaw("data", f"has a key that is not declared for a {parent}")
        return name

    def _check_format(self) -> None:
        if (self._graph.get("format"), self._graph.get("version")) != (FORMAT, str(VERSION)):
            raise Flaw("graph", f"is not of the format {FORMAT}, version {VERSION}")

    def _node(self) -> RawNode:
        label, *extra = self._data.pop("labels", "").split(":")
        spec = self._model.nodes.get(label)
        properties = _typed(spec, self._data) if spec else {}
        if spec and self._attributes.get("id") != _id_of(spec, properties):
            raise Flaw("node.id", "does not agree with the key")
        return RawNode(self._position, label, extra, properties)

    def _edge(self) -> RawEdge:
        type_ = self._data.pop("type", "")
        start, end = (_ref(self._attributes, name) for name in ("source", "target"))
        spec = self._model.edges.get((start[0], type_, end[0]))
        properties = _typed(spec, self._data) if spec else {}
        return RawEdge(self._position, type_, start, end, properties)


def _footer(graph: dict[str, str]) -> Footer:
    if "nodes" not in graph:
        raise Flaw("graph", "has no totals")
    nodes, relationships = (_loaded(graph.get(name, "")) for name in AT_END[:2])
    return Footer(nodes, relationships, graph.get("digest"))


def _ref(attributes: dict[str, str], name: str) -> list[str]:
    label, *key = attributes.get(name, "").split(":")
    try:
        return [label, *(unquote(part, errors="strict") for part in key)]
    except UnicodeDecodeError:
        raise Flaw(f"edge.{name}", "is not percent-encoded UTF-8") from None


def _id_of(spec: NodeSpec, properties: dict[str, Any]) -> str | None:
    key = [properties.get(name) for name in spec.key]
    return node_id(spec.label, *map(str, key)) if None not in key else None


def _typed(spec: NodeSpec | EdgeSpec, texts: dict[str, str]) -> dict[str, Any]:
    """Portable values of texts. What the class does not have stays for the check to refuse."""
    return {name: _value(spec.by_name.get(name), text) for name, text in texts.items()}


def _value(declared: PropertySpec | None, text: str) -> Any:
    is_text = declared is None or declared.type in ("string", "datetime")
    if is_text and not text.startswith('"'):
        return text
    loaded = _loaded(text)
    if loaded is _NO_JSON and declared is not None and declared.type == "float":
        return text
    if loaded is _NO_JSON or (is_text and not isinstance(loaded, str)):
        raise Flaw(declared.name if declared else "data", "is not the JSON that stands there")
    return loaded


_NO_JSON = object()


def _loaded(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _NO_JSON
