"""The edges of a batch, and who comes to be because they are named.

Most of what is only named is the end of an edge: the statement that merges the
edge makes it, so that it needs none of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from memgraph.domain.mutations import Edge, Key, Mutation, Ref
from memgraph.domain.schema import EdgeSpec, GraphModel
from memgraph.graph import edge_plan, plan
from memgraph.graph.deletion import bury_dependents
from memgraph.graph.session import Row
from memgraph.graph.transaction import Transaction
from memgraph.ids import iso

Ends = tuple[str, str, str]


@dataclass(slots=True)
class _Group:
    """Edges of one type between the same two classes, with the same ends named."""

    spec: EdgeSpec
    named: edge_plan.Sides
    rows: dict[tuple[Key, Key], Row]


class Linker:
    """Write the edges of a batch, type by type, and those who are only named."""

    def __init__(self, model: GraphModel) -> None:
        self._model = model
        self._mappers = {ends: plan.RowMapper(spec) for ends, spec in model.edges.items()}
        self._columns = plan.Columns()

    def row(self, edge: Edge) -> Row:
        """The row of an edge."""
        start, end = self._model.nodes[edge.start[0]], self._model.nodes[edge.end[0]]
        properties = self._mappers[edge.ends](edge.properties)
        return edge_plan.edge_row(start, edge.start[1], end, edge.end[1], properties)

    def write(self, tx: Transaction, mutations: Iterable[Mutation]) -> set[Ref]:
        """Merge edges and mentions; what belongs to something deleted is deleted too, returned."""
        mutations = list(mutations)
        named = _named(mutations)
        groups = self._groups(mutations, named)
        waiting = dict(named)
        sent = [(group, self._rows(group, waiting)) for group in groups]
        # Those at no edge: nothing else makes them.
        stale = _mention(tx, self._model, waiting)
        touching: list[tuple[EdgeSpec, list[Row]]] = []
        for group, rows in sent:
            found = self._merge(tx, group, rows)
            for side in group.named:
                stale |= {_end(group.spec, rows[i], side, self._model) for i in found[f"{side}s"]}
            if found["buried"]:
                touching.append((group.spec, rows))
        _correct(tx, self._model, {ref: named[ref] for ref in stale})
        # After all of them: with a prompt goes its answer of the same batch.
        buried = set[Ref]()
        for spec, rows in touching:
            buried |= bury_dependents(tx, self._model, spec, rows)
        return buried

    def _groups(self, mutations: list[Mutation], named: dict[Ref, datetime]) -> list[_Group]:
        groups: dict[tuple[Ends, edge_plan.Sides], _Group] = {}
        for mutation in mutations:
            for edge in mutation.edges:
                sides = _sides(edge, named)
                group = groups.setdefault(
                    (edge.ends, sides), _Group(self._model.edges[edge.ends], sides, {})
                )
                key, row = (edge.start[1], edge.end[1]), self.row(edge)
                known = group.rows.get(key)
                group.rows[key] = _smaller(known, row) if known else row
        return [groups[name] for name in sorted(groups)]

    def _rows(self, group: _Group, waiting: dict[Ref, datetime]) -> list[Row]:
        """The rows of a group in order; the first that names someone waiting says since when."""
        rows = []
        for i, key in enumerate(sorted(group.rows)):
            row = {plan.ROW_INDEX: i, **group.rows[key]}
            for side, label, end in zip(
                ("start", "end"), (group.spec.start, group.spec.end), key, strict=True
            ):
                at = waiting.pop((label, end), None) if side in group.named else None
                if at is not None:
                    row[edge_plan.named_at(side)] = iso(at)
            rows.append(row)
        return rows

    def _merge(self, tx: Transaction, group: _Group, rows: list[Row]) -> Row:
        spec = group.spec
        statement = edge_plan.merge_edges(
            spec,
            self._model.nodes[spec.start],
            self._model.nodes[spec.end],
            self._columns.of(spec.ends, rows),
            group.named,
        )
        return tx.matched(statement, rows, spec.type.lower())


def _named(mutations: Iterable[Mutation]) -> dict[Ref, datetime]:
    """Who is named, and the earliest time of it."""
    named: dict[Ref, datetime] = {}
    for mutation in mutations:
        for ref in mutation.mentions:
            at = named.get(ref)
            if at is None or mutation.occurred_at < at:
                named[ref] = mutation.occurred_at
    return named


def _sides(edge: Edge, named: dict[Ref, datetime]) -> edge_plan.Sides:
    ends = (("start", edge.start), ("end", edge.end))
    return tuple(side for side, ref in ends if ref in named)


def _end(spec: EdgeSpec, row: Row, side: str, model: GraphModel) -> Ref:
    label = spec.start if side == "start" else spec.end
    return label, tuple(row[f"{side}_{name}"] for name in model.nodes[label].key)


def _smaller(one: Row, other: Row) -> Row:
    """Per property the smaller value, as the merge statement decides."""
    merged = dict(one)
    for name, value in other.items():
        if name not in merged or value < merged[name]:
            merged[name] = value
    return merged


def _mention(tx: Transaction, model: GraphModel, named: dict[Ref, datetime]) -> set[Ref]:
    """Create who is named, class by class; return those that were known otherwise."""
    stale: set[Ref] = set()
    for label, rows in _rows_of(model, named):
        spec = model.nodes[label]
        for known in tx.rows(plan.mention(spec), rows):
            stale.add((label, tuple(rows[known["i"]][name] for name in spec.key)))
    return stale


def _correct(tx: Transaction, model: GraphModel, named: dict[Ref, datetime]) -> None:
    for label, rows in _rows_of(model, named):
        tx.rows(plan.correct_mention(model.nodes[label]), rows)


def _rows_of(
    model: GraphModel, named: dict[Ref, datetime]
) -> Iterable[tuple[str, list[dict[str, Any]]]]:
    by_label: dict[str, dict[Key, datetime]] = defaultdict(dict)
    for (label, key), at in named.items():
        by_label[label][key] = at
    for label, spec in model.nodes.items():
        if found := by_label.get(label):
            yield (
                label,
                [
                    {
                        plan.ROW_INDEX: i,
                        **plan.key_row(spec, key),
                        "created_at": iso(found[key]),
                    }
                    for i, key in enumerate(sorted(found))
                ],
            )
