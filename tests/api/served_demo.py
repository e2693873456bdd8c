"""The demo served: in a tenant of its own, with what the server keeps of it to compare with."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from flask import Flask

from memgraph.bootstrap import App
from memgraph.cli.stack import DEMO_FILE
from memgraph.domain.access import Role
from memgraph.domain.schema import GraphModel, NodeSpec
from memgraph.graph.kinds import find_spec
from memgraph.graph.nodes import public
from memgraph.graph.session import Graph
from memgraph.services.ingest import formats
from memgraph.services.ingest.service import Ingestion
from tests.api.conftest import Caller
from tests.support.pipelines import graph_pipeline

Json = dict[str, Any]


class Demo:
    """The demo in a tenant of its own, and what the server keeps of it."""

    def __init__(self, graph: Graph, model: GraphModel, api: Caller, tenant_id: str) -> None:
        self.graph, self.model, self.api, self.tenant_id = graph, model, api, tenant_id
        self._nodes: dict[str, list[Json]] = {}

    def nodes(self, kind: str) -> list[Json]:
        """All nodes of a kind as people see them, without vectors."""
        if kind not in self._nodes:
            spec = find_spec(self.model, kind)
            rows = self.graph.read(
                f"MATCH (n:{spec.label}&!Placeholder&!Tombstone {{tenant_id: $tenant_id}}) "
                "RETURN properties(n) AS node",
                tenant_id=self.tenant_id,
            )
            self._nodes[kind] = [public(spec, row["node"]) for row in rows]
        return self._nodes[kind]

    def ask(self, kind: str, **more: Any) -> Json:
        answer = self.api.post("/query", {"kind": kind, **more})
        assert answer.status_code == 200, answer.json
        found: Json = answer.json
        return found

    def all(self, kind: str, *, page: int = 500, **more: Any) -> list[Json]:
        """Every page of a query, one after the other."""
        found, cursor = [], None
        while True:
            answer = self.ask(kind, limit=page, **more, **({"cursor": cursor} if cursor else {}))
            assert len(answer["items"]) <= page
            found += answer["items"]
            cursor = answer["next_cursor"]
            if cursor is None:
                return found


def load(parts: App, web: Flask) -> Demo:
    tenant_id = f"tenant-{uuid.uuid4()}"
    ingestion = Ingestion(
        graph_pipeline(parts.graph, parts.model), tenant_id=tenant_id, source="demo", batch=500
    )
    ingestion.run(formats.read(DEMO_FILE))
    parts.graph.run("CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()")
    _, key = parts.services.access.create_key(tenant_id, name="test", roles=[Role.ADMIN])
    return Demo(parts.graph, parts.model, Caller(web, key), tenant_id)


def keys(spec: NodeSpec, items: list[Json]) -> list[tuple[Any, ...]]:
    return [tuple(item[name] for name in spec.key) for item in items]


def same(demo: Demo, kind: str, found: list[Json], expected: Callable[[Json], bool]) -> None:
    spec = find_spec(demo.model, kind)
    wanted = [node for node in demo.nodes(kind) if expected(node)]
    assert sorted(keys(spec, found), key=str) == sorted(keys(spec, wanted), key=str)
