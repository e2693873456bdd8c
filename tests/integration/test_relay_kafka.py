"""The relay and a real broker: every change once or more, in order, while the broker goes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from memgraph.adapters import kafka
from memgraph.adapters.kafka import open_publisher
from memgraph.domain.events import read_event
from memgraph.graph.outbox import Outbox
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.local import start, stop
from memgraph.sections import KafkaSettings
from memgraph.services import relay as relaying
from memgraph.services.ingest.graph_rows import to_mutation
from memgraph.services.ports import StreamRecord
from memgraph.services.relay import Relay, TopicSink
from memgraph.settings import OutboxSettings
from tests.support.events import at, event
from tests.support.sinks import OwnLease
from tests.support.streams import make_topics, read_until

PATIENCE_S = 90.0
TOPIC = "events-out"
AGENTS = 5


@dataclass
class Broker:
    """A broker of our own: what it was told is still there when it comes back."""

    data_dir: Path
    address: str = ""

    def start(self) -> None:
        state = start(
            self.data_dir, neo4j=False, redis=False, kafka=True, detach=False, on_progress=print
        )
        assert state.kafka
        assert self.address in ("", state.kafka), "it comes back where it was"
        self.address = state.kafka

    def stop(self) -> None:
        stop(self.data_dir)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    found = Broker(tmp_path)
    found.start()
    yield found
    found.stop()


def until(is_so: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < give_up, "it takes too long"
        time.sleep(0.02)


@dataclass(frozen=True)
class Told:
    """That an agent changed."""

    agent: str
    at: str
    id: str
    key: bytes | None
    partition: int


def told(records: list[StreamRecord]) -> list[Told]:
    """The changes of agents, in the order of their partitions."""
    bodies = [(record, orjson.loads(record.value or b"")) for record in records]
    return [
        Told(body["node_id"], body["occurred_at"], body["id"], record.key, record.partition)
        for record, body in bodies
        if body["kind"] == "node_updated"
    ]


def test_a_broker_that_goes_and_comes_back_gets_every_change_in_order(
    graph: Graph, writer: Writer, tenant: str, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "DELIVERY_TIMEOUT_S", 2.0)  # it gives up while the broker is away
    monkeypatch.setattr(relaying, "_LONGEST_PAUSE_S", 1.0)
    make_topics(broker.address, TOPIC)
    outbox, ended = Outbox(graph), threading.Event()
    expected: set[tuple[str, str]] = set()

    def change(step: int) -> None:
        for number in range(AGENTS):
            word = event(
                type="agent",
                event_id=f"{number}-{step}",
                timestamp=at(step),
                agent={"id": f"a{number}", "name": str(step)},
            )
            done = writer.write(tenant, [to_mutation(read_event(word), word)])
            assert done.outcomes == ["stored"]
            expected.add((f"a{number}", at(step).replace("+00:00", "Z")))

    def waiting() -> int:
        return len(outbox.list_entries(tenant, 0, 10_000))

    with closing(open_publisher(KafkaSettings(), broker.address)) as publisher:
        sinks = [TopicSink(publisher, TOPIC)]
        settings = OutboxSettings(entries=7, poll_s=0.01)
        relay = Relay(outbox, sinks, OwnLease(), settings, tenant_id=tenant)
        thread = threading.Thread(target=relay.work, args=(ended,))
        thread.start()
        try:
            for step in range(10):
                change(step)
            until(lambda: waiting() < AGENTS * 10)
            broker.stop()
            # Writes do not notice; what they tell waits.
            for step in range(10, 20):
                change(step)
            until(lambda: relay._ways[0].pause_s)
            assert waiting() >= AGENTS * 10
            broker.start()
            until(lambda: not waiting())
            for step in range(20, 24):
                change(step)
            until(lambda: not waiting())
        finally:
            ended.set()
            thread.join()
    found = told(
        read_until(
            broker.address,
            TOPIC,
            lambda records: len({each.id for each in told(records)}) >= len(expected),
        )
    )
    assert {(each.agent, each.at) for each in found} == expected
    for number in range(AGENTS):
        # By id, so as they came the first time.
        times = list({each.id: each.at for each in found if each.agent == f"a{number}"}.values())
        assert times == sorted(times)
    # One key, one partition: else its order would mean nothing.
    keys = {f"{tenant}/a{number}".encode() for number in range(AGENTS)}
    assert {each.key for each in found} == keys
    assert len({(each.key, each.partition) for each in found}) == AGENTS
