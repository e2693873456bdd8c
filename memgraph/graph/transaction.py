"""One write transaction of one tenant: runs statements on rows and counts what they matched."""

from __future__ import annotations

from typing import Any

import neo4j

from memgraph.domain.errors import WriteMismatch
from memgraph.graph.session import Row, row_of


class Transaction:
    """Statements of one tenant and one batch inside a driver transaction."""

    def __init__(self, transaction: neo4j.Transaction, tenant_id: str, write_id: int) -> None:
        self._transaction = transaction
        self.tenant_id = tenant_id
        self.write_id = write_id
        self.nodes_created = 0
        self.relationships_created = 0

    def rows(self, statement: str, rows: list[dict[str, Any]]) -> list[Row]:
        """Run a statement over ``rows`` and return what it returns."""
        result = self._transaction.run(
            statement, tenant_id=self.tenant_id, write_id=self.write_id, rows=rows
        )
        answer = [row_of(record) for record in result]
        counters = result.consume().counters
        self.nodes_created += counters.nodes_created
        self.relationships_created += counters.relationships_created
        return answer

    def matched(self, statement: str, rows: list[dict[str, Any]], name: str) -> None:
        """Run a statement that returns ``matched`` and compare it with what was sent."""
        answer = self.rows(statement, rows)
        self.expect(answer[0]["matched"], len(rows), name)

    def expect(self, matched: int, sent: int, name: str) -> None:
        """Raise WriteMismatch, and so roll back, when rows got lost."""
        if matched != sent:
            raise WriteMismatch(
                f"statement {name} matched {matched} of {sent} rows",
                statement=name,
                matched=matched,
                sent=sent,
            )
