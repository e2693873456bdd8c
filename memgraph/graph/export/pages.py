"""Read a tenant's content: statements generated from the descriptors, pages by key.

A statement reads one page of a class, at most ``limit`` rows from a key on, in
the order of the uniqueness index. Three habits of the planner shape it:

- The index is used for a tenant only with a predicate on each of its properties.
- Its order is used only when ``ORDER BY`` names all of them, the tenant first.
  Without, every page would sort the rest of the class.
- A row comparison spelled with OR is planned as a union of seeks, sorted
  again; spelled with CASE it stays a filter.

The page itself is a list of references; their values are read and sent 50 rows
at a time. One row per record would cost the driver more than all else together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec, PropertySpec
from memgraph.graph.export.records import (
    EPOCH,
    EXTRA_LABELS,
    TO_PORTABLE,
    EdgeRecord,
    NodeRecord,
    Record,
    content_edges,
    content_nodes,
    content_properties,
    iso,
    key_properties,
)
from memgraph.graph.session import Graph

PAGE = 10_000
"""Rows that one statement reads: about a megabyte of references on the server."""
_SENT_TOGETHER = 50

_LEAST = {"string": "", "integer": -(2**63), "datetime": datetime.min.replace(tzinfo=UTC)}
"""The smallest key value per type: the first page begins there."""


def read_content(graph: Graph, model: GraphModel, tenant_id: str) -> Iterator[Record]:
    """Yield a tenant's relationships, then its nodes, each class in the order of its key.

    In this order the ends of every relationship are among the nodes even while
    others write, unless they delete. No snapshot: what is written meanwhile may
    be in or not.
    """
    nodes = model.nodes
    for edge in content_edges(model):
        yield from _read_edges(graph, edge, nodes[edge.start], nodes[edge.end], tenant_id)
    for node in content_nodes(model):
        yield from _read_nodes(graph, node, tenant_id)


def page_statements(model: GraphModel) -> dict[str, str]:
    """Every statement that reads content, by name."""
    nodes = model.nodes
    statements = {f"page_{spec.snake}": page_of_nodes(spec) for spec in content_nodes(model)}
    for spec in content_edges(model):
        name = "_".join(("page", nodes[spec.start].snake, spec.type.lower(), nodes[spec.end].snake))
        statements[name] = page_of_edges(spec, nodes[spec.start], nodes[spec.end])
    return statements


@lru_cache(maxsize=256)
def page_of_nodes(spec: NodeSpec) -> str:
    """Rows of one class: extra labels as booleans, then the values of its content."""
    keys = [f"n.{name}" for name in spec.key]
    flags = [f"n:{label}" for label in EXTRA_LABELS]
    values = [_value("n", p) for p in content_properties(spec)]
    return (
        f"MATCH (n:{spec.label} {{tenant_id: $tenant_id}})\n"
        f"WHERE {_anchored(keys)}{_resumed(keys)}\n"
        f"WITH n ORDER BY n.tenant_id, {', '.join(keys)} LIMIT $limit\n"
        f"WITH collect(n) AS page\n"
        f"{_sliced('n', [*flags, *values])}"
    )


@lru_cache(maxsize=256)
def page_of_edges(spec: EdgeSpec, start: NodeSpec, end: NodeSpec) -> str:
    """Rows of one kind of relationship: key of the start, key of the end, its values."""
    starts, ends = [f"a.{name}" for name in start.key], [f"b.{name}" for name in end.key]
    # The hint: with few nodes of the end's class the planner would scan its label.
    sent = [
        *(_value("e[0]", p) for p in key_properties(start)),
        *(_value("e[2]", p) for p in key_properties(end)),
        *(_value("e[1]", p) for p in content_properties(spec)),
    ]
    return (
        f"MATCH (a:{start.label} {{tenant_id: $tenant_id}})\n"
        f"USING INDEX a:{start.label}({', '.join(start.identity)})\n"
        f"WHERE {_anchored(starts)}\n"
        f"MATCH (a)-[r:{spec.type}]->(b:{end.label} {{tenant_id: $tenant_id}})\n"
        f"WHERE {_resumed([*starts, *ends], '')}\n"
        f"WITH a, r, b ORDER BY a.tenant_id, {', '.join([*starts, *ends])} LIMIT $limit\n"
        f"WITH collect([a, r, b]) AS page\n"
        f"{_sliced('e', sent)}"
    )


def _anchored(keys: Sequence[str]) -> str:
    return " AND ".join([f"{keys[0]} >= $after_0", *(f"{k} IS NOT NULL" for k in keys[1:])])


def _resumed(keys: Sequence[str], lead: str = " AND ") -> str:
    """``keys`` are not before the row that ended the last page, which comes again."""
    if len(keys) == 1:
        return ""
    last = len(keys) - 1
    cases = "".join(
        f" WHEN {keys[i]} > $after_{i} THEN true WHEN {keys[i]} < $after_{i} THEN false"
        for i in range(last)
    )
    return f"{lead}CASE{cases} ELSE {keys[last]} >= $after_{last} END"


def _sliced(variable: str, sent: Sequence[str]) -> str:
    return (
        f"UNWIND range(0, size(page) - 1, {_SENT_TOGETHER}) AS at\n"
        f"RETURN [{variable} IN page[at..at + {_SENT_TOGETHER}] | [{', '.join(sent)}]] AS rows"
    )


def _value(owner: str, declared: PropertySpec) -> str:
    """Times come as microseconds since 1970: to read them as such is several times faster."""
    name = f"{owner}.{quoted(declared.name)}"
    if declared.type == "datetime":
        return f"{name}.epochSeconds * 1000000 + {name}.microsecond"
    return name


def quoted(name: str) -> str:
    """A property name as Cypher reads it; promoted metadata keys may be anything."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f"`{name.replace('`', '``')}`"


