"""Statements and rows of edges, derived from their descriptors as those of nodes in ``plan``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from memgraph.domain.mutations import Key
from memgraph.domain.schema import PLACEHOLDER, TOMBSTONE, EdgeSpec, NodeSpec
from memgraph.graph.assignments import assigned, sent
from memgraph.graph.plan import ROW_INDEX, pattern, smaller

Sides = tuple[str, ...]
"""Of the ends of an edge: ``start``, ``end``, both in this order, or none."""


def named_at(side: str) -> str:
    """Column of the earliest time that an end of an edge was named; one row of each says it."""
    return f"{side}_named_at"


@lru_cache(maxsize=1024)
def merge_edges(
    spec: EdgeSpec,
    start: NodeSpec,
    end: NodeSpec,
    present: frozenset[str],
    named: Sides = (),
) -> str:
    """Merge edges, making placeholders of ends that have not arrived, unless they are ``named``.

    What several events say of one edge, the smallest value wins: the order of
    arrival does not matter. Returns the number of edges matched or made, of
    those that touch a tombstone, and per named side ``i`` of the rows whose end
    needs `correct_mention`.
    """
    said = sorted((p for p in spec.properties if p.name in present), key=lambda p: p.name)
    lines = [
        "UNWIND $rows AS row",
        f"MERGE {pattern('a', start, 'start_')}",
        f"  ON CREATE SET {_come_to_be('a', 'start', named)}",
        f"MERGE {pattern('b', end, 'end_')}",
        f"  ON CREATE SET {_come_to_be('b', 'end', named)}",
        *_linked(spec, ", ".join(assigned("made", p) for p in said)),
    ]
    if said:
        least = ", ".join(f"k.{p.name} = {smaller(f'k.{p.name}', sent(p))}" for p in said)
        lines.append(f"FOREACH (k IN CASE WHEN r IS NULL THEN [] ELSE [r] END | SET {least})")
    lines.append(
        f"RETURN count(row) AS matched, "
        f"count(CASE WHEN a:{TOMBSTONE} OR b:{TOMBSTONE} THEN 1 END) AS buried"
        + "".join(f",\n       {_stale(side)} AS {side}s" for side in named)
    )
    return "\n".join(lines)


def _linked(spec: EdgeSpec, assignments: str) -> list[str]:
    """Clauses that make the edge from ``a`` to ``b`` unless there is one: that is ``r``, or null.

    MERGE would lock both ends until the commit, and whoever links something to the same
    model, user or agent would wait for it. The start alone is enough, locked when the edge
    is missing; it is looked for again under the lock. A label that a node has anyway takes
    its lock and writes nothing.
    """
    sets = f" SET {assignments}" if assignments else ""
    return [
        f"OPTIONAL MATCH (a)-[seen:{spec.type}]->(b)",
        f"FOREACH (_ IN CASE WHEN seen IS NULL THEN [0] ELSE [] END | SET a:{spec.start})",
        "WITH a, b, row",
        f"OPTIONAL MATCH (a)-[r:{spec.type}]->(b)",
        "FOREACH (_ IN CASE WHEN r IS NULL THEN [0] ELSE [] END |",
        f"  CREATE (a)-[made:{spec.type}]->(b){sets})",
    ]


def _come_to_be(variable: str, side: str, named: Sides) -> str:
    if side not in named:
        return f"{variable}:{PLACEHOLDER}"
    at = f"datetime(row.{named_at(side)})"
    return f"{variable}.created_at = {at}, {variable}.write_id = $write_id"


def _stale(side: str) -> str:
    """Rows whose named end was a placeholder, or was named earlier now than before."""
    variable, at = "a" if side == "start" else "b", f"row.{named_at(side)}"
    return (
        f"collect(CASE WHEN {at} IS NOT NULL AND ({variable}:{PLACEHOLDER}"
        f" OR {variable}.created_at > datetime({at})) THEN row.{ROW_INDEX} END)"
    )


@lru_cache(maxsize=1024)
def merge_fact_edges(
    spec: EdgeSpec, start: NodeSpec, end: NodeSpec, present: frozenset[str]
) -> str:
    """Merge edges that are facts; return a line for each that was known or touches a tombstone."""
    said = sorted((p for p in spec.properties if p.name in present), key=lambda p: p.name)
    sets = [assigned("made", p) for p in said if p.name != "write_id"]
    clauses = "\n".join(_linked(spec, ", ".join([*sets, "made.write_id = $write_id"])))
    return (
        f"UNWIND $rows AS row\n"
        f"MERGE {pattern('a', start, 'start_')}\n"
        f"  ON CREATE SET a:{PLACEHOLDER}\n"
        f"MERGE {pattern('b', end, 'end_')}\n"
        f"  ON CREATE SET b:{PLACEHOLDER}\n"
        f"{clauses}\n"
        f"WITH r, row, a:{TOMBSTONE} OR b:{TOMBSTONE} AS is_buried\n"
        f"WHERE is_buried OR r.write_id <> $write_id\n"
        f"RETURN row.{ROW_INDEX} AS i, r.fact_hash AS fact_hash, is_buried"
    )


def edge_row(
    start: NodeSpec, start_key: Key, end: NodeSpec, end_key: Key, properties: Mapping[str, Any]
) -> dict[str, Any]:
    """A row of an edge: its ends' keys, prefixed, and its properties."""
    row = {f"start_{name}": value for name, value in zip(start.key, start_key, strict=True)}
    for name, value in zip(end.key, end_key, strict=True):
        row[f"end_{name}"] = value
    row.update(properties)
    return row
