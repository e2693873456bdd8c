"""Commands run as users run them, against the shared server or a stack of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from memgraph.cli import cli
from memgraph.graph.session import Graph
from memgraph.settings import Neo4jSettings


@dataclass(frozen=True)
class Ran:
    """What a command did: exit code, standard output and error, and the error it raised."""

    code: int
    out: str
    err: str
    error: BaseException | None

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(graph: Graph, server: Neo4jSettings, tenant: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in this test's tenant. A raised error of ours counts as exit code 1."""
    monkeypatch.setenv("MEMGRAPH_NEO4J__URI", server.uri)
    monkeypatch.setenv("MEMGRAPH_NEO4J__USER", server.user)
    monkeypatch.setenv("MEMGRAPH_NEO4J__PASSWORD", server.password.get_secret_value())
    monkeypatch.setenv("MEMGRAPH_TENANT", tenant)
    monkeypatch.setenv("COLUMNS", "160")

    def runner(*arguments: object) -> Ran:
        result = CliRunner().invoke(cli, [str(a) for a in arguments])
        return Ran(result.exit_code, result.stdout, result.stderr, result.exception)

    return runner
