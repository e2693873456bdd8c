"""Kafka as a local process."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from memgraph.domain.errors import StackError
from memgraph.local import start, stop
from memgraph.local.kafka import KafkaServer, brokers


def test_the_broker_answers_a_metadata_request(tmp_path: Path) -> None:
    state = start(tmp_path, neo4j=False, redis=False, kafka=True, detach=False)
    try:
        assert state.kafka is not None
        host, _, port = state.kafka.partition(":")
        assert brokers(int(port)) == [(host, int(port))]
        assert state.redis is None
        assert set(state.pids) == {"supervisor", "kafka"}
    finally:
        assert stop(tmp_path)
    assert not KafkaServer(tmp_path).ready({"kafka": int(port)})


def test_a_peer_that_is_no_kafka_is_not_ready(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            server.accept()[0].close()
        server.close()
        assert not KafkaServer(tmp_path).ready({"kafka": port})


def test_a_storage_that_cannot_be_formatted_is_told(tmp_path: Path) -> None:
    server = KafkaServer(tmp_path)
    server.home.mkdir()
    (server.home / "data").write_text("not a folder")
    with pytest.raises(StackError, match="cannot format"):
        server.prepare({"kafka": 1, "kafka_controller": 2})
