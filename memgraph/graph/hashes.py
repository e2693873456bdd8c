"""The digests of facts that are stored: what a duplicate is judged by."""

from __future__ import annotations

from collections.abc import Iterable

from memgraph.domain.mutations import Key
from memgraph.domain.schema import GraphModel
from memgraph.graph import plan
from memgraph.graph.session import Graph


class FactHashes:
    """Reads stored hashes. Threads may share it."""

    def __init__(self, graph: Graph, model: GraphModel) -> None:
        self._graph = graph
        self._model = model

    def find(self, tenant_id: str, label: str, keys: Iterable[Key]) -> dict[Key, int]:
        """The ``fact_hash`` by key of the facts that are there. One round trip."""
        spec = self._model.nodes[label]
        asked = list(keys)
        rows = [{plan.ROW_INDEX: i, **plan.key_row(spec, key)} for i, key in enumerate(asked)]
        found = self._graph.read(plan.read_hashes(spec), tenant_id=tenant_id, rows=rows)
        return {asked[r["i"]]: r["fact_hash"] for r in found if r["fact_hash"] is not None}
