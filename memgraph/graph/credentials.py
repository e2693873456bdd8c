"""Keep tenants and their API keys in the graph."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import neo4j
import orjson

from memgraph.domain.errors import Conflict, NotFound, shown
from memgraph.domain.schema import GraphModel
from memgraph.graph import plan
from memgraph.graph.naming import name_of
from memgraph.graph.queries import query
from memgraph.graph.session import Graph, Row, row_of
from memgraph.ids import iso, random_int63

MOST_KEYS = 1_000

REVOKE_API_KEY = """\
MATCH (k:ApiKey {tenant_id: $tenant_id, key_id: $key_id})
SET k.revoked_at = coalesce(k.revoked_at, datetime($at))
RETURN k.key_id AS key_id"""

# Whoever changes what is kept together waits for the other one.
LOCK_TENANT = """\
MATCH (t:Tenant {tenant_id: $tenant_id})
SET t.updated_at = datetime($at)
RETURN t.limits AS limits, t.pii_policy AS pii_policy"""

SET_TERMS = """\
MATCH (t:Tenant {tenant_id: $tenant_id})
SET t.limits = $limits, t.pii_policy = $pii_policy"""

LIST_TENANTS = """\
MATCH (t:Tenant)
RETURN t.tenant_id AS tenant_id, t.name AS name, t.created_at AS created_at, t.limits AS limits,
    t.pii_policy AS pii_policy
ORDER BY t.tenant_id LIMIT $limit"""


class CredentialStore:
    """Tenants and API keys of one graph. Threads may share it."""

    def __init__(self, graph: Graph, model: GraphModel) -> None:
        self._graph = graph
        self._specs = {label: model.nodes[label] for label in ("Tenant", "ApiKey")}

    def find_api_key(self, tenant_id: str, key_id: str) -> Row | None:
        """What is kept of a key, its digest included."""
        rows = self._graph.read(query("access/find_key"), tenant_id=tenant_id, key_id=key_id)
        return rows[0]["key"] if rows else None

    def list_api_keys(self, tenant_id: str) -> list[Row]:
        """The newest keys of a tenant."""
        rows = self._graph.read(query("access/list_keys"), tenant_id=tenant_id, limit=MOST_KEYS)
        return [row["key"] for row in rows]

    def create_api_key(self, tenant_id: str, row: Row) -> None:
        """Keep a new key."""
        self._create("ApiKey", tenant_id, row)

    def revoke_api_key(self, tenant_id: str, key_id: str, at: datetime) -> bool:
        """End a key; False when there is none."""
        found = self._run(REVOKE_API_KEY, tenant_id=tenant_id, key_id=key_id, at=iso(at))
        return bool(found)

    def create_tenant(self, tenant_id: str, row: Row) -> None:
        """Keep a new tenant. Raises Conflict when there is one of this id."""
        self._create("Tenant", tenant_id, row)

    def list_tenants(self, *, limit: int = 10_000) -> list[Row]:
        """Every tenant: for operators, never for a caller of the API."""
        rows = self._graph.read(LIST_TENANTS, limit=limit)
        return [{**row, "limits": _limits(row)} for row in rows]

    def change_terms(self, tenant_id: str, change: Callable[[Row], Row], at: datetime) -> Row:
        """Make others of the ``limits`` and ``pii_policy`` of a tenant, in one transaction.

        Raises NotFound.
        """

        def work(tx: neo4j.Transaction) -> Row:
            locked = self._rows(tx, LOCK_TENANT, tenant_id=tenant_id, at=iso(at))
            if not locked:
                raise NotFound(f"no tenant {shown(tenant_id)}", kind="tenant")
            terms = change({**locked[0], "limits": _limits(locked[0])})
            limits = terms["limits"]
            text = orjson.dumps(limits, option=orjson.OPT_SORT_KEYS).decode() if limits else None
            self._rows(tx, SET_TERMS, tenant_id=tenant_id, **{**terms, "limits": text})
            return terms

        return self._graph.write(work)

    def _create(self, label: str, tenant_id: str, properties: Row) -> None:
        spec = self._specs[label]
        row = {**plan.RowMapper(spec)(properties), plan.ROW_INDEX: 0}
        statement = plan.merge_new(spec, frozenset(row) - {plan.ROW_INDEX})
        known = self._run(statement, tenant_id=tenant_id, rows=[row], write_id=random_int63())
        if known:
            raise Conflict(f"there is a {spec.snake.replace('_', ' ')} with this id")

    def _run(self, statement: str, **parameters: Any) -> list[Row]:
        return self._graph.write(lambda tx: self._rows(tx, statement, **parameters))

    def _rows(self, tx: neo4j.Transaction, statement: str, **parameters: Any) -> list[Row]:
        with self._graph.watch(name_of(statement), "write"):
            return [row_of(record) for record in tx.run(statement, parameters)]


def _limits(tenant: Row) -> Row:
    """The limits of a tenant that differ from the settings; what is no object is none."""
    limits = orjson.loads(tenant["limits"] or "{}")
    return limits if isinstance(limits, dict) else {}
