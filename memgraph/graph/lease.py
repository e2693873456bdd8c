"""One holder at a time: a lease in the graph, kept alive by whoever holds it.

A holder that gives no sign of life for `DEAD_AFTER_S` is taken for dead, by the server's clock.
"""

from __future__ import annotations

import os
import platform

import neo4j

from memgraph.graph.naming import name_of
from memgraph.graph.session import Graph, row_of
from memgraph.ids import uuid7

INSTALLATION = ""
"""Tenant of what belongs to no tenant: no tenant can have this id."""
DEAD_AFTER_S = 30
RENEW_S = 5.0
"""So often a holder shows that it lives."""

# Setting updated_at takes the lock before it is read who holds the lease.
HOLD = """\
MERGE (j:JobRun {tenant_id: $tenant_id, job: $job, slot: $slot})
ON CREATE SET j.created_at = datetime(), j.fencing_number = 0
SET j.updated_at = datetime()
WITH j, coalesce(j.lease_owner, $owner) <> $owner
  AND j.heartbeat_at >= datetime() - duration({seconds: $dead_after_s}) AS is_taken
FOREACH (_ IN CASE WHEN is_taken THEN [] ELSE [1] END |
  SET j.fencing_number = j.fencing_number + CASE j.lease_owner WHEN $owner THEN 0 ELSE 1 END,
      j.lease_owner = $owner, j.heartbeat_at = datetime())
RETURN NOT is_taken AS is_held"""

LET_GO = """\
MATCH (j:JobRun {tenant_id: $tenant_id, job: $job, slot: $slot})
SET j.updated_at = datetime()
WITH j WHERE j.lease_owner = $owner
SET j.lease_owner = null, j.heartbeat_at = null
RETURN true AS is_held"""


class Lease:
    """The right to do a job for a slot, such as a tenant."""

    def __init__(self, graph: Graph, job: str, slot: str, *, dead_after_s: int = DEAD_AFTER_S):
        self._graph = graph
        self._parameters = {
            "tenant_id": INSTALLATION,
            "job": job,
            "slot": slot,
            "owner": f"{platform.node()} {os.getpid()} {uuid7()}",
            "dead_after_s": dead_after_s,
        }

    def hold(self) -> bool:
        """Take the lease or show that its holder lives; False when somebody else has it."""
        return self._run(HOLD)

    def let_go(self) -> None:
        """Leave it to whoever asks next."""
        self._run(LET_GO)

    def _run(self, statement: str) -> bool:
        def work(tx: neo4j.Transaction) -> bool:
            with self._graph.watch(name_of(statement), "write"):
                rows = [row_of(record) for record in tx.run(statement, self._parameters)]
            return any(row["is_held"] for row in rows)

        return self._graph.write(work)
