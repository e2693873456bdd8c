"""The living part of a batch: create what is new at once, merge the rest under its lock."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import orjson

from memgraph.domain.merging import BOOKKEEPING, Clock, Folded, LivingState, clock_of
from memgraph.domain.mutations import WEAK, Key, Mutation, Ref
from memgraph.domain.schema import GraphModel, NodeSpec
from memgraph.graph import plan
from memgraph.graph.session import Row
from memgraph.graph.transaction import Transaction

_WRITER_KEPT = frozenset({"tail_prompt_id", "tail_at"})
"""Bookkeeping that other steps of the writer keep on living nodes."""


@dataclass(slots=True)
class _Said:
    """One change of one event, encoded."""

    index: int
    values: dict[str, Any]
    clock: Clock
    final: bool
    weak: bool


@dataclass(slots=True)
class LivingOutcome:
    """Positions of the events that changed something, and of those that conflict."""

    changed: set[int] = field(default_factory=set)
    conflicts: set[int] = field(default_factory=set)


class LivingWriter:
    """Write the changes of a batch, class by class."""

    def __init__(self, model: GraphModel) -> None:
        self._model = model
        self._mappers = {label: plan.RowMapper(plan_spec) for label, plan_spec in _living(model)}
        self._columns = plan.Columns()
        self._clocked = {label: _clocked(spec) for label, spec in _living(model)}

    def write_changes(self, tx: Transaction, batch: dict[int, Mutation]) -> LivingOutcome:
        """Apply the changes of ``batch`` (by position). A conflict applies nothing of its event."""
        said: dict[Ref, list[_Said]] = defaultdict(list)
        for index, mutation in batch.items():
            for change in mutation.changes:
                said[change.ref].append(self._encode(index, mutation, change))
        outcome = LivingOutcome()
        for label, spec in self._model.nodes.items():
            refs = sorted(ref for ref in said if ref[0] == label)
            if refs:
                self._write_class(tx, spec, {ref[1]: said[ref] for ref in refs}, outcome)
        return outcome

    def _encode(self, index: int, mutation: Mutation, change: Any) -> _Said:
        label = change.ref[0]
        encoded = self._mappers[label](change.properties)
        values = {n: v for n, v in encoded.items() if n in self._clocked[label]}
        weak = change.rank == WEAK
        clock = clock_of(change.rank, mutation.occurred_at, mutation.event_id)
        return _Said(index, values, clock, change.final, weak)

    def _write_class(
        self,
        tx: Transaction,
        spec: NodeSpec,
        said: dict[Key, list[_Said]],
        outcome: LivingOutcome,
    ) -> None:
        keys = list(said)
        fresh = [_fold_all(LivingState(), said[key]) for key in keys]
        rows = [
            self._row(spec, key, one.state, i)
            for i, (key, one) in enumerate(zip(keys, fresh, strict=True))
        ]
        known = {
            r["i"]: r
            for r in tx.rows(plan.merge_new(spec, self._columns.of(spec.label, rows)), rows)
        }
        to_update: list[Key] = []
        for i, (key, folded) in enumerate(zip(keys, fresh, strict=True)):
            if i not in known:
                folded.report(outcome)
            elif self._changes(spec, known[i], said[key], outcome):
                to_update.append(key)
        if to_update:
            self._update(tx, spec, {key: said[key] for key in to_update}, outcome)

    def _changes(
        self, spec: NodeSpec, known: Row, said: list[_Said], outcome: LivingOutcome
    ) -> bool:
        """Whether a known node needs its lock: what changes nothing now never will."""
        if known["is_tombstone"]:
            return False
        if known["is_placeholder"]:
            return True
        folded = _fold_all(self._stored(spec, known), said)
        if folded.touched:
            return True
        folded.report(outcome)
        return False

    def _update(
        self,
        tx: Transaction,
        spec: NodeSpec,
        said: dict[Key, list[_Said]],
        outcome: LivingOutcome,
    ) -> None:
        keys = list(said)
        locks = [{plan.ROW_INDEX: i, **plan.key_row(spec, key)} for i, key in enumerate(keys)]
        answer = tx.rows(plan.lock_and_read(spec), locks)
        tx.expect(len(answer), len(keys), f"lock_{spec.snake}")
        rows = []
        for stored in answer:
            if stored["is_tombstone"]:
                continue
            key = keys[stored["i"]]
            folded = _fold_all(self._stored(spec, stored), said[key])
            folded.report(outcome)
            rows.append(self._row(spec, key, folded.state, stored["i"]))
        if rows:
            tx.matched(
                plan.update_living(spec, self._columns.of(spec.label, rows)),
                rows,
                f"update_{spec.snake}",
            )

    def _stored(self, spec: NodeSpec, answer: Row) -> LivingState:
        return LivingState.stored(answer["properties"], self._clocked[spec.label])

    def _row(self, spec: NodeSpec, key: Key, state: LivingState, i: int) -> dict[str, Any]:
        row = state.row()
        if spec.promoted:
            metadata = orjson.loads(row.get("metadata", "null")) or {}
            row.update({p.name: None for p in spec.promoted})
            row.update(self._mappers[spec.label].promoted(metadata))
        return {plan.ROW_INDEX: i, **plan.key_row(spec, key), **row}


@dataclass(slots=True)
class _Folded:
    """A state after the changes of a batch, and what each event did to it."""

    state: LivingState
    changed: set[int] = field(default_factory=set)
    conflicts: set[int] = field(default_factory=set)
    touched: bool = False
    """Something must be written."""

    def report(self, outcome: LivingOutcome) -> None:
        outcome.changed |= self.changed
        outcome.conflicts |= self.conflicts


def _fold_all(state: LivingState, said: list[_Said]) -> _Folded:
    """Fold in the order of the clocks, so that the first of two equal finals is the same one."""
    result = _Folded(state)
    for one in sorted(said, key=lambda s: s.clock):
        did = state.fold(one.values, one.clock, final=one.final)
        if did is Folded.CONFLICT:
            result.conflicts.add(one.index)
            continue
        times = (state.created_at, state.updated_at)
        state.seen(one.clock[1], changed_by=not one.weak)
        if did is Folded.CHANGED or times[0] is None:
            result.changed.add(one.index)
        result.touched |= did is Folded.CHANGED or times != (state.created_at, state.updated_at)
    return result


def _living(model: GraphModel) -> list[tuple[str, NodeSpec]]:
    return [(label, spec) for label, spec in model.nodes.items() if "clocks" in spec.by_name]


def _clocked(spec: NodeSpec) -> frozenset[str]:
    skipped = BOOKKEEPING | _WRITER_KEPT | set(spec.identity) | {p.name for p in spec.promoted}
    return frozenset(p.name for p in spec.properties if p.name not in skipped)
