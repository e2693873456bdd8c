"""Topics into the real graph, by a real broker: nothing lost, nothing twice, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from memgraph.adapters.kafka import open_publisher, open_stream
from memgraph.domain.errors import GraphUnavailable, MemgraphError, TooManyInvalid
from memgraph.domain.mutations import Totals
from memgraph.domain.schema import GraphModel
from memgraph.graph.digest import digest
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.sections import KafkaSettings
from memgraph.services import lanes
from memgraph.services.consuming import Consumer, Progress
from memgraph.services.enrichment.items import Item
from memgraph.services.ingest import formats
from memgraph.services.ingest.delivery import Delivery
from memgraph.services.ingest.formats.records import Record
from memgraph.services.ingest.pipeline import Pipeline
from memgraph.services.metering import NullMeters
from memgraph.services.ports import Message
from memgraph.services.stream_batches import Settling
from memgraph.settings import Neo4jSettings, Settings
from tests.support.events import at, event, small_story
from tests.support.pipelines import graph_pipeline
from tests.support.streams import kafka_for_tests, make_topics

CONVERSATIONS = Path(__file__).parents[1] / "data" / "tau_bench_airline.json"
TIMEOUT_S = 60.0


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with kafka_for_tests(tmp_path_factory.mktemp("kafka")) as found:
        yield found


@pytest.fixture
def topic(brokers: str) -> str:
    name = f"events-{uuid.uuid4()}"
    make_topics(brokers, name)
    return name


@pytest.fixture
def publish(brokers: str, topic: str) -> Iterator[Callable[[Sequence[bytes]], None]]:
    """Append events, those of one session in their order."""
    with closing(open_publisher(KafkaSettings(), brokers)) as publisher:

        def publish(events: Sequence[bytes]) -> None:
            publisher.publish(topic, [_message(e) for e in events])

        yield publish


def _message(payload: bytes) -> Message:
    try:
        key = json.loads(payload).get("session", {}).get("id", "none").encode()
    except ValueError:
        key = b"none"
    return key, payload, [("schema_version", b"1.0"), ("source", b"observatory")]


def questions(count: int, sessions: int = 12) -> list[bytes]:
    return [
        event(
            event_id=f"p{n}",
            timestamp=at(n),
            prompt={"text": f"question {n}"},
            session={"id": f"s{n % sessions}"},
            model={"id": "m"},
        )
        for n in range(count)
    ]


class Reading:
    """A consumer that reads in a thread."""

    def __init__(self, consumer: Consumer) -> None:
        self._stop = threading.Event()
        self._answer: list[Any] = []
        self._thread = threading.Thread(target=self._run, args=[consumer])
        self._thread.start()

    def _run(self, consumer: Consumer) -> None:
        try:
            self._answer.append(consumer.run(self._stop))
        except MemgraphError as error:
            self._answer.append(error)

    def until(self, is_done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not is_done() and self._thread.is_alive():
            assert time.monotonic() < deadline, "it takes too long"
            time.sleep(0.05)

    def stop(self) -> Totals:
        self._stop.set()
        self._thread.join(TIMEOUT_S)
        (answer,) = self._answer
        if isinstance(answer, MemgraphError):
            raise answer
        assert isinstance(answer, Totals)
        return answer


class Readers:
    """Makes consumers of this test's topic and tenant."""

    def __init__(self, graph: Graph, model: GraphModel, brokers: str, topic: str, tenant: str):
        self.graph, self.model, self.brokers = graph, model, brokers
        self.topic, self.tenant = topic, tenant
        self.said: list[Progress] = []

    @contextmanager
    def reading(
        self, *, group: str = "g", writer: Any = None, batch: int = 20, **kafka: Any
    ) -> Iterator[Reading]:
        settings = Settings(
            kafka=KafkaSettings(topics=(self.topic,), group=f"{group}-{self.topic}", **kafka)
        )
        settings = settings.model_copy(
            update={"ingest": settings.ingest.model_copy(update={"batch": batch})}
        )
        pipeline = graph_pipeline(self.graph, self.model)
        if writer is not None:
            pipeline = Pipeline(pipeline.toolbox, Delivery(writer), pipeline.seen, pipeline.meters)
        with closing(open_publisher(settings.kafka, self.brokers)) as publisher:
            settling = Settling(
                pipeline, publisher, NullMeters(), self.tenant, settings.kafka.trust_tenant_header
            )
            stream = open_stream(settings.kafka, self.brokers)
            reading = Reading(Consumer(stream, settling, settings, NullMeters(), self.said.append))
            try:
                yield reading
            finally:
                reading._stop.set()
                reading._thread.join(TIMEOUT_S)

    def counted(self) -> dict[str, int]:
        """What the ledger has of the topic; the four add up to what was received."""
        rows = Reader(self.graph, self.model).list_sources(self.tenant)
        (row,) = [r for r in rows if r["source"] == self.topic] or [{}]
        names = ("received", "stored", "duplicate", "rejected", "dead_lettered")
        found = {name: int(row.get(name, 0)) for name in names}
        assert found["received"] == sum(found[name] for name in names[1:])
        return found

    def received(self, count: int) -> Callable[[], bool]:
        return lambda: self.counted()["received"] >= count

    def digest(self) -> str:
        return str(digest(self.graph, self.model, self.tenant))


