"""Read a tenant's content: statements generated from the descriptors, pages by key.

A statement reads one page of a class, ``$limit`` nodes from a key on, in the
order of the uniqueness index. Three habits of the server shape it:

- The index is used for a tenant only with a predicate on each of its properties.
- Its order is used only when ``ORDER BY`` names all of them, the tenant first.
  Without, every page would sort the rest of the class.
- The index sorts text by code point, but ``ORDER BY`` and ``>`` compare UTF-16
  units where no index answers, and emoji fall between the two. So a key is
  compared by the index only: a key of several properties is resumed by one
  statement per property, the properties before it equal, the longest first.

The page itself is a list of references; values are read and sent for 50 nodes
at a time. One row per record would cost the driver more than all else together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any

from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec, PropertySpec
from memgraph.graph.assignments import quoted
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
    key_properties,
)
from memgraph.graph.session import Graph
from memgraph.ids import iso

PAGE = 10_000
"""Nodes that one statement reads: about a megabyte of references on the server."""
_SENT_TOGETHER = 50

_BEFORE_ALL = {"string": ""}
"""What is before every first property of a key, by type: the first page begins there."""


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
    statements: dict[str, str] = {}
    for spec in content_nodes(model):
        for level in range(len(spec.key)):
            statements[f"page_{spec.snake}_{level}"] = page_of_nodes(spec, level)
    for edge in content_edges(model):
        start, end = nodes[edge.start], nodes[edge.end]
        for level in range(len(start.key)):
            name = f"page_{start.snake}_{edge.type.lower()}_{end.snake}_{level}"
            statements[name] = page_of_edges(edge, start, end, level)
    return statements


@lru_cache(maxsize=256)
def page_of_nodes(spec: NodeSpec, level: int) -> str:
    """Rows of one class: extra labels as booleans, then the values of its content."""
    flags = [f"n:{label}" for label in EXTRA_LABELS]
    values = [_value("n", p) for p in content_properties(spec)]
    return (
        f"{_page(spec, level)}\n"
        f"RETURN {_place(spec)},\n"
        f"       [n IN {_SLICE} | [{', '.join([*flags, *values])}]] AS rows"
    )


@lru_cache(maxsize=256)
def page_of_edges(spec: EdgeSpec, start: NodeSpec, end: NodeSpec, level: int) -> str:
    """Rows of one kind of relationship: key of the start, key of the end, its values."""
    sent = [
        *(_value("n", p) for p in key_properties(start)),
        *(_value("m", p) for p in key_properties(end)),
        *(_value("r", p) for p in content_properties(spec)),
    ]
    return (
        f"{_page(start, level)}\n"
        f"CALL (page, at) {{\n"
        f"  UNWIND {_SLICE} AS n\n"
        f"  MATCH (n)-[r:{spec.type}]->(m:{end.label} {{tenant_id: $tenant_id}})\n"
        f"  RETURN collect([{', '.join(sent)}]) AS rows\n"
        f"}}\n"
        f"RETURN {_place(start)}, rows"
    )


_SLICE = f"page[at..at + {_SENT_TOGETHER}]"


def _page(spec: NodeSpec, level: int) -> str:
    """The nodes after ``$after_…`` that share the first ``level`` properties of their keys."""
    keys = [f"n.{name}" for name in spec.key]
    seek = [f"{key} = $after_{i}" for i, key in enumerate(keys[:level])]
    seek.append(f"{keys[level]} > $after_{level}")
    seek += [f"{key} IS NOT NULL" for key in keys[level + 1 :]]
    return (
        f"MATCH (n:{spec.label} {{tenant_id: $tenant_id}})\n"
        f"WHERE {' AND '.join(seek)}\n"
        f"WITH n ORDER BY n.tenant_id, {', '.join(keys)} LIMIT $limit\n"
        f"WITH collect(n) AS page\n"
        f"UNWIND range(0, size(page) - 1, {_SENT_TOGETHER}) AS at"
    )


def _place(spec: NodeSpec) -> str:
    """How many nodes the page has, and the key of the last."""
    return f"size(page) AS size, [{', '.join(f'page[-1].{name}' for name in spec.key)}] AS last"


def _value(owner: str, declared: PropertySpec) -> str:
    """Times come as microseconds since 1970: to read them as such is several times faster."""
    name = f"{owner}.{quoted(declared.name)}"
    if declared.type == "datetime":
        return f"{name}.epochSeconds * 1000000 + {name}.microsecond"
    return name


def _read_nodes(graph: Graph, spec: NodeSpec, tenant_id: str) -> Iterator[NodeRecord]:
    flags = len(EXTRA_LABELS)
    to_properties = _converter(content_properties(spec))
    for rows in _rows(graph, spec, tenant_id, lambda level: page_of_nodes(spec, level)):
        for row in rows:
            extra = tuple(label for label, is_set in zip(EXTRA_LABELS, row, strict=False) if is_set)
            yield NodeRecord(spec.label, extra, to_properties(row[flags:]))


def _read_edges(
    graph: Graph, spec: EdgeSpec, start: NodeSpec, end: NodeSpec, tenant_id: str
) -> Iterator[EdgeRecord]:
    keys = (*key_properties(start), *key_properties(end))
    middle, width = len(start.key), len(keys)
    to_key, to_properties = _key_converter(keys), _converter(content_properties(spec))
    for rows in _rows(graph, start, tenant_id, lambda n: page_of_edges(spec, start, end, n)):
        # Starts come in order; so do ends then, and two exports of one graph are the same.
        for row in sorted(rows, key=itemgetter(slice(width))):
            key = to_key(row[:width])
            yield EdgeRecord(
                spec.type,
                (start.label, *key[:middle]),
                (end.label, *key[middle:]),
                to_properties(row[width:]),
            )


def _rows(
    graph: Graph, spec: NodeSpec, tenant_id: str, statement: Callable[[int], str]
) -> Iterator[list[list[Any]]]:
    """Yield the rows of all pages. ``statement`` resumes after so many equal properties."""
    level = 0
    after: list[Any] = [_BEFORE_ALL[key_properties(spec)[0].type]]
    while level >= 0:
        parameters = {f"after_{i}": value for i, value in enumerate(after[: level + 1])}
        size = 0
        for record in graph.stream(statement(level), tenant_id=tenant_id, limit=PAGE, **parameters):
            size, last = record["size"], record["last"]
            yield record["rows"]
        if size == PAGE:
            level, after = len(spec.key) - 1, last
        else:
            level -= 1


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
