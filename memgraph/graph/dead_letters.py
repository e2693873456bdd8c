"""The dead letters of a tenant: list, read, note another attempt, remove. The writer makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import neo4j

from memgraph.domain.schema import GraphModel
from memgraph.graph.naming import name_of
from memgraph.graph.plan import decode
from memgraph.graph.queries import query
from memgraph.graph.session import Graph, Row, row_of
from memgraph.ids import iso, now

REMOVE_LETTERS = """\
UNWIND $ids AS id
MATCH (d:DeadLetter {tenant_id: $tenant_id, dead_letter_id: id})
DELETE d
RETURN count(*) AS count"""

NOTE_ATTEMPT = """\
UNWIND $ids AS id
MATCH (d:DeadLetter {tenant_id: $tenant_id, dead_letter_id: id})
SET d.attempts = d.attempts + 1, d.updated_at = datetime($at)
RETURN count(*) AS count"""


class DeadLetterStore:
    """The dead letters of one graph. Threads may share it."""

    def __init__(self, graph: Graph, model: GraphModel) -> None:
        self._graph = graph
        self._spec = model.nodes["DeadLetter"]

    def list_letters(
        self, tenant_id: str, *, source: str | None, reason: str | None, after: str, limit: int
    ) -> list[Row]:
        """Letters by id, those after ``after``, without detail and payload."""
        return self._graph.read(
            query("ingest/list_dead_letters"),
            tenant_id=tenant_id,
            source=source,
            reason=reason,
            after=after,
            limit=limit,
        )

    def read(self, tenant_id: str, ids: Sequence[str]) -> list[Row]:
        """Whole letters, the payload in base64; those that are not there are missing."""
        rows = self._graph.read(
            query("ingest/read_dead_letters"), tenant_id=tenant_id, ids=list(ids)
        )
        return [decode(self._spec, row["letter"]) for row in rows]

    def remove(self, tenant_id: str, ids: Sequence[str]) -> int:
        """Remove letters; how many were there."""
        return self._change(REMOVE_LETTERS, tenant_id, ids)

    def note_attempt(self, tenant_id: str, ids: Sequence[str]) -> int:
        """Count another attempt of letters that stay."""
        return self._change(NOTE_ATTEMPT, tenant_id, ids, at=iso(now()))

    def _change(self, statement: str, tenant_id: str, ids: Sequence[str], **more: Any) -> int:
        def work(tx: neo4j.Transaction) -> int:
            with self._graph.watch(name_of(statement), "write"):
                rows = tx.run(statement, tenant_id=tenant_id, ids=list(ids), **more)
                return sum(int(row_of(row)["count"]) for row in rows)

        return self._graph.write(work)
