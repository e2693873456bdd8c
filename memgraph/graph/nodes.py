"""Read single nodes of any class with what they point to, and lists in the order of time.

Statements are derived from the descriptors, one per class, so that each kind of
thing can be read the same way.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from memgraph.domain.errors import NotFound, shown
from memgraph.domain.schema import PLACEHOLDER, TOMBSTONE, GraphModel, NodeSpec
from memgraph.graph.kinds import TypedKey, show_key
from memgraph.graph.plan import decode
from memgraph.graph.session import Graph, Row

LINKS = 200
"""Outgoing edges that a node is shown with."""

_HIDDEN = f"{PLACEHOLDER}|{TOMBSTONE}"


class NodeReader:
    """Read nodes of one graph by their keys. Threads may share it."""

    def __init__(self, graph: Graph, model: GraphModel) -> None:
        self._graph = graph
        self._model = model

    def get(self, tenant_id: str, label: str, key: TypedKey) -> Row:
        """A node with its ``links``. Raises NotFound."""
        found = self.find(tenant_id, label, key)
        if found is None:
            kind = self._model.nodes[label].snake
            raise NotFound(f"no {kind} {shown(show_key(key))} in this tenant", kind=kind)
        return found

    def find(self, tenant_id: str, label: str, key: TypedKey) -> Row | None:
        """The same; None when there is no such node."""
        spec = self._model.nodes[label]
        rows = self._graph.read(
            node_statement(self._model, label),
            tenant_id=tenant_id,
            links=LINKS,
            **dict(zip(spec.key, key, strict=True)),
        )
        if not rows:
            return None
        return {**public(spec, rows[0]["node"]), "links": list(map(self._link, rows[0]["links"]))}

    def _link(self, link: Row) -> Row:
        label = next(label for label in link["labels"] if label in self._model.nodes)
        end = self._model.nodes[label]
        edge = self._model.edge_types[link["type"]][0]
        said = {
            n: v
            for n, v in link["properties"].items()
            if v is not None and not edge.by_name[n].internal
        }
        return {
            "type": link["type"],
            "kind": end.snake,
            "id": show_key(link["key"][name] for name in end.key),
            "properties": decode(edge, said),
        }


def public(spec: NodeSpec, properties: dict[str, Any]) -> Row:
    """What people see of a node: decoded, without bookkeeping and what is not set."""
    kept = {
        p.name: properties[p.name]
        for p in spec.properties
        if not p.internal and p.name != "tenant_id" and properties.get(p.name) is not None
    }
    return decode(spec, kept)


@lru_cache(maxsize=256)
def node_statement(model: GraphModel, label: str) -> str:
    """One row: the node's properties and its outgoing edges. Parameters: its key, links."""
    spec = model.nodes[label]
    keys = "".join(f", {name}: ${name}" for name in spec.key)
    outgoing = [e for e in model.edges.values() if e.start == label]
    return (
        f"MATCH (n:{label} {{tenant_id: $tenant_id{keys}}})\n"
        f"WHERE NOT n:{_HIDDEN}\n"
        f"RETURN properties(n) AS node, {_links(model, outgoing)} AS links"
    )


def _links(model: GraphModel, outgoing: list[Any]) -> str:
    if not outgoing:
        return "[]"
    types = "|".join(sorted({e.type for e in outgoing}))
    keys = sorted({f".{name}" for e in outgoing for name in model.nodes[e.end].key})
    return (
        f"COLLECT {{\n"
        f"  MATCH (n)-[r:{types}]->(m {{tenant_id: $tenant_id}})\n"
        f"  WHERE NOT m:{_HIDDEN}\n"
        f"  WITH r, m LIMIT $links\n"
        f"  RETURN {{type: type(r), labels: labels(m), key: m {{{', '.join(keys)}}},\n"
        f"          properties: properties(r)}}\n"
        f"  ORDER BY type(r), coalesce(r.rank, r.invocation_order, 0)\n"
        f"}}"
    )
