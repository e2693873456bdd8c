"""Statements and rows derived from the descriptors. Values are parameters; names are the classes'.

A statement lists the properties it sets one by one: an explicit list plans as
``MergeUniqueNode`` without the Eager that a map needs. It names only the
columns that this process has seen, so a sparse class costs what it carries and
the server plans each statement a few times, not once per batch.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from math import isfinite
from typing import Any

import orjson

from memgraph.domain.mutations import Key
from memgraph.domain.schema import (
    PLACEHOLDER,
    RECORDED_AT,
    TOMBSTONE,
    EdgeSpec,
    NodeSpec,
    PropertySpec,
)
from memgraph.domain.values import MAX_INTEGER, MAX_KEY_CHARS, Lifecycle
from memgraph.graph.assignments import assigned, sent
from memgraph.ids import iso

ROW_INDEX = "i"
"""Column that carries a row's position, so that an answer can name it."""

_JSON = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def _json(value: Any) -> str:
    return orjson.dumps(value, option=_JSON).decode()


def _integer(value: Any) -> int:
    if type(value) is not int or not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
        raise TypeError(f"integer expected, at most 64 bits, got {type(value).__name__}")
    return value


def _float(value: Any) -> float:
    if type(value) not in (int, float) or not isfinite(value):
        raise TypeError(f"finite number expected, got {type(value).__name__}")
    return float(value)


def _strings(value: Any) -> list[str]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"list of strings expected, got {type(value).__name__}")
    return [_text(v) for v in value]


def _floats(value: Any) -> list[float]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"list of numbers expected, got {type(value).__name__}")
    return [_float(v) for v in value]


def _boolean(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError(f"boolean expected, got {type(value).__name__}")
    return value


def _datetime(value: Any) -> str:
    if value.tzinfo is None:
        raise TypeError("datetime without time zone")
    return iso(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"string expected, got {type(value).__name__}")
    return str(value)  # an enumeration becomes its value


def _promoted_text(value: Any) -> str | None:
    """What a promoted property holds; a longer value stays in the metadata alone."""
    text = value if isinstance(value, str) else _json(value)
    return text if len(text) <= MAX_KEY_CHARS else None


_ENCODERS: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "datetime": _datetime,
    "json": _json,
    "strings": _strings,
    "floats": _floats,
}
_DECODERS: dict[str, Callable[[str], Any]] = {
    "json": orjson.loads,
    "datetime": datetime.fromisoformat,
}


