"""The demo told through the client makes the graph that loading it makes."""

from __future__ import annotations

import importlib.util
import uuid
from collections.abc import Iterable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import ModuleType

import orjson
import pytest
from memgraph_sdk import Client

from memgraph.bootstrap import App
from memgraph.cli.stack import DEMO_FILE
from memgraph.domain.events import read_event
from memgraph.graph.digest import digest
from memgraph.services.ingest.graph_rows import to_mutation

EXAMPLE = Path(__file__).parents[2] / "sdk" / "examples" / "replay.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("replay", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(parts: App, lines: Iterable[bytes]) -> str:
    """Write the events directly; returns the tenant."""
    tenant_id = f"tenant-{uuid.uuid4()}"
    result = parts.writer.write(tenant_id, [to_mutation(read_event(x), x) for x in lines])
    assert not result.refusals
    return tenant_id


def test_the_demo_through_the_client(
    parts: App, client: Client, tenant: str, example: ModuleType
) -> None:
    lines = [x for x in DEMO_FILE.read_bytes().splitlines() if "type" in orjson.loads(x)]
    events = list(map(orjson.loads, lines))
    replayed = example.replay(client, events)
    assert replayed.total() == len(events)
    assert "telemetry" not in replayed
    direct = load(parts, lines)
    told, loaded = (digest(parts.graph, parts.model, t) for t in (tenant, direct))
    assert (told.nodes, told.relationships) == (loaded.nodes, loaded.relationships)
    assert told == loaded


def test_the_script(
    client: Client, url: str, tmp_path: Path, example: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = DEMO_FILE.read_bytes().splitlines()
    few = [*lines[:30], next(x for x in lines if "type" not in orjson.loads(x))]
    (tmp_path / "few.jsonl").write_bytes(b"\n".join(few))
    key = client.api_keys.create(name="x", roles=["admin"]).api_key
    monkeypatch.setenv("MEMGRAPH_URL", url)
    monkeypatch.setenv("MEMGRAPH_API_KEY", key)
    monkeypatch.setattr("sys.argv", ["replay.py", str(tmp_path / "few.jsonl")])
    output = StringIO()
    with redirect_stdout(output):
        example.main()
    assert "     1 telemetry" in output.getvalue().splitlines()
    assert client.stats().nodes["Prompt"] >= 1
