"""The inbox of traces: spans and log records as they came, until their trace is put together.

Every trace has a time when something is due: assembling while something is new, then
removing. Who takes a trace that is due moves that time on, so that others leave it alone,
and so that it is due again when the taker dies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import neo4j

from memgraph.graph.session import Graph, Row
from memgraph.graph.transaction import Transaction
from memgraph.ids import random_int63

# A fragment that this very transaction made is new also when its commit is tried again.
KEEP_FRAGMENTS = """\
UNWIND $rows AS row
MERGE (f:TraceFragment {tenant_id: $tenant_id, fragment_id: row.fragment_id})
ON CREATE SET f.created_at = datetime(), f.write_id = $write_id, f.trace_id = row.trace_id,
  f.content = row.content
WITH f WHERE f.write_id = $write_id
RETURN f.trace_id AS trace_id"""

KEEP_TENANT = """\
UNWIND $rows AS row
MERGE (t:Tenant {tenant_id: $tenant_id})
ON CREATE SET t.created_at = datetime(), t.name = $tenant_id"""

NOTE_TRACES = """\
UNWIND $rows AS row
MERGE (a:TraceAssembly {tenant_id: $tenant_id, trace_id: row.trace_id})
ON CREATE SET a.created_at = datetime()
SET a.write_id = $write_id, a.updated_at = datetime(), a.assembled_at = null,
  a.due_at = datetime() + duration({milliseconds: row.wait_ms})"""

# One entry of the index for each tenant.
LIST_DUE_TENANTS = """\
MATCH (t:Tenant)
WHERE EXISTS {
  MATCH (a:TraceAssembly {tenant_id: t.tenant_id}) WHERE a.due_at <= datetime()
}
RETURN t.tenant_id AS tenant_id ORDER BY tenant_id"""

# Setting taken_at takes the lock before it is read whether the trace is still due.
TAKE = """\
MATCH (a:TraceAssembly {tenant_id: $tenant_id})
WHERE a.due_at <= datetime()
WITH a ORDER BY a.tenant_id, a.due_at LIMIT $limit
SET a.taken_at = datetime()
WITH a WHERE a.due_at <= datetime()
SET a.write_id = $write_id, a.due_at = datetime() + duration({milliseconds: $lease_ms})
RETURN a.trace_id AS trace_id, a.assembled_at IS NOT NULL AS is_assembled,
  duration.inSeconds(a.updated_at, datetime()).milliseconds / 1000.0 AS quiet_s,
  duration.inSeconds(a.created_at, datetime()).milliseconds / 1000.0 AS age_s"""

READ_FRAGMENTS = """\
UNWIND $ids AS id
MATCH (f:TraceFragment {tenant_id: $tenant_id, trace_id: id})
RETURN f.trace_id AS trace_id, f.content AS content"""

# What came in since has another write_id, and its own time.
FINISH = """\
UNWIND $rows AS row
MATCH (a:TraceAssembly {tenant_id: $tenant_id, trace_id: row.trace_id})
SET a.taken_at = null
WITH a, row WHERE a.write_id = $write_id
SET a.due_at = a.updated_at + duration({milliseconds: row.wait_ms}),
  a.assembled_at = CASE WHEN row.is_assembled THEN datetime() END"""

REMOVE_TRACES = """\
UNWIND $rows AS row
MATCH (a:TraceAssembly {tenant_id: $tenant_id, trace_id: row.trace_id})
SET a.taken_at = null
WITH a, a.trace_id AS trace_id WHERE a.write_id = $write_id
DELETE a
RETURN trace_id"""

REMOVE_FRAGMENTS = """\
UNWIND $rows AS row
MATCH (f:TraceFragment {tenant_id: $tenant_id, trace_id: row.trace_id})
DELETE f"""

FIND_FINISHED_CALLS = """\
UNWIND $ids AS id
MATCH (t:ToolInvocation {tenant_id: $tenant_id, invocation_id: id})
WHERE t.status IN ['success', 'failed']
RETURN id"""

COUNT_WAITING = """\
MATCH (a:TraceAssembly {tenant_id: $tenant_id})
WHERE a.due_at IS NOT NULL
RETURN count(CASE WHEN a.assembled_at IS NULL THEN 1 END) AS count"""

LEASE_S = 60.0
"""So long who took a trace may work at it alone."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """What came together of one trace."""

    trace_id: str
    content: str
    wait_s: float
    """How long the trace waits for more."""

    @property
    def fragment_id(self) -> str:
        return hashlib.sha256(f"{self.trace_id}\n{self.content}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Taken:
    """A trace that is due."""

    trace_id: str
    is_assembled: bool
    """Nothing is new."""
    quiet_s: float
    """Since something came."""
    age_s: float
    """Since the first came."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What is next for a trace, ``wait_s`` after something last came."""

    trace_id: str
    wait_s: float
    is_assembled: bool