@pytest.fixture
def readers(graph: Graph, model: GraphModel, brokers: str, topic: str, tenant: str) -> Readers:
    return Readers(graph, model, brokers, topic, tenant)


@pytest.fixture
def direct(graph: Graph, model: GraphModel) -> Callable[[Sequence[bytes]], str]:
    """The digest of events that came straight to the pipeline."""

    def load(events: Sequence[bytes]) -> str:
        tenant = f"tenant-{uuid.uuid4()}"
        graph_pipeline(graph, model).run(tenant, [Item(e) for e in events], door="file")
        return str(digest(graph, model, tenant))

    return load


Publish = Callable[[Sequence[bytes]], None]
Direct = Callable[[Sequence[bytes]], str]


def conversations() -> list[bytes]:
    """Real conversations as events."""
    found = formats.read(CONVERSATIONS, "chat")
    return [record.payload for record in found if isinstance(record, Record)]


@pytest.mark.parametrize("events", [small_story, conversations])
def test_topics_make_the_graph_that_a_direct_load_makes_and_a_replay_changes_nothing(
    readers: Readers, publish: Publish, direct: Direct, events: Callable[[], list[bytes]]
) -> None:
    story = events()
    publish(story)
    with readers.reading(batch=7) as reading:
        reading.until(readers.received(len(story)))
        assert reading.stop() == Totals(stored=len(story))
    expected = direct(story)
    assert readers.digest() == expected
    # Another group begins where the topic begins.
    with readers.reading(group="again") as reading:
        reading.until(readers.received(2 * len(story)))
        assert reading.stop() == Totals(duplicate=len(story))
    assert readers.digest() == expected
    # The first one goes on where it stopped.
    publish(questions(1))
    with readers.reading() as reading:
        reading.until(readers.received(2 * len(story) + 1))
        assert reading.stop().received == 1


def test_two_readers_share_and_one_that_leaves_loses_nothing(
    readers: Readers, publish: Publish, direct: Direct
) -> None:
    events = questions(900)
    publish(events[:300])
    with readers.reading(batch=10) as one:
        one.until(readers.received(50))
        with readers.reading(batch=10) as two:
            publish(events[300:600])
            two.until(readers.received(600))
            publish(events[600:])
            first = one.stop()
            two.until(readers.received(900))
            second = two.stop()
    counted = readers.counted()
    assert counted["stored"] == 900
    assert first.received > 0 < second.received
    assert first.received + second.received == counted["received"]
    assert readers.digest() == direct(events)


def test_broken_records_become_dead_letters_and_copies(
    readers: Readers, publish: Publish, brokers: str, topic: str, direct: Direct
) -> None:
    good = questions(8)
    conflict = good[0].replace(b"question 0", b"question x")
    # A stored fact stays, so what contradicts it comes after it in the same partition.
    publish([*good, b"{", b'{"type":"nothing"}', b"", conflict])
    with readers.reading() as reading:
        reading.until(readers.received(12))
        assert reading.stop() == Totals(stored=8, dead_lettered=4)
    assert readers.digest() == direct(good)
    copies = records_of(brokers, f"{topic}.dlq", 4)
    assert sorted(c.value for c in copies) == sorted([b"{", b'{"type":"nothing"}', b"", conflict])
    headers = [dict(c.headers) for c in copies]
    assert {h["reason"] for h in headers} == {b"invalid_input", b"conflict"}
    assert {h["stage"] for h in headers} == {b"validate", b"write"}
    assert all(h["topic"] == topic.encode() and h["offset"].isdigit() for h in headers)
    assert b"question x" not in b"".join(b"".join(h.values()) for h in headers)
    assert (
        len(
            readers.graph.read(
                "MATCH (d:DeadLetter {tenant_id: $tenant_id}) RETURN d", tenant_id=readers.tenant
            )
        )
        == 4
    )


def records_of(brokers: str, topic: str, count: int) -> list[Any]:
    from tests.support.streams import Heard

    with closing(open_stream(KafkaSettings(group=f"look-{uuid.uuid4()}"), brokers)) as stream:
        stream.subscribe([topic], Heard())
        deadline = time.monotonic() + TIMEOUT_S
        records: list[Any] = []
        while len(records) < count:
            assert time.monotonic() < deadline
            records += stream.poll(100, 0.2)
        return records


