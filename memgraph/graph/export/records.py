"""Records: the one form of nodes and relationships that digest, export and import share.

A record holds portable values: what JSON can say, plus the type that the
descriptor of the property knows. No tenant, no ``write_id``, no ``recorded_at``:
the same content under another tenant, written in other batches or at another
time, is the same record.

========== =================================================================
type       portable value
========== =================================================================
datetime   string, ISO 8601, UTC, microseconds, ``Z``
json       the value itself; the graph keeps it as text with sorted keys
float      number; ``"NaN"``, ``"Infinity"``, ``"-Infinity"`` where JSON has none
the others as they are
========== =================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from memgraph.domain.schema import (
    PLACEHOLDER,
    RECORDED_AT,
    TOMBSTONE,
    EdgeSpec,
    GraphModel,
    NodeSpec,
    PropertySpec,
)
from memgraph.ids import iso

EXTRA_LABELS = (PLACEHOLDER, TOMBSTONE)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_LEFT_OUT = frozenset({"tenant_id", "write_id", RECORDED_AT})


@dataclass(frozen=True, slots=True)
class NodeRecord:
    """A node: its class, its extra labels, its properties by name, sorted."""

    label: str
    extra: tuple[str, ...]
    properties: dict[str, Any]

    def line(self) -> bytes:
        """The canonical bytes: a line of JSON without its end."""
        if self.extra:
            head = {"node": self.label, "labels": self.extra}
            return orjson.dumps({**head, "properties": self.properties})
        return orjson.dumps({"node": self.label, "properties": self.properties})


@dataclass(frozen=True, slots=True)
class EdgeRecord:
    """A relationship: its type, label and key of its ends, its properties by name, sorted."""

    type: str
    start: tuple[Any, ...]
    end: tuple[Any, ...]
    properties: dict[str, Any]

    @property
    def ends(self) -> tuple[str, str, str]:
        return (self.start[0], self.type, self.end[0])

    def line(self) -> bytes:
        """The canonical bytes: a line of JSON without its end."""
        return orjson.dumps(
            {
                "relationship": self.type,
                "start": self.start,
                "end": self.end,
                "properties": self.properties,
            }
        )


Record = NodeRecord | EdgeRecord


def content_nodes(model: GraphModel) -> list[NodeSpec]:
    """Classes whose nodes are content, in the order of the model."""
    return [spec for spec in model.nodes.values() if spec.is_content]


def content_edges(model: GraphModel) -> list[EdgeSpec]:
    """Relationships whose both ends are content, sorted by (start, type, end)."""
    content = {spec.label for spec in content_nodes(model)}
    return [e for ends, e in sorted(model.edges.items()) if {ends[0], ends[2]} <= content]


def content_properties(spec: NodeSpec | EdgeSpec) -> tuple[PropertySpec, ...]:
    """The properties that a record holds, sorted by name."""
    kept = (p for p in spec.properties if p.name not in _LEFT_OUT)
    return tuple(sorted(kept, key=lambda p: p.name))


def key_properties(spec: NodeSpec) -> tuple[PropertySpec, ...]:
    """The properties of the key, without the tenant."""
    return tuple(spec.by_name[name] for name in spec.key)


def portable(declared: Iterable[PropertySpec], typed: Mapping[str, Any]) -> dict[str, Any]:
    """Portable values of typed ones, in the order of ``declared``."""
    values: dict[str, Any] = {}
    for one in declared:
        value = typed.get(one.name)
        if value is not None:
            convert = TO_PORTABLE.get(one.type)
            values[one.name] = convert(value) if convert else value
    return values


def sendable(typed: Mapping[str, Any]) -> dict[str, Any]:
    """A row for the server. Times go as text: the driver takes 50 µs to send one as such."""
    return {n: iso(v) if isinstance(v, datetime) else v for n, v in typed.items()}


def canonical_json(text: str) -> orjson.Fragment:
    """JSON text of a property with its keys sorted, ready to be embedded.

    Text that is no JSON, which the writer never makes, stands for itself.
    """
    try:
        canonical = orjson.dumps(orjson.loads(text), option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        canonical = orjson.dumps(text)
    return orjson.Fragment(canonical)


def portable_float(value: float) -> float | str:
    """A number, or the name of one that JSON does not have."""
    value = float(value)
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def _portable_floats(values: list[float]) -> list[Any]:
    numbers = list(map(float, values))
    return numbers if all(map(math.isfinite, numbers)) else list(map(portable_float, numbers))


TO_PORTABLE: dict[str, Callable[[Any], Any]] = {
    "datetime": iso,
    "json": canonical_json,
    "float": portable_float,
    "floats": _portable_floats,
}
"""From a typed value, per property type; types that are not here stay as they are."""
