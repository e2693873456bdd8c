"""The service on the real graph, called as a client calls it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
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
from memgraph.settings import LimitSettings, Settings
from tests.support.redis_server import redis_for_tests

AT_ROOT = ("/healthz", "/openapi", "/docs", "/v1/")
"""Where what is not below the path of the API begins."""


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
        path = path if path.startswith(AT_ROOT) else f"/api/v1{path}"
        return self.app.test_client().open(path, method=method, headers=headers, **more)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self("GET", path, **more)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self("POST", path, body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self("PATCH", path, body, **more)


WIDE = LimitSettings(
    client_per_s=1e6,
    client_burst=1_000_000,
    tenant_per_s=1e6,
    tenant_burst=1_000_000,
    address_per_s=1e6,
    address_burst=1_000_000,
)
"""Tests ask faster than people."""


@pytest.fixture(scope="session")
def parts(graph: Graph, model: GraphModel) -> App:
    return App(Settings(limits=WIDE), model, graph)


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


Serve = Callable[..., Caller]


@pytest.fixture
def serve(model: GraphModel, graph: Graph, tenant: str) -> Iterator[Serve]:
    """Make a service with settings of its own, and a caller of it who may do everything."""
    apps: list[App] = []

    def make(redis_url: str = "", **settings: Any) -> Caller:
        app = App(Settings(**settings), model, graph, redis_url=redis_url)
        apps.append(app)
        _, key = app.services.access.create_key(tenant, name="test", roles=[Role.ADMIN])
        return Caller(create_app(app.services), key)

    yield make
    for app in apps:
        app.shared.close()
        if app.tokens is not None:
            app.tokens.close()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_for_tests(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def closed_port() -> Callable[[], int]:
    """A port where nobody listens."""

    def find() -> int:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port: int = listener.getsockname()[1]
            return port

    return find
