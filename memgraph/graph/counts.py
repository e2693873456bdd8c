"""Count a tenant's nodes and relationships.

The count store answers at once but knows no tenants, so it serves a tenant that
has the database to itself. Otherwise a range of each class's uniqueness index is
counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memgraph.domain.schema import PLACEHOLDER, TOMBSTONE, GraphModel, NodeSpec
from memgraph.graph.outbox import read_waiting
from memgraph.graph.session import Graph, Row

Counts = dict[str, dict[str, int]]
"""``nodes`` by label and ``relationships`` by type."""

IS_ALONE = """\
MATCH (t:Tenant)
WITH count(t) AS tenants
RETURN tenants = 1 AND EXISTS { (:Tenant {tenant_id: $tenant_id}) } AS is_alone"""


def read_counts(graph: Graph, model: GraphModel, tenant_id: str) -> Counts:
    """Count what is visible: no placeholders, no tombstones, no edges that touch them."""
    if is_alone(graph, tenant_id):
        rows = graph.read(store_statement(model), tenant_id=tenant_id)
        # Another tenant may have come in between, and those were its nodes too.
        if is_alone(graph, tenant_id):
            return summed(rows)
    return summed(graph.read(index_statement(model), tenant_id=tenant_id))


def read_census(graph: Graph, model: GraphModel) -> list[Row]:
    """Rows of (kind, name, n) of the whole database, noughts too, and of what waits: for operators.

    Two round trips.
    """
    return [*graph.read(census_statement(model)), *read_waiting(graph)]


def is_alone(graph: Graph, tenant_id: str) -> bool:
    """Whether the database holds this tenant and no other."""
    return bool(graph.read(IS_ALONE, tenant_id=tenant_id)[0]["is_alone"])


def summed(rows: list[Row]) -> Counts:
    """Add up rows of (kind, name, n); what sums to nothing is left out."""
    counts: Counts = {"nodes": {}, "relationships": {}}
    for row in rows:
        kind = counts[row["kind"]]
        kind[row["name"]] = kind.get(row["name"], 0) + row["n"]
    return {kind: {k: n for k, n in sorted(found.items()) if n} for kind, found in counts.items()}


def _content(model: GraphModel) -> list[NodeSpec]:
    return [spec for spec in model.nodes.values() if spec.is_content]


def store_statement(model: GraphModel) -> str:
    """Counts of the count store, less what is hidden. Only for a database of this tenant."""
    labels = [spec.label for spec in _content(model)]
    parts = [*_stored(labels, model)]
    parts += [
        f"MATCH (h:{hidden} {{tenant_id: $tenant_id}})\n"
        f"UNWIND [label IN labels(h) WHERE label IN {labels}] AS name\n"
        f"RETURN 'nodes' AS kind, name, -count(*) AS n"
        for hidden in (PLACEHOLDER, f"{TOMBSTONE}&!{PLACEHOLDER}")
    ]
    parts.append(
        f"CALL () {{\n"
        f"  MATCH (h:{PLACEHOLDER} {{tenant_id: $tenant_id}})-[r]-() RETURN r\n"
        f"  UNION\n"
        f"  MATCH (h:{TOMBSTONE} {{tenant_id: $tenant_id}})-[r]-() RETURN r\n"
        f"}}\n"
        f"RETURN 'relationships' AS kind, type(r) AS name, -count(r) AS n"
    )
    return "\nUNION ALL\n".join(parts)


def census_statement(model: GraphModel) -> str:
    """Counts of the count store over all tenants, what is hidden included and by its own label."""
    return "\nUNION ALL\n".join(_stored([*model.nodes, PLACEHOLDER, TOMBSTONE], model))


def _stored(labels: Iterable[str], model: GraphModel) -> Iterator[str]:
    for label in labels:
        yield f"MATCH (n:{label}) WITH count(n) AS n RETURN 'nodes' AS kind, '{label}' AS name, n"
    for type_ in sorted(model.edge_types):
        yield (
            f"MATCH ()-[r:{type_}]->() WITH count(r) AS n\n"
            f"RETURN 'relationships' AS kind, '{type_}' AS name, n"
        )


def index_statement(model: GraphModel) -> str:
    """Counts of a range of the uniqueness index per label, and of the edges from there."""
    visible = f"!{PLACEHOLDER}&!{TOMBSTONE}"
    parts = []
    for spec in _content(model):
        keys = " AND ".join(f"n.{name} IS NOT NULL" for name in spec.key)
        # The hint: of a type with few edges the planner would read those of all tenants.
        anchor = (
            f"MATCH (n:{spec.label}&{visible} {{tenant_id: $tenant_id}})\n"
            f"USING INDEX n:{spec.label}({', '.join(spec.identity)})\nWHERE {keys}"
        )
        parts.append(f"{anchor}\nRETURN 'nodes' AS kind, '{spec.label}' AS name, count(n) AS n")
        ends: dict[str, list[str]] = {}
        for edge in model.edges.values():
            if edge.start == spec.label:
                ends.setdefault(edge.type, []).append(edge.end)
        parts += [
            f"{anchor}\nMATCH (n)-[r:{type_}]->\n"
            f"  (m:({'|'.join(sorted(labels))})&{visible} {{tenant_id: $tenant_id}})\n"
            f"RETURN 'relationships' AS kind, '{type_}' AS name, count(r) AS n"
            for type_, labels in sorted(ends.items())
        ]
    return "\nUNION ALL\n".join(parts)
