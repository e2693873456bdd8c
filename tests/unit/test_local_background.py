"""How the local stack runs what works in the background, without starting it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from memgraph.adapters.embedders import has_embedder
from memgraph.cli import stack as stack_commands
from memgraph.local.state import StackConfig, StackState, now
from memgraph.local.supervisor import EXPENDABLE, services_of
from memgraph.settings import EmbeddingSettings, RemoteEmbeddingSettings, Settings
from tests.unit.test_local_consumer import shown


def names(config: StackConfig) -> set[str]:
    return {service.name for service in services_of(config)}


def test_a_worker_of_vectors_runs_beside_the_service_when_asked_for(tmp_path: Path) -> None:
    config = StackConfig(tmp_path, rest_port=8080, embeddings=True)
    assert names(StackConfig.from_json(config.to_json())) == {"rest", "relay", "embedder"}
    assert names(replace(config, embeddings=False)) == {"rest", "relay"}
    assert names(replace(config, rest_port=0)) == set()


def test_it_works_for_every_tenant_of_the_stack(tmp_path: Path) -> None:
    config = StackConfig(tmp_path, rest_port=1, embeddings=True, settings_file="settings.toml")
    (process,) = (s for s in services_of(config) if s.name == "embedder")
    command = process.prepare({})
    assert command.argv[-5:] == ("embed", "--all-tenants", "--follow", "--config", "settings.toml")
    assert command.env["MEMGRAPH_DATA_DIR"] == str(tmp_path)
    assert command.log == tmp_path / "embedder" / "embedder.log"
    assert process.ready({})
    assert process.name in EXPENDABLE


def test_the_status_names_it(tmp_path: Path) -> None:
    state = StackState(tmp_path, "bolt://x", None, "neo4j", "p", None, None, {"embedder": 7}, now())
    assert "made by process 7" in shown(state)
    assert "Embeddings" not in shown(replace(state, pids={}))


@pytest.mark.parametrize(
    ("embedding", "expected"),
    [
        (EmbeddingSettings(), True),
        (EmbeddingSettings(model="none"), False),
        (
            EmbeddingSettings(
                model="remote", remote=RemoteEmbeddingSettings(url="http://localhost:1/v", name="m")
            ),
            True,
        ),
    ],
)
def test_the_settings_say_whether_it_runs(
    embedding: EmbeddingSettings,
    expected: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: dict[str, Any] = {}

    class Enough(Exception):
        pass

    def start(*_: object, **options: Any) -> None:
        asked.update(options)
        raise Enough

    monkeypatch.setattr(stack_commands, "start", start)
    assert has_embedder(embedding) is expected
    settings = Settings(data_dir=tmp_path, embedding=embedding)
    with pytest.raises(Enough), stack_commands.up.make_context("up", []):
        stack_commands.start_stack(settings)
    assert asked["embeddings"] is expected
