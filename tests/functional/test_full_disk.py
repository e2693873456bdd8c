"""A disk of Neo4j that is really full, while a service and a reader write to it."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx2
import orjson
import pytest

from benchmarks.kept import kept
from benchmarks.server import connected
from benchmarks.service import service
from memgraph.adapters.kafka import open_publisher
from memgraph.bootstrap import App
from memgraph.graph import migrations
from memgraph.graph.digest import digest
from memgraph.local import StackState, find, start, stop
from memgraph.sections import KafkaSettings
from memgraph.services.enrichment.items import Item
from tests.support.events import small_story
from tests.support.reading import questions
from tests.support.streams import make_topics

pytestmark = pytest.mark.slow

TENANT, CALM = "full", "calm"
TOPIC = "llm.prompts.v1"
PATIENCE_S = 120.0
TRIES_AGAIN = b"a batch is tried again"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[StackState]:
    yield start(tmp_path, redis=False, kafka=True, browser=False, detach=False)
    stop(tmp_path)


@contextmanager
def full_disk(data_dir: Path) -> Iterator[None]:
    """Let no write of Neo4j to any file succeed, as when there is no room."""
    stack = find(data_dir)
    assert stack is not None
    pid = stack.pids["neo4j"]
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    yield
    resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def wait_until(is_done: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not is_done():
        assert time.monotonic() < give_up, "it takes too long"
        time.sleep(0.1)


def sums(app: App) -> dict[str, dict[str, int]]:
    """What became of the events of each door; all that was received became something."""
    rows = {row["source"]: row for row in app.reader.list_sources(TENANT)}
    for row in rows.values():
        settled = ("stored", "duplicate", "rejected", "dead_lettered")
        assert row["received"] == sum(row[name] for name in settled)
    return rows


def test_nothing_is_acknowledged_until_there_is_room_again(
    stack: StackState, tmp_path: Path
) -> None:
    story = small_story()
    prompts = [event.replace(b'"event_id":"p', b'"event_id":"q') for event in questions(300)]
    body = b"[" + b",".join(story) + b"]"
    settings = {
        "MEMGRAPH_DATA_DIR": str(tmp_path),
        "MEMGRAPH_KAFKA__TENANT": TENANT,
        "MEMGRAPH_NEO4J__RETRY_FOR_S": "1",
    }
    log = tmp_path / "reader.log"
    make_topics(stack.kafka or "", TOPIC)
    with connected(tmp_path) as app:
        migrations.apply(app.graph, app.model, migrations.migrations_directory())
        with (
            service(app, tmp_path, TENANT, {**settings, "MEMGRAPH_API__WORKERS": "1"}) as served,
            kept(["consume", "--topics", TOPIC], settings, log) as reader,
            closing(open_publisher(KafkaSettings(), stack.kafka or "")) as publisher,
        ):

            def post() -> httpx2.Response:
                return httpx2.post(
                    f"{served.target.url}/api/v1/events",
                    content=body,
                    headers={"Authorization": f"Bearer {served.target.key}"},
                    timeout=60,
                )

            reader.wait_until_it_says(b"partitions came")
            with full_disk(tmp_path):
                refused = post()
                publisher.publish(TOPIC, [(b"k", event, ()) for event in prompts])
                reader.wait_until_it_says(TRIES_AGAIN)
            assert refused.status_code == 503, refused.text
            # The server says so itself: it wants to be started again.
            assert post().status_code == 503
            assert stop(tmp_path)
            start(tmp_path, redis=False, kafka=True, browser=False, detach=False)
            # Its older connections are dead, and reads are not repeated.
            with connected(tmp_path) as again:
                assert "events" not in sums(again)
                wait_until(lambda: post().status_code == 200)
                wait_until(lambda: sums(again).get(TOPIC, {}).get("stored") == len(prompts))
                found = sums(again)
                again.pipeline.run(CALM, [Item(e) for e in (*story, *prompts)], door=CALM)
                graphs = [digest(again.graph, again.model, t).value for t in (TENANT, CALM)]
    assert found["events"]["stored"] == len(story)
    assert {row["dead_lettered"] for row in found.values()} == {0}
    assert graphs[0] == graphs[1]
    assert orjson.loads(refused.content)["code"] == "graph_unavailable"
