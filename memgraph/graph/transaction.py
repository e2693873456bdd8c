"""One write transaction of one tenant: runs statements on rows and counts what they matched."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import neo4j

from memgraph.domain.errors import WriteMismatch
from memgraph.domain.mutations import Ref
from memgraph.graph.naming import name_of
from memgraph.graph.session import Row, Watch, row_of, unwatched

KEEP_PLAN = "CYPHER replan=skip\n"
"""To plan a statement anew takes some 50 ms, under the locks of the others."""

_NODE_WITHOUT_KEY = re.compile(
    r"\(\w*:\w+\)|\(\w*:(?!Tenant)\w+ \{tenant_id: \$tenant_id\}\)|[->]\(\)|\(\)[-<]"
)


@lru_cache(maxsize=4096)
def kept(statement: str) -> str:
    """Let the server keep the plan of a statement when there is only one that is good.

    That is so when it names every node by its key. One that goes on to nodes of a class may
    begin at either end, and what is best in an empty graph scans a full one: it is planned
    anew when the graph has grown.
    """
    return statement if _NODE_WITHOUT_KEY.search(statement) else KEEP_PLAN + statement


class Transaction:
    """Statements of one tenant and one batch inside a driver transaction."""

    def __init__(
        self,
        transaction: neo4j.Transaction,
        tenant_id: str,
        write_id: int,
        watch: Watch = unwatched,
    ) -> None:
        self._transaction = transaction
        self._watch = watch
        self.tenant_id = tenant_id
        self.write_id = write_id
        self.nodes_created = 0
        self.relationships_created = 0
        self.relinked: set[str] = set()
        """Labels of nodes outside the batch whose edges changed or came to be seen."""
        self.nodes_filled = 0
        self.buried: list[Ref] = []
        """Nodes that were made tombstones."""

    def rows(self, statement: str, rows: list[dict[str, Any]]) -> list[Row]:
        """Run a statement over ``rows`` and return what it returns."""
        with self._watch(name_of(statement), "write"):
            result = self._transaction.run(
                kept(statement), tenant_id=self.tenant_id, write_id=self.write_id, rows=rows
            )
            answer = [row_of(record) for record in result]
            counters = result.consume().counters
        self.nodes_created += counters.nodes_created
        self.relationships_created += counters.relationships_created
        # The one label that a batch removes is that of placeholders.
        self.nodes_filled += counters.labels_removed
        return answer

    def matched(self, statement: str, rows: list[dict[str, Any]], name: str) -> Row:
        """Run a statement that returns ``matched``, compare it with what was sent; its row."""
        [answer] = self.rows(statement, rows)
        self.expect(answer["matched"], len(rows), name)
        return answer

    def expect(self, matched: int, sent: int, name: str) -> None:
        """Raise WriteMismatch, and so roll back, when rows got lost."""
        if matched != sent:
            raise WriteMismatch(
                f"statement {name} matched {matched} of {sent} rows",
                statement=name,
                matched=matched,
                sent=sent,
            )
