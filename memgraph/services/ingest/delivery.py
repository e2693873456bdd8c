"""Deliver a batch: write what is open, keep what was refused, isolate what cannot be written.

A server that is away or too busy is the caller's to know: nothing is
acknowledged, and the same batch can be sent again. Anything else that a batch
makes the server or us refuse is somebody's poison: the batch is cut in halves
until the poison stands alone and becomes a dead letter, and the rest is stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from memgraph.domain.errors import GraphRefused, MemgraphError, OutOfMemory, WriteMismatch
from memgraph.domain.mutations import Ended, Letter, Mutation, Outcome, Totals, WriteResult
from memgraph.services.enrichment.items import Item

POISON = (GraphRefused, WriteMismatch, OutOfMemory, TypeError)
"""What one event can make a whole batch fail with."""


class WritesBatches(Protocol):
    """What delivery needs of the writer."""

    def write(
        self,
        tenant_id: str,
        mutations: Sequence[Mutation],
        *,
        source: str,
        ended: Ended | None = None,
    ) -> WriteResult: ...


@dataclass(frozen=True, eq=False)
class Delivery:
    """Writes batches of one graph. Threads share it."""

    writer: WritesBatches

    def deliver(self, tenant_id: str, items: Sequence[Item], source: str) -> None:
        """Settle every item: afterwards each has its outcome, and all of it is committed.

        Raises GraphUnavailable or Overloaded when the server is away; then an item
        without outcome may be written or not, and delivering it again does no harm.
        """
        ended = Ended(Totals())
        for item in items:
            if item.outcome is not None:
                ended.totals.add([item.outcome])
                if item.outcome is Outcome.DEAD_LETTERED:
                    ended.letters.append(_letter(item))
        self._write(tenant_id, [i for i in items if i.outcome is None], source, ended)

    def _write(
        self, tenant_id: str, items: Sequence[Item], source: str, ended: Ended | None = None
    ) -> None:
        mutations = [i.mutation for i in items if i.mutation is not None]
        try:
            result = self.writer.write(tenant_id, mutations, source=source, ended=ended)
        except POISON as error:
            self._isolate(tenant_id, items, source, ended, error)
            return
        for item, outcome in zip(items, result.outcomes, strict=True):
            item.outcome = outcome
        for refusal in result.refusals:
            item = items[refusal.index]
            item.code, item.stage, item.detail = refusal.code, "write", refusal.detail

    def _isolate(
        self,
        tenant_id: str,
        items: Sequence[Item],
        source: str,
        ended: Ended | None,
        error: Exception,
    ) -> None:
        if ended is not None and (ended.totals.received or not items):
            if not items:
                raise error  # not even the letters can be written
            self._write(tenant_id, (), source, ended)
        if len(items) == 1:
            self._bury(tenant_id, items[0], source, error)
            return
        half = len(items) // 2
        self._write(tenant_id, items[:half], source)
        self._write(tenant_id, items[half:], source)

    def _bury(self, tenant_id: str, item: Item, source: str, error: Exception) -> None:
        code = error.code if isinstance(error, MemgraphError) else "unwritable"
        totals = Totals(dead_lettered=1)
        letter = Letter(code, "write", item.payload, _facts(error))
        self.writer.write(tenant_id, [], source=source, ended=Ended(totals, [letter]))
        item.end(Outcome.DEAD_LETTERED, code, **letter.detail)
        item.stage = "write"


def _letter(item: Item) -> Letter:
    return Letter(item.code, item.stage, item.payload, item.detail)


def _facts(error: Exception) -> dict[str, object]:
    return dict(error.facts) if isinstance(error, MemgraphError) else {"kind": type(error).__name__}
