"""Messages whose enrichment is not complete: find them, and add what was missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import neo4j

from memgraph.domain.schema import COMPUTED, PLACEHOLDER, TOMBSTONE, GraphModel, NodeSpec
from memgraph.graph import plan
from memgraph.graph.session import Graph, Row
from memgraph.graph.transaction import Transaction
from memgraph.ids import random_int63

PENDING = "enrichment_pending"
LABELS = ("Prompt", "Response")
ADDABLE = ("language", "matched_template", "cost_usd")
"""What a stage may have left out."""


@lru_cache(maxsize=8)
def list_pending(spec: NodeSpec) -> str:
    """Messages of a tenant that wait, with all they have. Parameters: tenant_id, limit.

    The index holds only nodes that have the property.
    """
    return (
        f"MATCH (n:{spec.label}&!{PLACEHOLDER}&!{TOMBSTONE} {{tenant_id: $tenant_id}})\n"
        f"WHERE n.{PENDING} IS NOT NULL\n"
        f"RETURN properties(n) AS properties LIMIT $limit"
    )


@lru_cache(maxsize=8)
def complete(spec: NodeSpec) -> str:
    """Add what was found, and say what is still missing; what a sender said stays."""
    sets = ", ".join(
        f"n.{name} = coalesce(n.{name}, row.{name})" for name in ADDABLE if name in spec.by_name
    )
    return (
        f"UNWIND $rows AS row\n"
        f"MATCH {plan.pattern('n', spec)}\n"
        f"SET n.write_id = $write_id\n"
        f"WITH n, row WHERE n.{PENDING} IS NOT NULL AND NOT n:{TOMBSTONE}\n"
        f"SET {sets}, n.{PENDING} = row.pending,\n"
        f"  n.{COMPUTED} = CASE WHEN row.computed IS NULL THEN n.{COMPUTED}\n"
        f"    ELSE coalesce(n.{COMPUTED}, []) + row.computed END\n"
        f"RETURN count(n) AS count"
    )


class PendingMessages:
    """The messages of one graph that wait for enrichment. Threads may share it."""

    def __init__(self, graph: Graph, model: GraphModel) -> None:
        self._graph = graph
        self._specs = {label: model.nodes[label] for label in LABELS}

    def list_pending(self, tenant_id: str, label: str, limit: int) -> list[Row]:
        """Messages that wait, each with all it has, as far as stages look at it."""
        spec = self._specs[label]
        rows = self._graph.read(list_pending(spec), tenant_id=tenant_id, limit=limit)
        return [plan.decode(spec, row["properties"]) for row in rows]

    def complete(self, tenant_id: str, label: str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Add to messages by their keys: the properties found, ``computed``, still ``pending``."""
        spec = self._specs[label]

        def work(transaction: neo4j.Transaction) -> int:
            tx = Transaction(transaction, tenant_id, random_int63(), self._graph.watch)
            [answer] = tx.rows(complete(spec), [dict(row) for row in rows])
            return int(answer["count"])

        return self._graph.write(work)
