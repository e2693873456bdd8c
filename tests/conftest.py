"""What all tests share: a real Neo4j, the model, and a fresh tenant for each test."""

from __future__ import annotations

import io
import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog
from pydantic import SecretStr

from memgraph import telemetry
from memgraph.bootstrap import build_model
from memgraph.domain.schema import GraphModel
from memgraph.graph import migrations
from memgraph.graph.driver import open_driver
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.notebook import server_from_uri
from memgraph.settings import Neo4jSettings, Settings

hypothesis.settings.register_profile(
    "any machine",
    parent=hypothesis.settings.default,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4jSettings]:
    """A real Neo4j: by ``MEMGRAPH_TEST_NEO4J_URI``, in a container, or a local process.

    ``MEMGRAPH_TEST_PROVIDER=docker`` asks for the container. Nothing falls back in silence.
    """
    uri = os.environ.get("MEMGRAPH_TEST_NEO4J_URI")
    if uri:
        yield server_from_uri(uri)
    elif os.environ.get("MEMGRAPH_TEST_PROVIDER") == "docker":
        yield from _container()
    else:
        yield from _local(tmp_path_factory)


def _container() -> Iterator[Neo4jSettings]:
    from testcontainers.neo4j import Neo4jContainer

    with Neo4jContainer("neo4j:2026.09-community", password="password-for-tests") as container:
        yield Neo4jSettings(
            uri=container.get_connection_url(), password=SecretStr("password-for-tests")
        )


def _local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Neo4jSettings]:
    from memgraph.local import start, stop

    data_dir = tmp_path_factory.mktemp("stack")
    stack = start(data_dir, redis=False, detach=False, on_progress=print)
    yield Neo4jSettings(
        uri=stack.bolt, user=stack.neo4j_user, password=SecretStr(stack.neo4j_password)
    )
    stop(data_dir)


@pytest.fixture(scope="session")
def model() -> GraphModel:
    return build_model(Settings())


@pytest.fixture(scope="session")
def graph(server: Neo4jSettings, model: GraphModel) -> Iterator[Graph]:
    """The migrated database, shared by all tests; each works in a tenant of its own."""
    graph = Graph(open_driver(server), database=server.database)
    migrations.apply(graph, model, migrations.migrations_directory())
    yield graph
    graph.close()


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4()}"


@pytest.fixture
def writer(graph: Graph, model: GraphModel) -> Writer:
    return Writer(graph, model)


@pytest.fixture
def reader(graph: Graph, model: GraphModel) -> Reader:
    return Reader(graph, model)


def _real_file(name: str) -> Path:
    """The whole file where it is at hand, else the excerpt that comes with the tests."""
    root = Path(__file__).parent
    shared = Path(os.environ.get("MEMGRAPH_TEST_DATA", root.parent.parent / "shared" / "data"))
    whole = shared / name
    return whole if whole.is_file() else root / "data" / name


@pytest.fixture(scope="session")
def conversations() -> Path:
    """Real customer-service conversations."""
    return _real_file("tau_bench_airline.json")


@pytest.fixture(scope="session")
def prompt_versions() -> Path:
    """Real versions of prompts."""
    return _real_file("prompt_versions.jsonl")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What is logged, and the logging of before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    telemetry.configure_logging(stream)
    yield stream
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)
