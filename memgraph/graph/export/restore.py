"""Write checked records into a tenant, in batches, one managed transaction each.

What the tenant has already under a key decides:

===================== ======================================================
it has                then
===================== ======================================================
nothing               the node is created, exactly as in the file
a fact, same content  its properties become those of the file
a fact, other content Conflict; nothing of the batch is written
something else        its properties become those of the file
anything              a placeholder of the file changes nothing
a tombstone           it stays, and what the file hangs on it is skipped:
                      an import brings nothing back that was deleted here
===================== ======================================================
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import neo4j

from memgraph.domain.errors import Conflict, InvalidInput, shown
from memgraph.domain.schema import (
    PLACEHOLDER,
    TOMBSTONE,
    EdgeSpec,
    GraphModel,
    NodeSpec,
)
from memgraph.graph import plan
from memgraph.graph.assignments import assigned
from memgraph.graph.export.checks import Checked, CheckedEdge, CheckedNode
from memgraph.graph.export.records import (
    EXTRA_LABELS,
    content_edges,
    content_nodes,
    content_properties,
)
from memgraph.graph.session import Graph
from memgraph.graph.transaction import Transaction
from memgraph.ids import now, random_int63

BATCH_ROWS = 1_000
BATCH_BYTES = 8_000_000
"""A batch is cut here too: a thousand long texts would not fit the server's memory."""

_FACT_HASH = "fact_hash"


@dataclass(slots=True)
class _Nodes:
    """Nodes of one class with the same extra labels, no key twice."""

    spec: NodeSpec
    extra: tuple[str, ...]
    members: dict[tuple[Any, ...], CheckedNode] = field(default_factory=dict)


