"""The one writer: a batch of mutations of one tenant becomes one managed transaction.

Order inside: facts (new, known, placeholder), edges that are facts, changes of
living nodes, mentions, edges, FOLLOWS, derived properties, dead letters. What
conflicts leaves nothing behind but its dead letter.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import neo4j

from memgraph.domain.errors import MemgraphError, TemplateCycle
from memgraph.domain.mutations import Edge, Mutation, Outcome, Ref, Refusal, WriteResult
from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec
from memgraph.graph import plan
from memgraph.graph.deletion import bury_dependents
from memgraph.graph.living import LivingWriter
from memgraph.graph.session import Graph
from memgraph.graph.splice import splice
from memgraph.graph.transaction import Transaction
from memgraph.ids import iso, now, random_int63

OnWritten = Callable[[str, Sequence[Mutation], frozenset[str]], None]
"""Told the tenant, the mutations, and the labels of nodes whose edges changed besides."""

# The tool says how a call ended, the edge repeats it for those who read edges.
SET_SUCCESS = """\
UNWIND $rows AS row
MATCH (t:ToolInvocation {tenant_id: $tenant_id, invocation_id: row.invocation_id})
WHERE t.status IN ['success', 'failed']
MATCH (t)<-[r:INVOKES]-(:Response)
SET r.success = (t.status = 'success')"""

# Parents are given at registration, so only a new version can close a cycle.
FIND_TEMPLATE_CYCLES = """\
UNWIND $rows AS row
MATCH (t:PromptTemplate
       {tenant_id: $tenant_id, template_id: row.template_id, version: row.version})
