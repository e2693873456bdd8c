"""up --with-kafka: from a topic to the graph without another command."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from memgraph.adapters.kafka import open_publisher
from memgraph.local.state import alive
from memgraph.sections import KafkaSettings
from tests.functional.test_stack_commands import memgraph
from tests.support.events import small_story

pytestmark = pytest.mark.slow


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[dict[str, Any]]:
    began = memgraph("up", "--detach", "--with-kafka", "--json", "--data-dir", tmp_path)
    try:
        assert began.returncode == 0, began.stderr
        yield json.loads(began.stdout)
    finally:
        memgraph("down", "--data-dir", tmp_path)


def test_what_is_published_is_in_the_graph(stack: dict[str, Any], tmp_path: Path) -> None:
    story = small_story()
    topics = Counter(topic_of(event) for event in story)
    with closing(open_publisher(KafkaSettings(), stack["kafka"])) as publisher:
        for event in story:
            publisher.publish(topic_of(event), [(b"s1", event, [])])
    give_up = time.monotonic() + 90
    while (found := stored_by_source(tmp_path)) != topics:
        assert time.monotonic() < give_up, found
        time.sleep(1)
    pid = json.loads(memgraph("status", "--json", "--data-dir", tmp_path).stdout)["pids"][
        "consumer"
    ]
    assert alive(pid)
    assert f"reads, process {pid}" in memgraph("status", "--data-dir", tmp_path).stdout
    assert memgraph("down", "--data-dir", tmp_path).returncode == 0
    assert not alive(pid)
    assert "partitions went" in (tmp_path / "consumer" / "consumer.log").read_text()


def topic_of(event: bytes) -> str:
    """The topic that says the type of an event without one; any other takes it too."""
    return "llm.responses.v1" if b'"prompt_event_id"' in event else "llm.prompts.v1"


def stored_by_source(data_dir: Path) -> dict[str, int]:
    told = memgraph("ingest", "status", "--json", "--data-dir", data_dir)
    return {row["source"]: row["stored"] for row in json.loads(told.stdout)}