class Restorer:
    """Collect records by class and write each class when it has enough of them."""

    def __init__(
        self, graph: Graph, model: GraphModel, tenant_id: str, on_progress: Callable[[int], None]
    ) -> None:
        self._graph = graph
        self._model = model
        self._tenant_id = tenant_id
        self._on_progress = on_progress
        self._nodes: dict[tuple[str, tuple[str, ...]], _Nodes] = {}
        self._edges: dict[tuple[str, str, str], list[CheckedEdge]] = {}
        self._size_bytes = 0
        self._columns = plan.Columns()
        self._buried: set[tuple[str, tuple[Any, ...]]] = set()
        """Tombstones of this tenant that the file knows alive. Grows only with them."""
        self.nodes = self.relationships = self.skipped = 0

    def begin(self) -> None:
        """Make the tenant known, as the first event of a tenant does."""
        spec = self._model.nodes["Tenant"]
        row = {plan.ROW_INDEX: 0, "created_at": now(), "name": self._tenant_id}
        statement = plan.merge_new(spec, self._columns.of(spec.label, [row]))
        self._write(lambda tx: tx.rows(statement, [row]))

    def add(self, item: Checked) -> None:
        """Take a record; write when a batch is full. Nodes come before relationships."""
        if isinstance(item, CheckedNode):
            self._add_node(item)
        else:
            self._add_edge(item)
        self._size_bytes += item.size_bytes
        if self._size_bytes > BATCH_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write everything collected."""
        for batch in self._nodes.values():
            self._write_nodes(batch)
        for edges in self._edges.values():
            self._write_edges(edges)
        self._nodes.clear()
        self._edges.clear()
        self._size_bytes = 0

    def _add_node(self, item: CheckedNode) -> None:
        group = (item.spec.label, item.record.extra)
        batch = self._nodes.setdefault(group, _Nodes(item.spec, item.record.extra))
        if item.key in batch.members or len(batch.members) >= BATCH_ROWS:
            self._write_nodes(self._nodes.pop(group))
            batch = self._nodes[group] = _Nodes(item.spec, item.record.extra)
        batch.members[item.key] = item

    def _add_edge(self, item: CheckedEdge) -> None:
        if self._nodes:
            self.flush()
        start, end = (item.spec.start, item.start_key), (item.spec.end, item.end_key)
        if start in self._buried or end in self._buried:
            self._done(0, 0, skipped=1)
            return
        edges = self._edges.setdefault(item.spec.ends, [])
        edges.append(item)
        if len(edges) >= BATCH_ROWS:
            self._write_edges(self._edges.pop(item.spec.ends))

    def _write_nodes(self, batch: _Nodes) -> None:
        members = list(batch.members.values())
        rows = [{plan.ROW_INDEX: i, **item.row} for i, item in enumerate(members)]
        statement = create_nodes(batch.spec, batch.extra, self._columns.of(batch.spec.label, rows))
        buried = self._write(lambda tx: _merge_nodes(tx, statement, batch, rows))
        self._buried.update((batch.spec.label, members[i].key) for i in buried)
        self._done(len(members) - len(buried), 0, skipped=len(buried))

    def _write_edges(self, edges: list[CheckedEdge]) -> None:
        start, end = (self._model.nodes[label] for label in edges[0].spec.ends[::2])
        self._write(lambda tx: _merge_edges(tx, edges, start, end))
        self._done(0, len(edges))

    def _write(self, work: Callable[[Transaction], Any]) -> Any:
        write_id = random_int63()  # the same in every attempt

        def attempt(transaction: neo4j.Transaction) -> Any:
            tx = Transaction(transaction, self._tenant_id, write_id, self._graph.watch)
            return work(tx)

        return self._graph.write(attempt)

    def _done(self, nodes: int, relationships: int, skipped: int = 0) -> None:
        self.nodes += nodes
        self.relationships += relationships
        self.skipped += skipped
        self._on_progress(self.nodes + self.relationships + self.skipped)


def _merge_nodes(
    tx: Transaction, create: str, batch: _Nodes, rows: list[dict[str, Any]]
) -> list[int]:
    """Create what is new, restore what was known. Returns the rows that are tombstones here."""
    known = {row["i"]: row["is_tombstone"] for row in tx.rows(create, rows)}
    buried = [i for i in known if known[i] and TOMBSTONE not in batch.extra]
    if PLACEHOLDER in batch.extra:
        return buried
    waiting = [rows[i] for i in sorted(known.keys() - set(buried))]
    if waiting:
        answer = tx.rows(restore_nodes(batch.spec, batch.extra), waiting)
        restored = {row["i"] for row in answer}
        members = list(batch.members.values())
        for row in waiting:
            if row[plan.ROW_INDEX] not in restored:
                raise _node_conflict(members[row[plan.ROW_INDEX]])
    return buried


def _merge_edges(
    tx: Transaction, edges: Sequence[CheckedEdge], start: NodeSpec, end: NodeSpec
) -> None:
    spec = edges[0].spec
    rows = [{plan.ROW_INDEX: i, **item.row} for i, item in enumerate(edges)]
    merged = set(tx.rows(merge_edges(spec, start, end), rows)[0]["merged"])
    lost = [row for row in rows if row[plan.ROW_INDEX] not in merged]
    if lost:
        found = {r["i"]: r for r in tx.rows(find_ends(spec, start, end), lost)}
        for row in lost:
            ends = found[row[plan.ROW_INDEX]]
            raise _lost_edge(edges[row[plan.ROW_INDEX]], ends)


def _node_conflict(item: CheckedNode) -> Conflict:
    key = shown(", ".join(map(str, item.key)))
    return Conflict(
        f"{item.spec.label} {key} exists with other content; nothing of its batch was written",
        label=item.spec.label,
        key=key,
        position=item.position,
    )


def _lost_edge(item: CheckedEdge, ends: dict[str, Any]) -> InvalidInput | Conflict:
    spec = item.spec
    for side, label in (("start", spec.start), ("end", spec.end)):
        if not ends[f"has_{side}"]:
            field = f"{item.position}, {spec.type}.{side}"
            return InvalidInput(
                field, f"there is no such {label}, neither in the file nor here", label=label
            )
    key = shown(", ".join(map(str, (*item.start_key, *item.end_key))))
    return Conflict(
        f"{spec.type} {key} exists with other content; nothing of its batch was written",
        label=spec.type,
        key=key,
        position=item.position,
    )


def restore_statements(model: GraphModel) -> dict[str, str]:
    """Every statement that an import runs, by name."""
    statements: dict[str, str] = {}
    for spec in content_nodes(model):
        columns = frozenset(p.name for p in spec.properties)
        for extra in ((), (PLACEHOLDER,), (TOMBSTONE,)):
            suffix = "_".join(("", *extra)).lower()
            statements[f"create_{spec.snake}{suffix}"] = create_nodes(spec, extra, columns)
            statements[f"restore_{spec.snake}{suffix}"] = restore_nodes(spec, extra)
    for edge in content_edges(model):
        start, end = model.nodes[edge.start], model.nodes[edge.end]
        name = "_".join((start.snake, edge.type.lower(), end.snake))
        statements[f"merge_{name}"] = merge_edges(edge, start, end)
        statements[f"find_ends_{name}"] = find_ends(edge, start, end)
    return statements


@lru_cache(maxsize=1024)
def create_nodes(spec: NodeSpec, extra: tuple[str, ...], present: frozenset[str]) -> str:
    """Create the rows that are new; return one line for each that was known."""
    set_once = [p for p in content_properties(spec) if p.name in present - {*spec.key}]
    sets = [assigned("n", p) for p in set_once]
    sets += ["n.write_id = $write_id", *plan.recorded(spec), *(f"n:{label}" for label in extra)]
    return (
        f"UNWIND $rows AS row\n"
        f"MERGE {plan.pattern('n', spec)}\n"
        f"ON CREATE SET {', '.join(sets)}\n"
        f"WITH n, row WHERE n.write_id IS NULL OR n.write_id <> $write_id\n"
        f"RETURN row.{plan.ROW_INDEX} AS i, n:{TOMBSTONE} AS is_tombstone"
    )


@lru_cache(maxsize=256)
def restore_nodes(spec: NodeSpec, extra: tuple[str, ...]) -> str:
    """Give known nodes all properties and labels of the file; what is not there is removed.

    Returns ``i`` of every row that was restored; a fact with other content is missing.
    Setting write_id takes the lock before the hash is read.
    """
    sets = [assigned("n", p) for p in content_properties(spec) if p.name not in spec.key]
    sets += plan.recorded(spec)
    removed = [label for label in EXTRA_LABELS if label not in extra]
    return (
        f"UNWIND $rows AS row\n"
        f"MATCH {plan.pattern('n', spec)}\n"
        f"SET n.write_id = $write_id\n"
        f"WITH n, row{_same_content('n', spec)}\n"
        f"SET {', '.join([*sets, *(f'n:{label}' for label in extra)])}\n"
        f"REMOVE {', '.join(f'n:{label}' for label in removed)}\n"
        f"RETURN row.{plan.ROW_INDEX} AS i"
    )


@lru_cache(maxsize=256)
def merge_edges(spec: EdgeSpec, start: NodeSpec, end: NodeSpec) -> str:
    """Merge relationships and give them all properties of the file.

    Returns the list ``merged`` of every ``i``; a row without both ends, or a fact
    with other content, is missing.
    """
    is_fact = _FACT_HASH in spec.by_name
    sets = [assigned("r", p) for p in content_properties(spec)]
    return "\n".join(
        [
            "UNWIND $rows AS row",
            f"MATCH {plan.pattern('a', start, 'start_')}",
            f"MATCH {plan.pattern('b', end, 'end_')}",
            f"MERGE (a)-[r:{spec.type}]->(b)",
            *(["SET r.write_id = $write_id"] if is_fact else []),
            *([f"WITH r, row{_same_content('r', spec)}"] if is_fact else []),
            *([f"SET {', '.join(sets)}"] if sets else []),
            f"RETURN collect(row.{plan.ROW_INDEX}) AS merged",
        ]
    )


@lru_cache(maxsize=256)
def find_ends(spec: EdgeSpec, start: NodeSpec, end: NodeSpec) -> str:
    """Say for each row which of its ends exist."""
    return (
        f"UNWIND $rows AS row\n"
        f"RETURN row.{plan.ROW_INDEX} AS i,\n"
        f"       EXISTS {{ {plan.pattern('a', start, 'start_')} }} AS has_start,\n"
        f"       EXISTS {{ {plan.pattern('b', end, 'end_')} }} AS has_end"
    )


def _same_content(variable: str, spec: NodeSpec | EdgeSpec) -> str:
    if _FACT_HASH not in spec.by_name:
        return ""
    stored = f"{variable}.{_FACT_HASH}"
    return f" WHERE {stored} IS NULL OR {stored} = row.{_FACT_HASH}"
