"""The documented notebook session runs as it stands, on real data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import neomodel
import pytest

from memgraph.cli.stack import DEMO_FILE
from memgraph.graph.writer import Writer
from memgraph.notebook import server_from_uri
from memgraph.services.ingest import formats
from memgraph.services.ingest.service import Ingestion
from memgraph.settings import Neo4jSettings
from tests.support.pipelines import plain_pipeline

PAGE = Path(__file__).parents[2] / "docs" / "notebook.md"


@pytest.fixture
def _server_in_the_environment(
    server: Neo4jSettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("MEMGRAPH_NEO4J__URI", server.uri)
    monkeypatch.setenv("MEMGRAPH_NEO4J__USER", server.user)
    monkeypatch.setenv("MEMGRAPH_NEO4J__PASSWORD", server.password.get_secret_value())
    yield
    neomodel.db.close_connection()


@pytest.mark.usefixtures("_server_in_the_environment")
def test_the_page_runs_and_finds_what_is_there(writer: Writer, tenant: str) -> None:
    ingestion = Ingestion(plain_pipeline(writer), tenant_id=tenant, source="demo")
    assert ingestion.run(formats.read(DEMO_FILE)).totals.stored == 983
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    code = "\n".join(blocks).replace('"default"', repr(tenant))
    found: dict[str, object] = {}
    exec(compile(code, str(PAGE), "exec"), found)

    by_tool = found["by_tool"]
    assert isinstance(by_tool, dict)
    assert by_tool["carrier_track"] == max(by_tool.values()) == 11
    assert {"s-0020", "s-0021"} <= found["sessions"]  # type: ignore[operator]
    assert len(found["relevance"]) == 3  # type: ignore[arg-type]
    worst = found["worst"]
    assert isinstance(worst, list)
    assert len(worst) == 5
    assert worst[0][0] <= worst[-1][0] < 0.2


def test_an_address_carries_user_password_and_database() -> None:
    server = server_from_uri("neo4j://ann:p%40ss@host:7688/lineage")
    assert (server.uri, server.user, server.database) == ("neo4j://host:7688", "ann", "lineage")
    assert server.password.get_secret_value() == "p@ss"