def test_a_flood_of_broken_records_stops_the_reader_where_it_began(
    readers: Readers, publish: Publish
) -> None:
    publish([*questions(100, sessions=1), *(b'{"type":"nothing","n":%d}' % n for n in range(900))])
    with readers.reading(batch=100, max_invalid_ratio=0.3) as reading:
        reading.until(lambda: False)
        with pytest.raises(TooManyInvalid, match="break the rules") as caught:
            reading.stop()
    assert caught.value.facts["of"] < 500
    letters = len_of_letters(readers)
    assert letters < 500
    # Started again it stops at once, and what is kept aside does not grow with every start.
    for _ in range(2):
        with readers.reading(batch=100, max_invalid_ratio=0.3) as reading:
            reading.until(lambda: False)
            with pytest.raises(TooManyInvalid):
                reading.stop()
        assert len_of_letters(readers) <= letters + 400
    assert readers.counted()["stored"] == 100


def len_of_letters(readers: Readers) -> int:
    rows = readers.graph.read(
        "MATCH (d:DeadLetter {tenant_id: $tenant_id}) RETURN count(*) AS n",
        tenant_id=readers.tenant,
    )
    return int(rows[0]["n"])


class AwayWriter:
    """Fails as a graph that is away until it is told that it is back."""

    def __init__(self, writer: Writer, after: int) -> None:
        self._writer = writer
        self._left = after
        self.is_back = threading.Event()
        self.tries = 0

    def write(self, *arguments: Any, **more: Any) -> Any:
        if self._left <= 0 and not self.is_back.is_set():
            self.tries += 1
            raise GraphUnavailable("away")
        self._left -= 1
        return self._writer.write(*arguments, **more)


def test_a_graph_that_is_away_pauses_and_nothing_is_lost(
    readers: Readers,
    publish: Publish,
    direct: Direct,
    writer: Writer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events = questions(400)
    publish(events)
    monkeypatch.setattr(lanes, "LONGEST_WAIT_S", 0.5)
    away = AwayWriter(writer, after=5)
    with readers.reading(batch=20, writer=away) as reading:
        reading.until(lambda: any(p.paused == p.partitions == 3 for p in readers.said))
        assert any(p.trouble == "away" and p.lag > 200 for p in readers.said)
        assert readers.counted()["stored"] <= 120
        time.sleep(1.5)
        assert away.tries < 40, "it does not hammer a graph that is away"
        away.is_back.set()
        reading.until(readers.received(400))
        assert reading.stop() == Totals(stored=400)
    assert readers.said[-1].paused == 0
    assert readers.digest() == direct(events)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def consume(
    server: Neo4jSettings,
    brokers: str,
    topic: str,
    tenant: str,
    *arguments: str,
    metrics_port: int = 0,
) -> subprocess.Popen[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MEMGRAPH_")}
    return subprocess.Popen(
        [sys.executable, "-m", "memgraph", "consume", "--topics", topic, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **clean,
            "MEMGRAPH_NEO4J__URI": server.uri,
            "MEMGRAPH_NEO4J__USER": server.user,
            "MEMGRAPH_NEO4J__PASSWORD": server.password.get_secret_value(),
            "MEMGRAPH_KAFKA__BROKERS": brokers,
            "MEMGRAPH_KAFKA__TENANT": tenant,
            "MEMGRAPH_KAFKA__SESSION_TIMEOUT_S": "6",
            "MEMGRAPH_KAFKA__METRICS_PORT": str(metrics_port),
            "MEMGRAPH_INGEST__BATCH": "20",
            "MEMGRAPH_EMBEDDING__MODEL": "none",
        },
    )


def test_killed_in_the_middle_and_started_again(
    readers: Readers, publish: Publish, direct: Direct, server: Neo4jSettings, topic: str
) -> None:
    events = questions(3_000)
    publish(events)
    for killed_after in (100, 1_000):
        running = consume(server, readers.brokers, topic, readers.tenant)
        while readers.counted()["received"] < killed_after:
            assert running.poll() is None, running.communicate()
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
        running.communicate()
    port = free_port()
    running = consume(server, readers.brokers, topic, readers.tenant, "--json", metrics_port=port)
    deadline = time.monotonic() + TIMEOUT_S
    while readers.counted()["stored"] < 3_000:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
        shown = page.read().decode()
    assert f'llm_memory_graph_kafka_records_total{{topic="{topic}"}}' in shown
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=30)
    assert running.returncode == 0, err
    told = json.loads(out)
    assert told["received"] == told["stored"] + told["duplicate"]
    assert f"reading {topic}" in err
    assert readers.counted()["stored"] == 3_000
    assert readers.digest() == direct(events)
