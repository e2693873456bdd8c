"""The one writer: a batch of mutations of one tenant becomes one managed transaction.

Order inside: facts (new, known, placeholder), edges that are facts, changes of
living nodes, edges and who is only named, FOLLOWS, derived properties, dead letters. What
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
from memgraph.domain.events.changes import notes_of, notes_of_deleted
from memgraph.domain.mutations import (
    Ended,
    Letter,
    Mutation,
    Outcome,
    Refusal,
    Totals,
    WriteResult,
)
from memgraph.domain.schema import GraphModel, NodeSpec
from memgraph.graph import edge_plan, plan
from memgraph.graph.deletion import bury_dependents
from memgraph.graph.ledger import count_events
from memgraph.graph.linking import Linker
from memgraph.graph.living import LivingWriter
from memgraph.graph.outbox import packed
from memgraph.graph.session import Graph
from memgraph.graph.splice import splice
from memgraph.graph.transaction import Transaction
from memgraph.ids import iso, now, random_int63

OnWritten = Callable[[str, Sequence[Mutation], frozenset[str]], None]
"""Told the tenant, the mutations, and the labels of nodes whose edges changed besides."""

# The tool says how a call ended, the edge repeats it for those who read edges. The other end
# has no label: in a young graph a plan may begin at the nodes of a label, and it is in use for
# seconds after there are thousands.
SET_SUCCESS = """\
UNWIND $rows AS row
MATCH (t:ToolInvocation {tenant_id: $tenant_id, invocation_id: row.invocation_id})
WHERE t.status IN ['success', 'failed']
MATCH (t)<-[r:INVOKES]-()
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
        if self.mutations[index].is_retold:
            self.outcomes[index] = Outcome.DUPLICATE
            return
        self.outcomes[index] = Outcome.DEAD_LETTERED
        self.refusals.append(Refusal(index, code, detail))

    def letters(self) -> list[Letter]:
        """What is kept of the events that were refused."""
        return [
            Letter(r.code, "write", self.mutations[r.index].payload, r.detail)
            for r in self.refusals
            if self.outcomes[r.index] is Outcome.DEAD_LETTERED
        ]

    def open(self) -> dict[int, Mutation]:
        """Events that are neither known nor refused, by position."""
        return {i: m for i, m in enumerate(self.mutations) if i not in self.outcomes}


class Writer:
    """Write batches for one graph. Threads may share it."""

    def __init__(
        self,
        graph: Graph,
        model: GraphModel,
        *,
        on_written: OnWritten = lambda *_: None,
        announces: bool = True,
    ) -> None:
        """Make a writer; ``on_written`` is told of each batch that was or may have been written.

        What is stored goes to the outbox unless ``announces`` is off.
        """
        self._graph = graph
        self._on_written = on_written
        self._announces = announces
        self._model = model
        self._mappers = {label: plan.RowMapper(spec) for label, spec in model.nodes.items()}
        self._linker = Linker(model)
        self._living = LivingWriter(model)
        self._columns = plan.Columns()
        self._tenants: set[str] = set()

    def write(
        self,
        tenant_id: str,
        mutations: Sequence[Mutation],
        *,
        source: str = "api",
        ended: Ended | None = None,
    ) -> WriteResult:
        """Write a batch in one transaction; every event is stored, duplicate or dead-lettered.

        Events that ``ended`` before are counted with the batch, their letters kept.
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
            return self._write(tx, mutations, cyclic, source, ended or Ended(Totals()))

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
        self,
        tx: Transaction,
        mutations: Sequence[Mutation],
        cyclic: set[int],
        source: str,
        ended: Ended,
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
        buried = self._linker.write(tx, accepted.values())
        places = [m.place for m in accepted.values() if m.place and m.fact not in buried]
        splice(tx, places, batch.filled)
        self._set_success(tx, accepted.values())
        self._check_templates(tx, accepted)
        self._write_dead_letters(tx, [*ended.letters, *batch.letters()], source)
        for index, mutation in accepted.items():
            is_new = mutation.fact or mutation.fact_edge or index in living.changed
            is_kept = is_new and mutation.fact not in buried
            batch.outcomes[index] = Outcome.STORED if is_kept else Outcome.DUPLICATE
        outcomes = [batch.outcomes[i] for i in range(len(mutations))]
        self._count(tx, source, outcomes, ended.totals, self._told(tx, mutations, outcomes))
        return WriteResult(
            outcomes,
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
            row = mapper({**mutation.fact_properties, **mutation.enriched})
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
            row = self._linker.row(edge)
            groups[edge.ends].append({plan.ROW_INDEX: index, **row, "fact_hash": fact_hash})
        for ends, rows in sorted(groups.items()):
            edge_spec = self._model.edges[ends]
            start, end = self._model.nodes[ends[0]], self._model.nodes[ends[2]]
            present = self._columns.of(ends, rows)
            statement = edge_plan.merge_fact_edges(edge_spec, start, end, present)
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

    def _told(
        self, tx: Transaction, mutations: Sequence[Mutation], outcomes: list[Outcome]
    ) -> str | None:
        """What the outbox gets of a batch."""
        if not self._announces:
            return None
        stored = [m for m, o in zip(mutations, outcomes, strict=True) if o is Outcome.STORED]
        # Facts that were buried as they were written were never there for anybody.
        unseen = {m.fact for m in mutations} if tx.buried else set()
        deleted = [ref for ref in tx.buried if ref not in unseen]
        return packed([*notes_of(stored), *notes_of_deleted(deleted, now())])

    def _count(
        self,
        tx: Transaction,
        source: str,
        outcomes: list[Outcome],
        ended: Totals,
        events: str | None,
    ) -> None:
        totals = Totals()
        totals.add(outcomes)
        count_events(tx, source, len(outcomes) + ended.received, totals + ended, events)

    def _write_dead_letters(self, tx: Transaction, letters: Sequence[Letter], source: str) -> None:
        spec = self._model.nodes["DeadLetter"]
        mapper = self._mappers["DeadLetter"]
        rows = []
        for index, letter in enumerate(letters):
            row = mapper(
                {
                    "dead_letter_id": _dead_letter_id(source, letter.code, letter.payload),
                    "created_at": now(),
                    "source": source,
                    "reason": letter.code,
                    "stage": letter.stage,
                    "detail": letter.detail,
                    "payload": base64.b64encode(letter.payload).decode(),
                    "attempts": 1,
                }
            )
            rows.append({**row, plan.ROW_INDEX: index})
        if rows:
            tx.rows(plan.merge_new(spec, self._columns.of(spec.label, rows)), rows)


class _Cycles(Exception):  # a signal to the loop above, never seen outside
    def __init__(self, indexes: set[int]) -> None:
        super().__init__("templates inherit from themselves")
        self.indexes = indexes


def _dead_letter_id(source: str, reason: str, payload: bytes) -> str:
    head = f"{source}\x00{reason}\x00".encode()
    return hashlib.sha256(head + payload).hexdigest()