def _read_nodes(graph: Graph, spec: NodeSpec, tenant_id: str) -> Iterator[NodeRecord]:
    declared = content_properties(spec)
    flags = len(EXTRA_LABELS)
    names = [p.name for p in declared]
    key_at = [flags + names.index(name) for name in spec.key]
    to_properties = _converter(declared)
    pages = _rows(graph, page_of_nodes(spec), tenant_id, key_properties(spec), key_at)
    for row in pages:
        extra = tuple(label for label, is_set in zip(EXTRA_LABELS, row, strict=False) if is_set)
        yield NodeRecord(spec.label, extra, to_properties(row[flags:]))


def _read_edges(
    graph: Graph, spec: EdgeSpec, start: NodeSpec, end: NodeSpec, tenant_id: str
) -> Iterator[EdgeRecord]:
    starts, ends = key_properties(start), key_properties(end)
    keys, middle = (*starts, *ends), len(starts)
    width = len(keys)
    to_properties = _converter(content_properties(spec))
    to_key = _key_converter(keys)
    statement = page_of_edges(spec, start, end)
    for row in _rows(graph, statement, tenant_id, keys, list(range(width))):
        key = to_key(row[:width])
        yield EdgeRecord(
            spec.type,
            (start.label, *key[:middle]),
            (end.label, *key[middle:]),
            to_properties(row[width:]),
        )


def _rows(
    graph: Graph,
    statement: str,
    tenant_id: str,
    keys: Sequence[PropertySpec],
    key_at: Sequence[int],
) -> Iterator[list[Any]]:
    """Yield the rows of all pages. ``key_at`` says where in a row its key stands."""
    after: list[Any] = [_LEAST[p.type] for p in keys]
    last: list[Any] = []
    while True:
        parameters = {f"after_{i}": value for i, value in enumerate(after)}
        ended, count = last, 0
        for record in graph.stream(statement, tenant_id=tenant_id, limit=PAGE + 1, **parameters):
            rows: list[list[Any]] = record["rows"]
            if not rows:
                continue  # of no page; range(0, -1, 50) is [0] in Cypher
            last = [rows[-1][i] for i in key_at]
            if count == 0 and [rows[0][i] for i in key_at] == ended:
                yield from rows[1:]
            else:
                yield from rows
            count += len(rows)
        if count <= PAGE:
            return
        after = [_typed_key(p, value) for p, value in zip(keys, last, strict=True)]


def _typed_key(declared: PropertySpec, value: Any) -> Any:
    return _from_micros(value) if declared.type == "datetime" else value


def _from_micros(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _iso_of_micros(micros: int) -> str:
    return iso(_from_micros(micros))


_CONVERTERS: dict[str, Callable[[Any], Any]] = {**TO_PORTABLE, "datetime": _iso_of_micros}


def _special(declared: Sequence[PropertySpec]) -> list[tuple[int, Callable[[Any], Any]]]:
    found = ((i, _CONVERTERS.get(p.type)) for i, p in enumerate(declared))
    return [(i, convert) for i, convert in found if convert is not None]


def _converter(declared: Sequence[PropertySpec]) -> Callable[[list[Any]], dict[str, Any]]:
    """Compile the step from a row's values to portable properties."""
    names, special = [p.name for p in declared], _special(declared)

    def convert_all(values: list[Any]) -> dict[str, Any]:
        for i, convert in special:
            if values[i] is not None:
                values[i] = convert(values[i])
        return {n: v for n, v in zip(names, values, strict=True) if v is not None}

    return convert_all


def _key_converter(declared: Sequence[PropertySpec]) -> Callable[[list[Any]], list[Any]]:
    special = _special(declared)

    def convert_all(values: list[Any]) -> list[Any]:
        for i, convert in special:
            values[i] = convert(values[i])
        return values

    return convert_all