WHERE EXISTS { (t)-[:INHERITS]->+(t) }
RETURN row.i AS i"""


@dataclass(slots=True)
class _Batch:
    """What is known of a batch while its transaction runs."""

    mutations: Sequence[Mutation]
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    """Prompts that were placeholders."""

    def refuse(self, index: int, code: str, **detail: Any) -> None:
        self.outcomes[index] = Outcome.DEAD_LETTERED
        self.refusals.append(Refusal(index, code, detail))

    def open(self) -> dict[int, Mutation]:
        """Events that are neither known nor refused, by position."""
        return {i: m for i, m in enumerate(self.mutations) if i not in self.outcomes}


class Writer:
    """Write batches for one graph. Threads may share it."""

    def __init__(
        self, graph: Graph, model: GraphModel, *, on_written: OnWritten = lambda *_: None
    ) -> None:
        """Make a writer; ``on_written`` is told of each batch that was or may have been written."""
        self._graph = graph
        self._on_written = on_written
        self._model = model
        self._mappers = {label: plan.RowMapper(spec) for label, spec in model.nodes.items()}
        self._edge_mappers = {ends: plan.RowMapper(spec) for ends, spec in model.edges.items()}
        self._living = LivingWriter(model)
        self._columns = plan.Columns()
        self._tenants: set[str] = set()

    def write(
        self, tenant_id: str, mutations: Sequence[Mutation], *, source: str = "api"
    ) -> WriteResult:
        """Write a batch in one transaction; every event is stored, duplicate or dead-lettered.

        Idempotent. Raises GraphUnavailable when the server stays away,
        WriteMismatch and TypeError for faults of ours; then nothing is written.
        """
        write_id = random_int63()
        cyclic: set[int] = set()
        attempts = 0

        def work(transaction: neo4j.Transaction) -> WriteResult:
            nonlocal attempts
            attempts += 1
            tx = Transaction(transaction, tenant_id, write_id, self._graph.watch)
            return self._write(tx, mutations, cyclic, source)

        while True:
            try:
                result = self._graph.write(work)
            except _Cycles as cycles:
                # The transaction was rolled back; once more without the culprits.
                cyclic |= cycles.indexes
                continue
            except MemgraphError:
                # The commit may have come through although its answer did not.
                self._on_written(tenant_id, mutations, frozenset(self._model.nodes))
                raise
            self._tenants.add(tenant_id)
            self._on_written(tenant_id, mutations, result.relinked)
            result.attempts = attempts
            return result

    def _write(
        self, tx: Transaction, mutations: Sequence[Mutation], cyclic: set[int], source: str
    ) -> WriteResult:
        batch = _Batch(mutations)
        for index in sorted(cyclic):
            batch.outcomes[index] = Outcome.REJECTED
            batch.refusals.append(Refusal(index, TemplateCycle.code, {"field": "template.parent"}))
        if tx.tenant_id not in self._tenants:
            self._merge_tenant(tx)
        self._write_facts(tx, batch)
        self._write_fact_edges(tx, batch)
        living = self._living.write_changes(tx, batch.open())
        for index in sorted(living.conflicts):
            batch.refuse(index, "conflict", label=batch.mutations[index].changes[0].ref[0])
        accepted = batch.open()
        self._living.write_mentions(tx, list(accepted.values()))
        buried = self._write_edges(tx, accepted.values())
        places = [m.place for m in accepted.values() if m.place and m.fact not in buried]
        splice(tx, places, batch.filled)
        self._set_success(tx, accepted.values())
        self._check_templates(tx, accepted)
        self._write_dead_letters(tx, batch, source)
        for index, mutation in accepted.items():
            is_new = mutation.fact or mutation.fact_edge or index in living.changed
            is_kept = is_new and mutation.fact not in buried
            batch.outcomes[index] = Outcome.STORED if is_kept else Outcome.DUPLICATE
        return WriteResult(
            [batch.outcomes[i] for i in range(len(mutations))],
            batch.refusals,
            tx.nodes_created,
            tx.relationships_created,
            relinked=self._relinked(tx),
        )

    def _relinked(self, tx: Transaction) -> frozenset[str]:
        # An edge to a placeholder is not shown, and any class may have one.
        return frozenset(self._model.nodes if tx.nodes_filled else tx.relinked)

    def _merge_tenant(self, tx: Transaction) -> None:
        spec = self._model.nodes["Tenant"]
        row = {plan.ROW_INDEX: 0, "created_at": iso(now()), "name": tx.tenant_id}
        tx.rows(plan.merge_new(spec, self._columns.of("Tenant", [row])), [row])

    def _write_facts(self, tx: Transaction, batch: _Batch) -> None:
        by_label: dict[str, list[tuple[int, Mutation]]] = defaultdict(list)
        first: dict[Any, tuple[int, int]] = {}
        for index, mutation in batch.open().items():
            if mutation.fact is None:
                continue
            fact_hash = mutation.fact_hash()
            known = first.setdefault(mutation.fact, (index, fact_hash))
            if known[0] != index:
                self._settle(batch, index, fact_hash, known[1])
            else:
                by_label[mutation.fact[0]].append((index, mutation))
        for label, spec in self._model.nodes.items():
            if label in by_label:
                hashes = {i: first[m.fact][1] for i, m in by_label[label]}
                self._write_class(tx, batch, spec, by_label[label], hashes)

    def _write_class(
        self,
        tx: Transaction,
        batch: _Batch,
        spec: NodeSpec,
        members: list[tuple[int, Mutation]],
        hashes: dict[int, int],
    ) -> None:
        mapper = self._mappers[spec.label]
        rows = []
        for index, mutation in members:
            _, key = mutation.fact or ("", ())
            row = mapper(mutation.fact_properties)
            row.update(plan.key_row(spec, key))
            row["fact_hash"] = hashes[index]
            row[plan.ROW_INDEX] = index
            rows.append(row)
        rows.sort(key=lambda row: [row[name] for name in spec.key])
        present = self._columns.of(spec.label, rows)
        placeholders: set[int] = set()
        for known in tx.rows(plan.merge_new(spec, present), rows):
            if known["is_placeholder"]:
                placeholders.add(known["i"])
            elif known["is_tombstone"]:
                batch.outcomes[known["i"]] = Outcome.DUPLICATE
            else:
                self._settle(batch, known["i"], hashes[known["i"]], known["fact_hash"])
        if placeholders:
            waiting = [row for row in rows if row[plan.ROW_INDEX] in placeholders]
            self._fill(tx, batch, spec, waiting, present)

    def _fill(
        self,
        tx: Transaction,
        batch: _Batch,
        spec: NodeSpec,
        rows: list[dict[str, Any]],
        present: frozenset[str],
    ) -> None:
        filled = {r["i"] for r in tx.rows(plan.fill_placeholders(spec, present), rows)}
        if spec.label == "Prompt":
            batch.filled.extend(r["prompt_id"] for r in rows if r[plan.ROW_INDEX] in filled)
        raced = [row for row in rows if row[plan.ROW_INDEX] not in filled]
        if raced:
            mine = {row[plan.ROW_INDEX]: row["fact_hash"] for row in raced}
            for stored in tx.rows(plan.read_hashes(spec), raced):
                self._settle(batch, stored["i"], mine[stored["i"]], stored["fact_hash"])

    def _settle(self, batch: _Batch, index: int, sent: int, stored: int) -> None:
        """A known fact is a duplicate when the content is the same, else a conflict."""
        if sent == stored:
            batch.outcomes[index] = Outcome.DUPLICATE
        else:
            fact = batch.mutations[index].fact
            label = fact[0] if fact else ""
            batch.refuse(index, "conflict", label=label, sent_hash=sent, stored_hash=stored)

    def _write_fact_edges(self, tx: Transaction, batch: _Batch) -> None:
        first: dict[Any, tuple[int, int]] = {}
        groups: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
        for index, mutation in batch.open().items():
            edge = mutation.fact_edge
            if edge is None:
                continue
            fact_hash = mutation.fact_hash()
            known = first.setdefault((edge.start, edge.type, edge.end), (index, fact_hash))
            if known[0] != index:
                self._settle(batch, index, fact_hash, known[1])
                continue
            row = self._edge_row(edge)
            groups[edge.ends].append({plan.ROW_INDEX: index, **row, "fact_hash": fact_hash})
        for ends, rows in sorted(groups.items()):
            edge_spec = self._model.edges[ends]
            start, end = self._model.nodes[ends[0]], self._model.nodes[ends[2]]
            present = self._columns.of(ends, rows)
            statement = plan.merge_fact_edges(edge_spec, start, end, present)
            sent = {row[plan.ROW_INDEX]: row for row in rows}
            buried = []
            for stored in tx.rows(statement, rows):
                row = sent[stored["i"]]
                if stored["is_buried"]:
                    buried.append(row)
                    batch.outcomes[stored["i"]] = Outcome.DUPLICATE
                else:
                    self._settle(batch, stored["i"], row["fact_hash"], stored["fact_hash"])
            if buried:
                bury_dependents(tx, self._model, edge_spec, buried)

    def _write_edges(self, tx: Transaction, mutations: Iterable[Mutation]) -> set[Ref]:
        """Merge the edges; what belongs to something deleted is deleted too, and returned."""
        groups: dict[tuple[str, str, str], dict[Any, dict[str, Any]]] = defaultdict(dict)
        for mutation in mutations:
            for edge in mutation.edges:
                group = groups[edge.ends]
                row = self._edge_row(edge)
                key = (edge.start[1], edge.end[1])
                group[key] = _smaller(group[key], row) if key in group else row
        touching: list[tuple[EdgeSpec, list[dict[str, Any]]]] = []
        for ends in sorted(groups):
            edge_spec = self._model.edges[ends]
            start, end = self._model.nodes[ends[0]], self._model.nodes[ends[2]]
            rows = [groups[ends][key] for key in sorted(groups[ends])]
            present = self._columns.of(ends, rows)
            statement = plan.merge_edges(edge_spec, start, end, present)
            if tx.matched(statement, rows, ends[1].lower())["buried"]:
                touching.append((edge_spec, rows))
        # After all of them: with a prompt goes its answer of the same batch.
        buried = set[Ref]()
        for edge_spec, rows in touching:
            buried |= bury_dependents(tx, self._model, edge_spec, rows)
        return buried

    def _edge_row(self, edge: Edge) -> dict[str, Any]:
        start, end = self._model.nodes[edge.start[0]], self._model.nodes[edge.end[0]]
        properties = self._edge_mappers[edge.ends](edge.properties)
        return plan.edge_row(start, edge.start[1], end, edge.end[1], properties)

    def _set_success(self, tx: Transaction, mutations: Iterable[Mutation]) -> None:
        touched = set()
        for mutation in mutations:
            touched |= {c.ref[1][0] for c in mutation.changes if c.ref[0] == "ToolInvocation"}
            touched |= {e.end[1][0] for e in mutation.edges if e.type == "INVOKES"}
        if touched:
            tx.rows(SET_SUCCESS, [{"invocation_id": key} for key in sorted(touched)])
            tx.relinked.add("Response")

    def _check_templates(self, tx: Transaction, accepted: dict[int, Mutation]) -> None:
        rows = [
            {plan.ROW_INDEX: i, "template_id": m.fact[1][0], "version": m.fact[1][1]}
            for i, m in accepted.items()
            if m.fact and any(e.type == "INHERITS" for e in m.edges)
        ]
        if rows and (found := tx.rows(FIND_TEMPLATE_CYCLES, rows)):
            raise _Cycles({max(r["i"] for r in found)})

    def _write_dead_letters(self, tx: Transaction, batch: _Batch, source: str) -> None:
        spec = self._model.nodes["DeadLetter"]
        mapper = self._mappers["DeadLetter"]
        rows = []
        for refusal in batch.refusals:
            if batch.outcomes[refusal.index] is not Outcome.DEAD_LETTERED:
                continue
            payload = batch.mutations[refusal.index].payload
            row = mapper(
                {
                    "dead_letter_id": _dead_letter_id(source, refusal.code, payload),
                    "created_at": now(),
                    "source": source,
                    "reason": refusal.code,
                    "stage": "write",
                    "detail": refusal.detail,
                    "payload": base64.b64encode(payload).decode(),
                    "attempts": 1,
                }
            )
            rows.append({**row, plan.ROW_INDEX: refusal.index})
        if rows:
            tx.rows(plan.merge_new(spec, self._columns.of(spec.label, rows)), rows)


class _Cycles(Exception):  # a signal to the loop above, never seen outside
    def __init__(self, indexes: set[int]) -> None:
        super().__init__("templates inherit from themselves")
        self.indexes = indexes


def _smaller(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Per property the smaller value, as the merge statement decides."""
    merged = dict(one)
    for name, value in other.items():
        if name not in merged or value < merged[name]:
            merged[name] = value
    return merged


def _dead_letter_id(source: str, reason: str, payload: bytes) -> str:
    head = f"{source}\x00{reason}\x00".encode()
    return hashlib.sha256(head + payload).hexdigest()