class TraceInbox:
    """The inbox of one graph. Threads and processes may share it."""

    def __init__(self, graph: Graph, *, lease_s: float = LEASE_S) -> None:
        self._graph = graph
        self._lease_s = lease_s

    def keep(self, tenant_id: str, fragments: Iterable[Fragment]) -> int:
        """Keep fragments in one transaction; how many were not known. Idempotent."""
        by_id = {fragment.fragment_id: fragment for fragment in fragments}
        rows: list[Row] = [
            {"fragment_id": i, "trace_id": by_id[i].trace_id, "content": by_id[i].content}
            for i in sorted(by_id)
        ]
        waits = {fragment.trace_id: _ms(fragment.wait_s) for fragment in by_id.values()}
        write_id = random_int63()

        def work(transaction: neo4j.Transaction) -> int:
            tx = Transaction(transaction, tenant_id, write_id, self._graph.watch)
            new = [row["trace_id"] for row in tx.rows(KEEP_FRAGMENTS, rows)]
            traces = [{"trace_id": i, "wait_ms": waits[i]} for i in sorted(set(new))]
            if traces:
                tx.rows(KEEP_TENANT, [{}])
                tx.rows(NOTE_TRACES, traces)
            return len(new)

        return self._graph.write(work) if rows else 0

    def list_tenants(self) -> list[str]:
        """Tenants with a trace that is due: for workers, never for a caller of the API."""
        return [row["tenant_id"] for row in self._graph.read(LIST_DUE_TENANTS)]

    def take(self, tenant_id: str, limit: int) -> tuple[int, list[Taken]]:
        """Take traces that are due, longest due first; what is taken goes by the number."""
        write_id = random_int63()

        def work(transaction: neo4j.Transaction) -> list[Row]:
            asked = {
                "tenant_id": tenant_id,
                "limit": limit,
                "lease_ms": _ms(self._lease_s),
                "write_id": write_id,
            }
            return [dict(record) for record in transaction.run(TAKE, asked)]

        return write_id, [Taken(**row) for row in self._graph.write(work)]

    def read(self, tenant_id: str, trace_ids: Sequence[str]) -> dict[str, list[str]]:
        """What is kept of traces, by their ids, in no order. One round trip."""
        found: dict[str, list[str]] = {trace_id: [] for trace_id in trace_ids}
        for row in self._graph.read(READ_FRAGMENTS, tenant_id=tenant_id, ids=list(trace_ids)):
            found[row["trace_id"]].append(row["content"])
        return found

    def finish(self, tenant_id: str, write_id: int, finished: Iterable[Finished]) -> None:
        """Give back what was taken under a number; what came in since stays due by itself."""
        rows: list[Row] = [
            {"trace_id": one.trace_id, "wait_ms": _ms(one.wait_s), "is_assembled": one.is_assembled}
            for one in sorted(finished, key=lambda one: one.trace_id)
        ]
        self._graph.write(
            lambda transaction: Transaction(
                transaction, tenant_id, write_id, self._graph.watch
            ).rows(FINISH, rows)
        )

    def remove(self, tenant_id: str, write_id: int, trace_ids: Iterable[str]) -> None:
        """Remove traces that were taken under a number, unless something came in since."""
        rows: list[Row] = [{"trace_id": trace_id} for trace_id in sorted(trace_ids)]

        def work(transaction: neo4j.Transaction) -> None:
            tx = Transaction(transaction, tenant_id, write_id, self._graph.watch)
            tx.rows(REMOVE_FRAGMENTS, tx.rows(REMOVE_TRACES, rows))

        self._graph.write(work)

    def find_finished_calls(self, tenant_id: str, invocation_ids: Iterable[str]) -> set[str]:
        """Tool invocations of which the end is known. One round trip."""
        rows = self._graph.read(
            FIND_FINISHED_CALLS, tenant_id=tenant_id, ids=sorted(invocation_ids)
        )
        return {row["id"] for row in rows}

    def count_waiting(self, tenant_id: str) -> int:
        """Traces with something that is not put together yet."""
        [row] = self._graph.read(COUNT_WAITING, tenant_id=tenant_id)
        return int(row["count"])


def _ms(seconds: float) -> int:
    return round(seconds * 1_000)
