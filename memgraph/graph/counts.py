"""Count a tenant's nodes and relationships.

The count store answers at once but knows no tenants, so it serves a database
with one tenant. Otherwise a range of each class's uniqueness index is counted.
"""

from __future__ import annotations

from memgraph.domain.schema import PLACEHOLDER, TOMBSTONE, GraphModel, NodeSpec
from memgraph.graph.session import Graph

Counts = dict[str, dict[str, int]]
"""``nodes`` by label and ``relationships`` by type."""

READ_TENANTS = "MATCH (t:Tenant) RETURN count(t) AS tenants"


def read_counts(graph: Graph, model: GraphModel, tenant_id: str) -> Counts:
    """Count what is visible: no placeholders, no tombstones, no edges that touch them."""
    tenants = graph.read(READ_TENANTS)[0]["tenants"]
    statement = store_statement(model) if tenants == 1 else index_statement(model)
    counts: Counts = {"nodes": {}, "relationships": {}}
    for row in graph.read(statement, tenant_id=tenant_id):
        kind = counts[row["kind"]]
        kind[row["name"]] = kind.get(row["name"], 0) + row["n"]
    return {kind: {k: n for k, n in sorted(found.items()) if n} for kind, found in counts.items()}


def _content(model: GraphModel) -> list[NodeSpec]:
    return [spec for spec in model.nodes.values() if spec.is_content]


def store_statement(model: GraphModel) -> str:
    """Counts of the count store, less what is hidden. Only for a database of this tenant."""
    labels = [spec.label for spec in _content(model)]
    guard = "MATCH (t:Tenant {tenant_id: $tenant_id})\n"
    parts = [
        f"{guard}CALL () {{ MATCH (n:{label}) RETURN count(n) AS n }}\n"
        f"RETURN 'nodes' AS kind, '{label}' AS name, n"
        for label in labels
    ]
    types = sorted({e.type for e in model.edges.values()})
    parts += [
        f"{guard}CALL () {{ MATCH ()-[r:{type_}]->() RETURN count(r) AS n }}\n"
        f"RETURN 'relationships' AS kind, '{type_}' AS name, n"
        for type_ in types
    ]
    for marker in (PLACEHOLDER, TOMBSTONE):
        parts.append(
            f"MATCH (h:{marker} {{tenant_id: $tenant_id}})\n"
            f"UNWIND [label IN labels(h) WHERE label IN {labels}] AS name\n"
            f"RETURN 'nodes' AS kind, name, -count(*) AS n"
        )
    parts.append(
        f"CALL () {{\n"
        f"  MATCH (h:{PLACEHOLDER} {{tenant_id: $tenant_id}})-[r]-() RETURN r\n"
        f"  UNION\n"
        f"  MATCH (h:{TOMBSTONE} {{tenant_id: $tenant_id}})-[r]-() RETURN r\n"
        f"}}\n"
        f"RETURN 'relationships' AS kind, type(r) AS name, -count(r) AS n"
    )
    return "\nUNION ALL\n".join(parts)


def index_statement(model: GraphModel) -> str:
    """Counts of a range of the uniqueness index per label; degrees are stored with the nodes."""
    visible = f"!{PLACEHOLDER}&!{TOMBSTONE}"
    parts = []
    for spec in _content(model):
        keys = " AND ".join(f"n.{name} IS NOT NULL" for name in spec.key)
        anchor = f"MATCH (n:{spec.label}&{visible} {{tenant_id: $tenant_id}})\nWHERE {keys}"
        parts.append(f"{anchor}\nRETURN 'nodes' AS kind, '{spec.label}' AS name, count(n) AS n")
        ends: dict[str, list[str]] = {}
        for edge in model.edges.values():
            if edge.start == spec.label:
                ends.setdefault(edge.type, []).append(edge.end)
        parts += [
            f"{anchor}\nMATCH (n)-[r:{type_}]->(m:({'|'.join(sorted(labels))})&{visible})\n"
            f"RETURN 'relationships' AS kind, '{type_}' AS name, count(r) AS n"
            for type_, labels in sorted(ends.items())
        ]
    return "\nUNION ALL\n".join(parts)
