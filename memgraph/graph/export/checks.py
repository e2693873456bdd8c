"""Check what comes from a file, strictly: nothing is stored that no writer could have written.

A `Flaw` names a field and the rule it breaks. It never quotes the file, except
names of fields, shortened. `checked` adds the position in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from memgraph.domain.errors import InvalidInput, shown
from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec
from memgraph.graph.export.multiset import MultisetHash
from memgraph.graph.export.records import (
    EXTRA_LABELS,
    EdgeRecord,
    NodeRecord,
    content_edges,
    content_nodes,
    content_properties,
    key_properties,
    portable,
    sendable,
)
from memgraph.graph.export.typed import check_of


class Flaw(Exception):
    """A field of a record breaks a rule. Becomes InvalidInput once its position is known."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}")
        self.field = field
        self.rule = rule

    def at(self, position: str) -> InvalidInput:
        """The error that the caller sees."""
        return InvalidInput(f"{position}, {self.field}", self.rule, position=position)


@dataclass(frozen=True, slots=True)
class RawNode:
    """A node as a file has it; nothing of it is checked."""

    position: str
    label: Any
    extra: Any
    properties: Any


@dataclass(frozen=True, slots=True)
class RawEdge:
    """A relationship as a file has it; nothing of it is checked."""

    position: str
    type: Any
    start: Any
    end: Any
    properties: Any


@dataclass(frozen=True, slots=True)
class Footer:
    """What a file says at its end about itself. A digest is optional, for files made by hand."""

    nodes: Any
    relationships: Any
    digest: Any = None


Raw = RawNode | RawEdge | Footer


@dataclass(frozen=True, slots=True)
class CheckedNode:
    """A node ready to be written."""

    position: str
    spec: NodeSpec
    record: NodeRecord
    key: tuple[Any, ...]
    row: dict[str, Any]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class CheckedEdge:
    """A relationship ready to be written."""

    position: str
    spec: EdgeSpec
    record: EdgeRecord
    start_key: tuple[Any, ...]
    end_key: tuple[Any, ...]
    row: dict[str, Any]
    size_bytes: int


Checked = CheckedNode | CheckedEdge


def checked(raws: Iterable[Raw], model: GraphModel) -> Iterator[Checked]:
    """Yield every record of a file, checked; at the end compare totals and digest.

    Raises InvalidInput with position and field. Nodes come before relationships.
    """
    checker = Checker(model)
    content = MultisetHash(model)
    footer: Footer | None = None
    for raw in raws:
        if isinstance(raw, Footer):
            footer = raw
            continue
        if isinstance(raw, RawNode) and content.relationships:
            raise Flaw("node", "comes after a relationship").at(raw.position)
        try:
            found, line = checker.check(raw)
        except Flaw as flaw:
            raise flaw.at(raw.position) from None
        content.add(found.record, line)
        yield found
    _compare(footer, content)


def _compare(footer: Footer | None, content: MultisetHash) -> None:
    if footer is None:
        raise InvalidInput("end of the file", "is missing: the file was cut off")
    said, found = (footer.nodes, footer.relationships), (content.nodes, content.relationships)
    if said != found:
        raise InvalidInput("totals", "do not agree with the records: the file is not complete")
    if footer.digest is not None and footer.digest != content.digest().value:
        raise InvalidInput("digest", "does not agree with the records: the file was changed")


