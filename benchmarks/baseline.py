"""What a person would write with the bare driver: the same rows, the best statements we know.

Property lists are explicit, rows are sorted by key, ends are matched by their unique key,
transactions are managed by the driver. FOLLOWS is worked out beforehand. What our writer
keeps for itself (content hashes, batch ids, clocks, tails) is not written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import neo4j

from benchmarks.replay import Expected, edges_of
from memgraph.domain.mutations import WEAK, Key, Mutation
from memgraph.domain.schema import GraphModel
from memgraph.graph.plan import RowMapper

Row = dict[str, Any]
Ends = tuple[str, str, str]


@dataclass(slots=True)
class Batch:
    """The rows of one transaction."""

    facts: dict[str, dict[Key, Row]] = field(default_factory=lambda: defaultdict(dict))
    named: dict[str, dict[Key, Row]] = field(default_factory=lambda: defaultdict(dict))
    """Created when they are new, otherwise let be."""
    living: dict[str, dict[Key, Row]] = field(default_factory=lambda: defaultdict(dict))
    """Created or updated."""
    edges: dict[Ends, dict[tuple[Key, Key], Row]] = field(default_factory=lambda: defaultdict(dict))
    statements: list[tuple[str, list[Row]]] = field(default_factory=list)


def prepare(model: GraphModel, lanes: Sequence[Sequence[Sequence[Mutation]]]) -> list[list[Batch]]:
    """Make the rows of all batches, and one statement per class for all of them."""
    rows = _Rows(model)
    prepared = [[rows.batch(mutations) for mutations in lane] for lane in lanes]
    rows.follow(lanes, prepared)
    texts = _Texts(model, [batch for lane in prepared for batch in lane])
    for lane in prepared:
        for batch in lane:
            batch.statements = texts.of(batch)
    return prepared


def write(session: neo4j.Session, tenant_id: str, batch: Batch) -> None:
    """Write one batch in one managed transaction."""

    def work(tx: neo4j.ManagedTransaction) -> None:
        for statement, rows in batch.statements:
            tx.run(statement, tenant_id=tenant_id, rows=rows).consume()

    session.execute_write(work)


def expected(prepared: Iterable[Iterable[Batch]]) -> Expected:
    """Count what all batches together must leave behind."""
    nodes: dict[str, set[Any]] = defaultdict(set)
    edges: dict[str, set[Any]] = defaultdict(set)
    for batch in (batch for lane in prepared for batch in lane):
        for group in (batch.facts, batch.named, batch.living):
            for label, found in group.items():
                nodes[label].update(found)
        for ends, found_edges in batch.edges.items():
            edges[ends[1]].update((ends, *key) for key in found_edges)
    return Expected(
        {label: len(keys) for label, keys in nodes.items()},
        {type_: len(keys) for type_, keys in edges.items()},
    )


class _Rows:
    def __init__(self, model: GraphModel) -> None:
        self._model = model
        self._mappers = {label: RowMapper(spec) for label, spec in model.nodes.items()}
        self._edge_mappers = {ends: RowMapper(spec) for ends, spec in model.edges.items()}

    def batch(self, mutations: Sequence[Mutation]) -> Batch:
        batch = Batch()
        for m in mutations:
            for label, key in m.mentions:
                batch.named[label].setdefault(key, self._node(label, key, {}, m))
            for change in m.changes:
                label, key = change.ref
                row = self._node(label, key, change.properties, m)
                if change.rank == WEAK and key not in batch.living[label]:
                    batch.named[label].setdefault(key, {}).update(row)
                else:
                    weak = batch.named[label].pop(key, {})
                    batch.living[label].setdefault(key, weak).update(row)
            if m.fact is not None:
                label, key = m.fact
                batch.facts[label][key] = self._node(label, key, m.fact_properties, m)
            for edge in edges_of(m):
                row = _encoded(self._edge_mappers[edge.ends], edge.properties)
                self._edge(batch, edge.ends, edge.start[1], edge.end[1], row)
        return batch

    def follow(
        self, lanes: Sequence[Sequence[Sequence[Mutation]]], prepared: list[list[Batch]]
    ) -> None:
        """Link each prompt to the one before it, in the batch where it is written."""
        for lane, batches in zip(lanes, prepared, strict=True):
            places = [
                (m.place.session_id, m.place.created_at, m.place.prompt_id, number)
                for number, mutations in enumerate(lane)
                for m in mutations
                if m.place is not None
            ]
            places.sort()
            for before, after in pairwise(places):
                if before[0] == after[0]:
                    gap_ms = int((after[1] - before[1]).total_seconds() * 1000)
                    row = {"gap_ms": gap_ms, "stated": False}
                    ends = ("Prompt", "FOLLOWS", "Prompt")
                    self._edge(batches[after[3]], ends, (after[2],), (before[2],), row)

    def _node(self, label: str, key: Key, properties: Row, m: Mutation) -> Row:
        row = {"created_at": m.occurred_at, **_encoded(self._mappers[label], properties)}
        row.update(zip(self._model.nodes[label].key, key, strict=True))
        return row

    def _edge(self, batch: Batch, ends: Ends, start: Key, end: Key, row: Row) -> None:
        for prefix, label, key in (("start_", ends[0], start), ("end_", ends[2], end)):
            names = self._model.nodes[label].key
            row.update((prefix + n, k) for n, k in zip(names, key, strict=True))
        batch.edges[ends][(start, end)] = row


class _Texts:
    """Statements with the columns that occur, nodes before relationships."""

    def __init__(self, model: GraphModel, batches: list[Batch]) -> None:
        self._model = model
        columns: dict[Any, set[str]] = defaultdict(set)
        for batch in batches:
            for group in (batch.facts, batch.named, batch.living, batch.edges):
                for name, rows in group.items():
                    columns[name].update(*(row.keys() for row in rows.values()))
        self._columns = {name: sorted(found) for name, found in columns.items()}

    def of(self, batch: Batch) -> list[tuple[str, list[Row]]]:
        steps: list[tuple[str, list[Row]]] = []
        for label in self._model.nodes:
            created, updated = self._create(label), self._update(label)
            steps.append((created, _sorted(batch.facts[label])))
            steps.append((created, _sorted(batch.named[label])))
            steps.append((updated, _sorted(batch.living[label])))
        steps += [(self._connect(ends), _sorted(batch.edges[ends])) for ends in sorted(batch.edges)]
        return [(text, rows) for text, rows in steps if rows]

    def _create(self, label: str) -> str:
        return f"UNWIND $rows AS row\nMERGE {self._node('n', label)}\nON CREATE SET " + ", ".join(
            f"n.{name} = row.{name}" for name in self._settable(label)
        )

    def _update(self, label: str) -> str:
        later = [n for n in self._settable(label) if n != "created_at"]
        text = self._create(label)
        if later:
            sets = ", ".join(f"n.{name} = coalesce(row.{name}, n.{name})" for name in later)
            text += f"\nON MATCH SET {sets}"
        return text

    def _connect(self, ends: Ends) -> str:
        start, type_, end = ends
        names = [n for n in self._columns[ends] if n in self._model.edges[ends].by_name]
        sets = ", ".join(f"r.{name} = row.{name}" for name in names)
        return (
            f"UNWIND $rows AS row\n"
            f"MATCH {self._node('a', start, 'start_')}\n"
            f"MATCH {self._node('b', end, 'end_')}\n"
            f"MERGE (a)-[r:{type_}]->(b)" + (f"\nON CREATE SET {sets}" if sets else "")
        )

    def _settable(self, label: str) -> list[str]:
        return [n for n in self._columns.get(label, []) if n not in self._model.nodes[label].key]

    def _node(self, variable: str, label: str, prefix: str = "") -> str:
        keys = self._model.nodes[label].key
        listed = "".join(f", {name}: row.{prefix}{name}" for name in keys)
        return f"({variable}:{label} {{tenant_id: $tenant_id{listed}}})"


def _encoded(mapper: RowMapper, properties: Row) -> Row:
    """Values as a person would hand them to the driver: JSON as text, times as they are."""
    times = {n: v for n, v in properties.items() if isinstance(v, datetime)}
    return {**mapper(properties), **times}


def _sorted(rows: dict[Any, Row]) -> list[Row]:
    return [rows[key] for key in sorted(rows)]