class RowMapper:
    """Turn a node's properties into a row, by the descriptors of its class.

    Times go as text: the driver takes 50 µs to send one as such.
    """

    def __init__(self, spec: NodeSpec | EdgeSpec) -> None:
        self._encoders = {p.name: _ENCODERS[p.type] for p in spec.properties}
        self._promoted: tuple[PropertySpec, ...] = getattr(spec, "promoted", ())
        self._name = getattr(spec, "label", None) or getattr(spec, "type", "")

    def __call__(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Encode what is set. Raises TypeError for an unknown property or a wrong type."""
        encoders = self._encoders
        row: dict[str, Any] = {}
        for name, value in properties.items():
            if value is None:
                continue
            try:
                row[name] = encoders[name](value)
            except KeyError:
                raise TypeError(f"{self._name} has no property {name}") from None
            except (TypeError, ValueError, AttributeError) as error:
                raise TypeError(f"{self._name}.{name}: {error}") from None
        if self._promoted:
            row.update(self.promoted(properties.get("metadata")))
        return row

    def promoted(self, metadata: Any) -> dict[str, str]:
        """The columns that settings promote from ``metadata``."""
        if not isinstance(metadata, Mapping):
            return {}
        found = {p.name: metadata.get(p.metadata_key or "") for p in self._promoted}
        texts = {name: _promoted_text(v) for name, v in found.items() if v is not None}
        return {name: text for name, text in texts.items() if text is not None}


def decode(spec: NodeSpec | EdgeSpec, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Inverse of the mapper, for a row and for what the server keeps of it."""
    by_name = spec.by_name
    decoded: dict[str, Any] = {}
    for name, value in properties.items():
        declared = by_name.get(name)
        decoder = _DECODERS.get(declared.type) if declared and isinstance(value, str) else None
        decoded[name] = decoder(value) if decoder else value
    return decoded


class Columns:
    """The columns seen so far, per class or ends. Grows, so that statements settle."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, frozenset[str]] = {}

    def of(self, name: Hashable, rows: Iterable[Mapping[str, Any]]) -> frozenset[str]:
        """Add the columns of ``rows`` and return all. Threads may share it."""
        seen = self._seen.get(name, frozenset())
        grown = seen.union(*(row.keys() for row in rows)) - {ROW_INDEX}
        if grown != seen:
            self._seen[name] = grown
        return grown


def key_row(spec: NodeSpec, key: Key) -> dict[str, Any]:
    """The key columns of a row."""
    return dict(zip(spec.key, key, strict=True))


def pattern(variable: str, spec: NodeSpec, prefix: str = "") -> str:
    """A node pattern by tenant and key, the key's columns ``prefix``-ed."""
    keys = "".join(f", {name}: {sent(spec.by_name[name], prefix)}" for name in spec.key)
    return f"({variable}:{spec.label} {{tenant_id: $tenant_id{keys}}})"


def _assignments(variable: str, spec: NodeSpec | EdgeSpec, names: Iterable[str]) -> str:
    return ", ".join(assigned(variable, spec.by_name[name]) for name in sorted(names))


def _settable(spec: NodeSpec, present: frozenset[str]) -> list[str]:
    kept = {*spec.identity, RECORDED_AT}
    return [p.name for p in spec.properties if p.name in present and p.name not in kept]


def recorded(spec: NodeSpec) -> list[str]:
    """The assignment of the recorded time, for classes that keep it: that of the first writing."""
    if RECORDED_AT not in spec.by_name:
        return []
    return [f"n.{RECORDED_AT} = coalesce(n.{RECORDED_AT}, datetime())"]


@lru_cache(maxsize=1024)
def merge_new(spec: NodeSpec, present: frozenset[str]) -> str:
    """Create the rows that are new; return one line for each that was known.

    Parameters: tenant_id, write_id, rows. A known row answers with its stored
    hash, or with all its properties if it lives, and whether it is a placeholder
    or a tombstone.
    """
    names = [n for n in _settable(spec, present) if n != "write_id"]
    sets = ", ".join([_assignments("n", spec, names), "n.write_id = $write_id", *recorded(spec)])
    stored = {
        Lifecycle.FACT: "n.fact_hash AS fact_hash",
        Lifecycle.LIVING: "properties(n) AS properties",
        Lifecycle.RECORD: "null AS fact_hash",
    }[spec.lifecycle]
    return (
        f"UNWIND $rows AS row\n"
        f"MERGE {pattern('n', spec)}\n"
        f"ON CREATE SET {sets}\n"
        f"WITH n, row WHERE n.write_id IS NULL OR n.write_id <> $write_id\n"
        f"RETURN row.{ROW_INDEX} AS i, {stored},\n"
        f"       n:{PLACEHOLDER} AS is_placeholder, n:{TOMBSTONE} AS is_tombstone"
    )


@lru_cache(maxsize=1024)
def fill_placeholders(spec: NodeSpec, present: frozenset[str]) -> str:
    """Give placeholders their facts. Setting write_id takes the lock before the label is read.

    Returns ``i`` of every row that was filled; a row that another transaction
    filled first is missing.
    """
    names = [n for n in _settable(spec, present) if n != "write_id"]
    sets = ", ".join([_assignments("n", spec, names), *recorded(spec)])
    return (
        f"UNWIND $rows AS row\n"
        f"MATCH {pattern('n', spec)}\n"
        f"SET n.write_id = $write_id\n"
        f"WITH n, row WHERE n:{PLACEHOLDER}\n"
        f"SET {sets}\n"
        f"REMOVE n:{PLACEHOLDER}\n"
        f"RETURN row.{ROW_INDEX} AS i"
    )


@lru_cache(maxsize=1024)
def read_hashes(spec: NodeSpec) -> str:
    """Return ``i`` and the stored hash of each row."""
    return (
        f"UNWIND $rows AS row\nMATCH {pattern('n', spec)}\n"
        f"RETURN row.{ROW_INDEX} AS i, n.fact_hash AS fact_hash"
    )


@lru_cache(maxsize=1024)
def lock_and_read(spec: NodeSpec) -> str:
    """Lock living nodes and return what they hold now."""
    return (
        f"UNWIND $rows AS row\n"
        f"MATCH {pattern('n', spec)}\n"
        f"SET n.write_id = $write_id\n"
        f"RETURN row.{ROW_INDEX} AS i, properties(n) AS properties, "
        f"n:{TOMBSTONE} AS is_tombstone"
    )


@lru_cache(maxsize=1024)
def update_living(spec: NodeSpec, present: frozenset[str]) -> str:
    """Set locked living nodes to their merged state; a placeholder becomes a node."""
    return (
        f"UNWIND $rows AS row\n"
        f"MATCH {pattern('n', spec)}\n"
        f"SET {_assignments('n', spec, _settable(spec, present))}\n"
        f"REMOVE n:{PLACEHOLDER}\n"
        f"RETURN count(n) AS matched"
    )


@lru_cache(maxsize=1024)
def mention(spec: NodeSpec) -> str:
    """Create living nodes that are only named; return those that need `correct_mention`."""
    return (
        f"UNWIND $rows AS row\n"
        f"MERGE {pattern('n', spec)}\n"
        f"ON CREATE SET n.created_at = datetime(row.created_at), n.write_id = $write_id\n"
        f"WITH n, row WHERE n.created_at > datetime(row.created_at) OR n:{PLACEHOLDER}\n"
        f"RETURN row.{ROW_INDEX} AS i"
    )


@lru_cache(maxsize=1024)
def correct_mention(spec: NodeSpec) -> str:
    """Under the node's lock: it is no placeholder, and it was first named at the earlier time."""
    return (
        f"UNWIND $rows AS row\n"
        f"MATCH {pattern('n', spec)}\n"
        f"SET n.write_id = $write_id\n"
        f"WITH n, row WHERE NOT n:{TOMBSTONE}\n"
        f"SET n.created_at = {smaller('n.created_at', sent(spec.by_name['created_at']))}\n"
        f"REMOVE n:{PLACEHOLDER}\n"
        f"RETURN count(n) AS matched"
    )


def smaller(stored: str, sent: str) -> str:
    """An expression: the smaller of two, of which the first may be null."""
    return f"CASE WHEN {stored} IS NULL OR {sent} < {stored} THEN {sent} ELSE {stored} END"
