"""A server that answers as it is told, and the client on the real graph."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import memgraph_sdk
import orjson
import pytest
from flask import Flask
from memgraph_sdk import Bounds, Client
from werkzeug.serving import make_server

from memgraph.api import create_app
from memgraph.bootstrap import App
from memgraph.domain.access import Permission, Role
from memgraph.domain.schema import GraphModel
from memgraph.graph.session import Graph
from memgraph.settings import Settings
from tests.api.conftest import WIDE
from tests.sdk.door import Door, opened

BOUNDS = Bounds(linger_s=0.02, timeout_s=60, exit_timeout_s=0.5)
"""Of observations in tests: short waits for company and at the end, a long one for an answer."""


@dataclass(frozen=True)
class Answer:
    """An answer to one request; without a status the connection is reset."""

    status: int | None = None
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Scripted:
    """A server that gives its answers one after the other, and keeps what was asked."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def say(self, *answers: Answer) -> None:
        self.answers.extend(answers)


def problem(status: int, code: str = "some_code", **more: object) -> dict[str, object]:
    return {"status": status, "code": code, "detail": "In words.", "request_id": "req-1", **more}


def _handler(script: Scripted) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.requests.append(Request(self.command, self.path, headers, body))
            answer = script.answers.pop(0)
            if answer.status is None:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            data = answer.body if isinstance(answer.body, bytes) else orjson.dumps(answer.body)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            # A length of its own that is never reached stands for a connection that is lost.
            self.close_connection = "Content-Length" in answer.headers
            if not self.close_connection:
                self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_DELETE = answer

        def log_message(self, *_: object) -> None:
            pass

    return Handler


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    """A local server; what it did not say is an error of the test."""
    script = Scripted()
    listener = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    listener.daemon_threads = True
    script.url = f"http://127.0.0.1:{listener.server_port}"
    serve: Callable[[], None] = lambda: listener.serve_forever(poll_interval=0.01)  # noqa: E731
    thread = threading.Thread(target=serve)
    thread.start()
    yield script
    listener.shutdown()
    thread.join()
    listener.server_close()
    assert script.answers == []


@pytest.fixture(scope="session")
def parts(graph: Graph, model: GraphModel) -> App:
    return App(Settings(limits=WIDE), model, graph)


@pytest.fixture(scope="session")
def web(parts: App) -> Flask:
    return create_app(parts.services)


ClientAs = Callable[..., Client]


@pytest.fixture
def client_as(parts: App, web: Flask, tenant: str) -> Iterator[ClientAs]:
    """Make a client with roles in this test's tenant."""
    with ExitStack() as clients:

        def make(
            *roles: Role, tenant_id: str = tenant, scopes: Iterable[Permission] = ()
        ) -> Client:
            access = parts.services.access
            roles = roles or (Role.ADMIN,)
            _, key = access.create_key(tenant, name="test", roles=roles, scopes=scopes)
            wsgi = httpx2.WSGITransport(web)
            return clients.enter_context(Client("http://service", key, transport=wsgi))

        yield make


@pytest.fixture
def client(client_as: ClientAs) -> Client:
    """A client that may do everything in this test's tenant."""
    return client_as()


@pytest.fixture
def url(web: Flask) -> Iterator[str]:
    """The service behind a socket."""
    server = make_server("127.0.0.1", 0, web, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def door() -> Iterator[Door]:
    """A door for events."""
    with opened(Door()) as door:
        yield door


@pytest.fixture
def observed(door: Door) -> Iterator[Door]:
    """The door to which observations of this test go."""
    memgraph_sdk.configure(url=door.url, api_key="mg_key", bounds=BOUNDS)
    yield door
    memgraph_sdk.flush(5)
    memgraph_sdk.configure(enabled=False)


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    memgraph_sdk.configure(enabled=False)
