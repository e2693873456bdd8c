"""Faults behind the door for events: no answer of success without the graph, and no loss."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from memgraph.api import create_app
from memgraph.bootstrap import App
from memgraph.domain.access import Role
from memgraph.domain.schema import GraphModel
from memgraph.graph.digest import digest
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.local import StackState, start, stop
from memgraph.services.enrichment.items import Item
from memgraph.settings import Settings
from tests.api.conftest import WIDE, Caller
from tests.support.events import small_story
from tests.support.faulty import FaultyGraph

FIGURES = ("received", "stored", "duplicate", "rejected", "dead_lettered")
TOGETHER = 5
MOST_AGAIN = 100
BODIES = [
    b"[" + b",".join(small_story()[at : at + TOGETHER]) + b"]"
    for at in range(0, len(small_story()), TOGETHER)
]
EVENTS = len(small_story())

Behind = Callable[..., Caller]


@pytest.fixture
def behind(model: GraphModel, graph: Graph, parts: App, tenant: str) -> Iterator[Behind]:
    """Make a service on a graph that fails, and a caller who may do everything."""
    apps: list[App] = []

    def make(failing: Graph | None = None, redis_url: str = "") -> Caller:
        app = App(Settings(limits=WIDE), model, failing or graph, redis_url=redis_url)
        apps.append(app)
        _, key = parts.services.access.create_key(tenant, name="test", roles=[Role.ADMIN])
        return Caller(create_app(app.services), key)

    yield make
    for app in apps:
        app.shared.close()


@pytest.fixture
def ledger(graph: Graph, model: GraphModel, tenant: str) -> Callable[[], dict[str, int]]:
    """The sums of the door; they add up."""

    def read() -> dict[str, int]:
        rows = Reader(graph, model).list_sources(tenant)
        found = {name: sum(row[name] for row in rows) for name in FIGURES}
        assert found["received"] == sum(found[name] for name in FIGURES[1:])
        return found

    return read


@pytest.fixture
def same_as_calm(graph: Graph, model: GraphModel, tenant: str, parts: App) -> Callable[[], bool]:
    """Whether the graph is that of the same events on a quiet day."""

    def compare() -> bool:
        calm = f"calm-{tenant}"
        parts.pipeline.run(calm, [Item(event) for event in small_story()], door="events")
        return digest(graph, model, tenant).value == digest(graph, model, calm).value

    return compare


def post(api: Caller, body: bytes) -> Any:
    return api("POST", "/events", data=body, headers={"Content-Type": "application/json"})


def deliver(api: Caller, bodies: Sequence[bytes]) -> int:
    """Send each body until it is answered well; how many were sent again."""
    again = 0
    for body in bodies:
        while (answer := post(api, body)).status_code != 200:
            assert answer.status_code == 503, answer.json
            again += 1
            assert again < MOST_AGAIN
    return again


def test_an_answer_that_is_lost_and_asked_for_again_counts_once(
    behind: Behind,
    graph: Graph,
    ledger: Callable[[], dict[str, int]],
    same_as_calm: Callable[[], bool],
) -> None:
    lossy = FaultyGraph(graph, retry_for_s=60.0, lose_every=2)
    assert deliver(behind(lossy), BODIES) == 0
    assert len(lossy.lost) >= 2
    found = ledger()
    assert (found["received"], found["stored"]) == (EVENTS, EVENTS)
    assert same_as_calm()


def test_a_sender_without_an_answer_sends_again_and_finds_it_known(
    behind: Behind,
    graph: Graph,
    ledger: Callable[[], dict[str, int]],
    same_as_calm: Callable[[], bool],
) -> None:
    lossy = FaultyGraph(graph, retry_for_s=0.0, lose_every=3)
    again = deliver(behind(lossy), BODIES)
    assert again == len(lossy.lost) >= 2
    found = ledger()
    assert found["stored"] == EVENTS
    assert found["duplicate"] > 0
    assert (found["rejected"], found["dead_lettered"]) == (0, 0)
    assert same_as_calm()


def test_with_a_full_disk_nothing_is_acknowledged_and_nobody_is_blamed(
    behind: Behind,
    graph: Graph,
    ledger: Callable[[], dict[str, int]],
    same_as_calm: Callable[[], bool],
) -> None:
    full = FaultyGraph(graph, retry_for_s=0.0)
    api = behind(full)
    deliver(api, BODIES[:2])
    before = ledger()
    full.is_full.set()
    for body in BODIES[1:4]:
        answer = post(api, body)
        assert (answer.status_code, answer.json["code"]) == (503, "graph_unavailable")
    assert ledger() == before
    full.is_full.clear()
    deliver(api, BODIES)
    found = ledger()
    assert (found["stored"], found["duplicate"]) == (EVENTS, 2 * TOGETHER)
    assert found["dead_lettered"] == 0
    assert same_as_calm()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[StackState]:
    """A Redis that may be stopped."""
    yield start(tmp_path, neo4j=False, detach=False, on_progress=print)
    stop(tmp_path)


def test_redis_that_is_emptied_and_goes_away_is_not_missed(
    behind: Behind,
    own_redis: StackState,
    ledger: Callable[[], dict[str, int]],
    same_as_calm: Callable[[], bool],
) -> None:
    import redis

    assert own_redis.redis
    api = behind(redis_url=own_redis.redis)
    deliver(api, BODIES[:4])
    with redis.Redis.from_url(own_redis.redis) as client:
        assert client.dbsize() > 0
        client.flushall()
    deliver(api, BODIES[2:6])
    assert stop(own_redis.data_dir)
    deliver(api, BODIES[4:])
    found = ledger()
    assert (found["stored"], found["duplicate"]) == (EVENTS, 4 * TOGETHER)
    assert (found["rejected"], found["dead_lettered"]) == (0, 0)
    assert same_as_calm()