class Checker:
    """Check records against the descriptors."""

    def __init__(self, model: GraphModel) -> None:
        self._nodes = {s.label: (s, _Properties(s, s.label)) for s in content_nodes(model)}
        self._edges = {s.ends: (s, _Properties(s, s.type)) for s in content_edges(model)}
        self._types = {ends[1] for ends in self._edges}

    def check(self, raw: RawNode | RawEdge) -> tuple[Checked, bytes]:
        """Return the record with its canonical line. Raises Flaw."""
        return self._node(raw) if isinstance(raw, RawNode) else self._edge(raw)

    def _node(self, raw: RawNode) -> tuple[CheckedNode, bytes]:
        if not isinstance(raw.label, str) or raw.label not in self._nodes:
            raise Flaw("node", "is not a label whose nodes are exported")
        spec, properties = self._nodes[raw.label]
        extra = _extra_labels(raw.extra)
        row = properties.typed(raw.properties, is_complete=not extra)
        key = tuple(row.get(name) for name in spec.key)
        if None in key:
            raise Flaw(f"{spec.label}.{spec.key[key.index(None)]}", "is required: it is the key")
        record = NodeRecord(spec.label, extra, portable(properties.declared, row))
        line = record.line()
        row = sendable(row)
        return CheckedNode(raw.position, spec, record, key, row, len(line)), line

    def _edge(self, raw: RawEdge) -> tuple[CheckedEdge, bytes]:
        if not isinstance(raw.type, str) or raw.type not in self._types:
            raise Flaw("relationship", "is not a type that is exported")
        start, start_key = self._end(raw.start, "start")
        end, end_key = self._end(raw.end, "end")
        if (start.label, raw.type, end.label) not in self._edges:
            raise Flaw(raw.type, f"does not run from {start.label} to {end.label}")
        spec, properties = self._edges[start.label, raw.type, end.label]
        row = properties.typed(raw.properties, is_complete=True)
        record = EdgeRecord(
            spec.type,
            (start.label, *portable(key_properties(start), start_key).values()),
            (end.label, *portable(key_properties(end), end_key).values()),
            portable(properties.declared, row),
        )
        line = record.line()
        row |= {f"start_{name}": value for name, value in start_key.items()}
        row |= {f"end_{name}": value for name, value in end_key.items()}
        row = sendable(row)
        keys = (tuple(start_key.values()), tuple(end_key.values()))
        return CheckedEdge(raw.position, spec, record, *keys, row, len(line)), line

    def _end(self, raw: Any, side: str) -> tuple[NodeSpec, dict[str, Any]]:
        if not isinstance(raw, list) or not raw or not isinstance(raw[0], str):
            raise Flaw(side, "must be a list of label and key")
        if raw[0] not in self._nodes:
            raise Flaw(side, "is not a label whose nodes are exported")
        spec, properties = self._nodes[raw[0]]
        if len(raw) != 1 + len(spec.key):
            raise Flaw(side, f"must name {', '.join(spec.key)} of {spec.label}")
        return spec, properties.key(dict(zip(spec.key, raw[1:], strict=True)))


def _extra_labels(raw: Any) -> tuple[str, ...]:
    extra = tuple(label for label in EXTRA_LABELS if isinstance(raw, list) and label in raw)
    if not isinstance(raw, list) or len(raw) != len(extra):
        raise Flaw("labels", f"must be a list of {' or '.join(EXTRA_LABELS)}")
    return extra


class _Properties:
    """The properties of one class, with a check for each."""

    def __init__(self, spec: NodeSpec | EdgeSpec, owner: str) -> None:
        self.declared = content_properties(spec)
        self._owner = owner
        keys = spec.key if isinstance(spec, NodeSpec) else ()
        self._checks = {p.name: check_of(p, is_key=p.name in keys) for p in self.declared}
        self._required = [p.name for p in self.declared if p.required]

    def typed(self, raw: Any, *, is_complete: bool) -> dict[str, Any]:
        """Values as the server takes them. ``is_complete``: what is required must be there."""
        if not isinstance(raw, Mapping):
            raise Flaw(self._owner, "properties must be an object")
        row = {name: self._one(name, value) for name, value in raw.items()}
        missing = [name for name in self._required if name not in row] if is_complete else ()
        if missing:
            raise Flaw(f"{self._owner}.{missing[0]}", "is required")
        return row

    def key(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._one(name, value) for name, value in raw.items()}

    def _one(self, name: str, value: Any) -> Any:
        check = self._checks.get(name)
        if check is None:
            raise Flaw(f"{self._owner}.{shown(name)}", _unknown(name))
        try:
            return check(value)
        except ValueError as error:
            raise Flaw(f"{self._owner}.{name}", str(error)) from None


def _unknown(name: str) -> str:
    if name.startswith("metadata_"):
        return "is not promoted here; the setting promoted_metadata must name what the file has"
    return "is not a property of the class"
