"""The service on the real graph, called as a client calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from memgraph.api import create_app
from memgraph.bootstrap import App
from memgraph.domain.access import Permission, Role
from memgraph.domain.schema import GraphModel
from memgraph.graph.session import Graph
from memgraph.settings import Settings


@dataclass(frozen=True)
class Caller:
    """Calls the service with one credential."""

    app: Flask
    credential: str | None

    def __call__(self, method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        headers = dict(more.pop("headers", {}))
        if self.credential is not None:
            headers.setdefault("Authorization", f"Bearer {self.credential}")
        if body is not None:
            more["json"] = body
        path = path if path.startswith(("/healthz", "/openapi", "/docs")) else f"/api/v1{path}"
        return self.app.test_client().open(path, method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self("POST", path, body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self("PATCH", path, body, **more)


@pytest.fixture(scope="session")
def parts(graph: Graph, model: GraphModel) -> App:
    return App(Settings(), model, graph)


@pytest.fixture(scope="session")
def web(parts: App) -> Flask:
    return create_app(parts.services)


CallerAs = Callable[..., Caller]


@pytest.fixture
def caller(parts: App, web: Flask, tenant: str) -> CallerAs:
    """Make a caller with roles in a tenant, this test's by default."""

    def make(*roles: Role, tenant_id: str = tenant, scopes: Iterable[Permission] = ()) -> Caller:
        roles = roles or (Role.ADMIN,)
        _, key = parts.services.access.create_key(
            tenant_id, name="test", roles=roles, scopes=scopes
        )
        return Caller(web, key)

    return make


@pytest.fixture
def api(caller: CallerAs) -> Caller:
    """A caller who may do everything in this test's tenant."""
    return caller()
