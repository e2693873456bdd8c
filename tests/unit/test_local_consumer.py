"""How the local stack runs a reader of Kafka, without starting one."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from memgraph.cli import render
from memgraph.domain.errors import StackError
from memgraph.local.consumer import ConsumerProcess
from memgraph.local.state import StackConfig, StackState, now
from memgraph.local.supervisor import services_of


def test_it_runs_beside_the_service_where_there_is_kafka(tmp_path: Path) -> None:
    config = StackConfig(tmp_path, kafka=True, rest_port=8080)
    assert {"rest", "consumer"} <= {service.name for service in services_of(config)}
    without = services_of(replace(config, kafka=False))
    assert "consumer" not in {service.name for service in without}
    assert services_of(replace(config, rest_port=0)) == []


def test_it_reads_the_stack_whatever_the_environment_names(tmp_path: Path) -> None:
    command = ConsumerProcess(tmp_path, "settings.toml").prepare({})
    assert command.argv[-4:] == ("memgraph", "consume", "--config", "settings.toml")
    assert command.env["MEMGRAPH_DATA_DIR"] == str(tmp_path)
    assert command.env["MEMGRAPH_NEO4J__URI"] == command.env["MEMGRAPH_KAFKA__BROKERS"] == ""
    assert "--config" not in ConsumerProcess(tmp_path, "").prepare({}).argv


def test_it_is_ready_when_it_says_that_it_reads(tmp_path: Path) -> None:
    consumer = ConsumerProcess(tmp_path, "")
    consumer.log.parent.mkdir()
    consumer.log.write_text("waiting: no schema\n")
    assert not consumer.ready({})
    consumer.log.write_text("waiting: no schema\nreading llm.prompts.v1 of x as y into tenant z\n")
    assert consumer.ready({})


def test_without_the_client_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ConsumerProcess(tmp_path, "").fetch(print)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(StackError, match=r"\[kafka,local\]"):
        ConsumerProcess(tmp_path, "").fetch(print)


def test_the_status_says_whether_it_runs(tmp_path: Path) -> None:
    state = StackState(
        tmp_path, "bolt://x", None, "neo4j", "p", None, "127.0.0.1:9092", {"consumer": 7}, now()
    )
    assert "consumer" not in shown(state), "nobody reads without the service"
    state = replace(state, rest="http://127.0.0.1:8080")
    assert "reads, process 7" in shown(state)
    assert "consumer.log says why" in shown(replace(state, pids={}))


def shown(state: StackState) -> str:
    console = Console(width=300)
    with console.capture() as captured:
        console.print(render.addresses(state))
    return captured.get()
