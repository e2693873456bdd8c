"""The reader of topics, on a broker in memory and a writer that does as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from memgraph import metrics
from memgraph.domain.errors import (
    GraphRefused,
    GraphUnavailable,
    MemgraphError,
    Overloaded,
    StreamRefused,
    StreamUnavailable,
)
from memgraph.domain.mutations import Ended, Mutation, Outcome, Totals, WriteResult
from memgraph.metrics import Metric
from memgraph.sections import KafkaSettings
from memgraph.services import consuming, lanes
from memgraph.services.consuming import Consumer, Progress
from memgraph.services.metering import NullMeters
from memgraph.services.ports import AsJson
from memgraph.services.stream_batches import Settling
from memgraph.settings import IngestSettings, Settings
from tests.support.events import at, event
from tests.support.pipelines import plain_pipeline
from tests.support.streams import InMemoryBroker, InMemoryEventStream

TIMEOUT_S = 60.0
TOPIC = "llm.prompts.v1"


class Writer:
    """Keeps what is written, by tenant; waits or fails when it is told to."""

    def __init__(self) -> None:
        self.written: list[tuple[str, str]] = []
        self.ended = Totals()
        self.fail: Callable[[list[str]], None] = lambda ids: None
        self.may_write = threading.Event()
        self.may_write.set()
        self.at_work = 0
        self.most_at_work = 0
        self._lock = threading.Lock()

    def write(
        self,
        tenant_id: str,
        mutations: Sequence[Mutation],
        *,
        source: str,
        ended: Ended | None = None,
    ) -> WriteResult:
        ids = [m.event_id for m in mutations]
        with self._lock:
            self.at_work += 1
            self.most_at_work = max(self.at_work, self.most_at_work)
        try:
            assert self.may_write.wait(TIMEOUT_S)
            self.fail(ids)
            with self._lock:
                self.written += [(tenant_id, each) for each in ids]
                if ended is not None:
                    self.ended += ended.totals
        finally:
            with self._lock:
                self.at_work -= 1
        return WriteResult([Outcome.STORED] * len(ids))

    @property
    def ids(self) -> list[str]:
        return [each for _, each in self.written]


class Meters(NullMeters):
    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], float] = {}
        self.gauges: dict[tuple[str, str], float] = {}

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        name = (metric.short, labels.get("topic", ""))
        self.counts[name] = self.counts.get(name, 0) + amount

    def set(self, metric: Metric, value: float, **labels: str) -> None:
        self.gauges[(metric.short, labels.get("topic", ""))] = value


class World:
    """A broker, a graph and readers between them."""

    def __init__(self) -> None:
        self.broker = InMemoryBroker()
        self.copies = InMemoryBroker()
        self.writer = Writer()
        self.meters = Meters()
        self.said: list[Progress] = []
        self.errors: list[Any] = []
        self.totals: list[Totals] = []
        self.as_json: AsJson | None = None
        self.consumer: Consumer | None = None

    def publish(self, *ids: str, tenant: bytes | None = None) -> None:
        headers = [] if tenant is None else [("tenant_id", tenant)]
        self.broker.publish(TOPIC, [(i.encode(), prompt(i), headers) for i in ids])

    @contextmanager
    def reading(
        self, *, batch: int = 3, buffer_bytes: int = 1_048_576, **kafka: Any
    ) -> Iterator[InMemoryEventStream]:
        settings = Settings(
            tenant="ours",
            kafka=KafkaSettings(**({"finish_s": TIMEOUT_S} | kafka)),
            ingest=IngestSettings(batch=batch, buffer_bytes=buffer_bytes),
        )
        stream = InMemoryEventStream(self.broker, settings.kafka.group)
        settling = Settling(
            plain_pipeline(self.writer),
            self.copies,
            self.meters,
            settings.tenant,
            settings.kafka.trust_tenant_header,
            self.as_json,
        )
        consumer = Consumer(stream, settling, settings, self.meters, self.said.append)
        self.consumer = consumer
        stop = threading.Event()

        def run() -> None:
            try:
                self.totals.append(consumer.run(stop))
            except (MemgraphError, KeyError) as error:
                self.errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield stream
        finally:
            stop.set()
            thread.join(TIMEOUT_S)
            assert not thread.is_alive()

    def committed(self) -> int:
        return sum(self.broker.offsets.values())

    def has_let_go(self) -> bool:
        """Whether the last reader begins nothing more."""
        assert self.consumer is not None
        with self.consumer._lock:
            return not any(lane.is_ours for lane in self.consumer._lanes.values())

    def have_written_when(self, is_so: Callable[[], bool]) -> threading.Thread:
        """Let the writer go on, whatever this thread does, when it is so."""

        def wait() -> None:
            until(is_so)
            self.writer.may_write.set()

        thread = threading.Thread(target=wait)
        thread.start()
        return thread


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(consuming, "COMMIT_EVERY_S", 0.0)
    monkeypatch.setattr(consuming, "COMMIT_AGAIN_S", 0.05)
    monkeypatch.setattr(consuming, "TELL_EVERY_S", 0.0)
    monkeypatch.setattr(consuming, "POLL_S", 0.01)
    monkeypatch.setattr(lanes, "FIRST_WAIT_S", 0.01)
    monkeypatch.setattr(lanes, "LONGEST_WAIT_S", 0.05)
    return World()


def prompt(id_: str) -> bytes:
    return event(event_id=id_, timestamp=at(0), prompt={"text": "x"}, session={"id": "s"})


def until(is_true: Callable[[], Any]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_true():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.005)


def names(count: int) -> list[str]:
    return [f"p{n}" for n in range(count)]


def test_every_record_is_written_once_and_committed(world: World) -> None:
    world.publish(*names(50))
    with world.reading():
        until(lambda: world.committed() == 50)
    assert sorted(world.writer.ids) == sorted(names(50))
    assert world.totals == [Totals(stored=50)]
    assert {tenant for tenant, _ in world.writer.written} == {"ours"}
    assert world.meters.counts["kafka_records_total", TOPIC] == 50
    assert world.meters.counts["kafka_batches_total", TOPIC] >= 17
    assert world.meters.gauges["kafka_lag_messages", TOPIC] == 0


def test_records_of_a_partition_are_written_in_their_order(world: World) -> None:
    world.publish(*names(200))
    with world.reading(batch=7):
        until(lambda: world.committed() == 200)
    place = {
        record.key.decode(): (number, record.offset)
        for (_, number), log in world.broker.logs.items()
        for record in log
        if record.key
    }
    for number in range(3):
        offsets = [place[i][1] for i in world.writer.ids if place[i][0] == number]
        assert offsets == sorted(offsets)


def test_nothing_is_committed_before_it_is_written(world: World) -> None:
    world.writer.may_write.clear()
    world.publish(*names(20))
    with world.reading() as stream:
        until(lambda: world.writer.at_work == 2)
        polls = stream.polls
        until(lambda: stream.polls > polls + 5)  # it stays a member meanwhile
        assert not stream.commits
        world.writer.may_write.set()
        until(lambda: world.committed() == 20)
    assert world.writer.most_at_work == 2


def test_what_is_at_work_when_it_stops_is_finished_and_committed(world: World) -> None:
    world.writer.may_write.clear()
    world.publish(*names(40))
    with world.reading(batch=5):
        until(lambda: world.writer.at_work == 2)
        writing = world.have_written_when(world.has_let_go)
    writing.join()
    done = len(world.writer.ids)
    assert world.committed() == done
    assert 0 < done <= 2 * 5  # two batches; what waited for a writer is left
    with world.reading():
        until(lambda: world.committed() == 40)
    assert sorted(world.writer.ids) == sorted(names(40))


def test_what_takes_too_long_is_abandoned_and_read_again(world: World) -> None:
    world.writer.may_write.clear()
    world.publish(*names(6))
    with world.reading(finish_s=0.05):
        until(lambda: world.writer.at_work == 2)
        writing = world.have_written_when(lambda: not any(world.broker.members.values()))
    writing.join()
    assert world.committed() == 0
    with world.reading():
        until(lambda: world.committed() == 6)
    assert set(world.writer.ids) == set(names(6))


@pytest.mark.parametrize("error", [GraphUnavailable("away"), Overloaded("busy", retry_after_s=0)])
def test_a_graph_that_is_away_pauses_until_it_is_back(world: World, error: MemgraphError) -> None:
    is_away = True

    def fail(ids: list[str]) -> None:
        if is_away:
            raise error

    world.writer.fail = fail
    world.publish(*names(30))
    with world.reading() as stream:
        until(lambda: len(stream.paused) == 3)
        until(lambda: any(p.paused == 3 and p.lag == 30 for p in world.said))
        assert any(p.trouble == error.message for p in world.said)
        is_away = False
        until(lambda: world.committed() == 30)
        until(lambda: not stream.paused)
    assert sorted(world.writer.ids) == sorted(names(30))


def test_what_cannot_be_tried_again_ends_the_reader(world: World) -> None:
    def fail(ids: list[str]) -> None:
        raise GraphRefused("no")

    world.writer.fail = fail
    world.publish(*names(5))
    with world.reading():
        until(lambda: world.errors)
    assert isinstance(world.errors[0], GraphRefused)
    assert world.committed() == 0


def test_a_fault_of_ours_ends_the_reader_before_it_commits(world: World) -> None:
    def fail(ids: list[str]) -> None:
        raise KeyError("a bug")

    world.writer.fail = fail
    world.publish(*names(5))
    with world.reading():
        until(lambda: world.errors)
    assert isinstance(world.errors[0], KeyError)
    assert world.committed() == 0


def test_a_full_buffer_pauses_all_and_loses_nothing(world: World) -> None:
    large = [(i.encode(), prompt(i)[:-1] + b" " * 200_000 + b"}", []) for i in names(30)]
    world.broker.publish(TOPIC, large)
    world.writer.may_write.clear()
    with world.reading(batch=2) as stream:
        until(lambda: len(stream.paused) == 3)
        held = sum(stream.own.values())
        assert held <= 12  # a megabyte, and what one poll brings
        world.writer.may_write.set()
        until(lambda: world.committed() == 30)
    assert sorted(world.writer.ids) == sorted(names(30))


def test_a_long_backlog_pauses_its_partition(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.publish(*names(300))
    world.writer.may_write.clear()
    with world.reading(batch=3) as stream:
        until(lambda: len(stream.paused) == 3)
        assert sum(stream.own.values()) <= 3 * (3 * (lanes.WAITING_BATCHES + 1) + 3)
        world.writer.may_write.set()
        until(lambda: world.committed() == 300)


def test_a_second_reader_takes_over_and_a_revoked_batch_is_finished(world: World) -> None:
    world.publish(*names(60))
    with world.reading() as one:
        until(lambda: world.committed() > 0)
        with world.reading() as two:
            until(lambda: two.own and not two.own.keys() & one.own.keys())
            world.publish(*(f"q{n}" for n in range(60)))
            until(lambda: world.committed() == 120)
    assert sorted(world.writer.ids) == sorted([*names(60), *(f"q{n}" for n in range(60))])
    assert world.meters.counts["kafka_rebalances_total", ""] >= 3


def test_lost_partitions_are_not_committed(world: World) -> None:
    world.writer.may_write.clear()
    world.publish(*names(9))
    with world.reading() as stream:
        until(lambda: world.writer.at_work == 2)
        assert stream.listener is not None
        lost = sorted(stream.own)
        stream.own = dict.fromkeys(lost, 3)
        stream.listener.lost(lost)
        world.writer.may_write.set()
        until(lambda: world.writer.at_work == 0)
    assert world.committed() == 0
    # What came of them afterwards is somebody else's.
    assert len(world.writer.ids) <= 6


def test_a_commit_that_fails_is_made_up_for(world: World) -> None:
    world.publish(*names(5))
    world.broker.is_away = True
    with world.reading():
        until(lambda: len(world.writer.ids) == 5)
        assert world.committed() == 0
        world.broker.is_away = False
        until(lambda: world.committed() == 5)
    assert len(world.writer.ids) == 5


class TestTenants:
    def test_a_header_names_the_tenant_where_it_is_trusted(self, world: World) -> None:
        world.publish("a", tenant=b"other")
        world.publish("b")
        with world.reading(trust_tenant_header=True):
            until(lambda: world.committed() == 2)
        assert sorted(world.writer.written) == [("other", "a"), ("ours", "b")]

    def test_else_it_means_nothing(self, world: World) -> None:
        world.publish("a", tenant=b"other")
        with world.reading():
            until(lambda: world.committed() == 1)
        assert world.writer.written == [("ours", "a")]

    @pytest.mark.parametrize("said", [b"", b"\xff", b"a\nb", b"x" * 513])
    def test_a_header_that_names_none_makes_a_dead_letter(self, world: World, said: bytes) -> None:
        world.publish("a", tenant=said)
        with world.reading(trust_tenant_header=True):
            until(lambda: world.committed() == 1)
        assert world.writer.written == []
        assert world.writer.ended == Totals(dead_lettered=1)
        ((log),) = [log for log in world.copies.logs.values() if log]
        assert dict(log[0].headers)["stage"] == b"headers"
        assert b"header tenant_id" in dict(log[0].headers)["detail"]


class TestCopies:
    def test_a_copy_is_there_before_the_offset_is_committed(self, world: World) -> None:
        world.copies.is_away = True
        world.broker.publish(TOPIC, [(b"k", b"{", [])])
        with world.reading():
            until(lambda: any("away" in p.trouble for p in world.said))
            assert world.committed() == 0
            world.copies.is_away = False
            until(lambda: world.committed() == 1)
        assert world.copies.values(f"{TOPIC}.dlq") == [b"{"]
        # Only the copy was tried again.
        assert world.writer.ended == Totals(dead_lettered=1)

    def test_a_copy_that_is_too_large_goes_without_its_value(self, world: World) -> None:
        world.copies.most_bytes = 10
        world.broker.publish(TOPIC, [(b"k", b"{" * 11, [])])
        with world.reading():
            until(lambda: world.committed() == 1)
        (log,) = [log for log in world.copies.logs.values() if log]
        assert log[0].value is None
        assert dict(log[0].headers)["without"] == b"value"


class TestValuesThatNameASchema:
    def test_they_are_read_like_json(self, world: World) -> None:
        world.as_json = lambda value: value.removeprefix(b"\0schema")
        world.broker.publish(
            TOPIC, [(b"k", b"\0schema" + prompt("a"), []), (b"k", prompt("b"), [])]
        )
        with world.reading():
            until(lambda: world.committed() == 2)
        assert world.writer.ids == ["a", "b"]

    def test_a_registry_that_is_away_pauses_and_nothing_becomes_a_dead_letter(
        self, world: World
    ) -> None:
        is_away, asked = True, []

        def as_json(value: bytes) -> bytes:
            asked.append(value)
            if is_away and b'"a3"' in value:
                raise StreamUnavailable("the registry is away")
            return value

        world.as_json = as_json
        world.broker.publish(TOPIC, [(b"k", prompt(f"a{n}"), []) for n in range(9)])
        with world.reading():
            until(lambda: any(p.trouble == "the registry is away" for p in world.said))
            until(lambda: any(p.paused == 1 for p in world.said))
            until(lambda: sum(b'"a3"' in value for value in asked) >= 3)
            assert world.committed() == 3
            is_away = False
            until(lambda: world.committed() == 9)
        assert world.writer.ids == [f"a{n}" for n in range(9)]
        assert world.totals == [Totals(stored=9)]
        assert not world.copies.logs

    def test_a_registry_that_refuses_us_ends_the_reader(self, world: World) -> None:
        def as_json(value: bytes) -> bytes:
            raise StreamRefused("not let in")

        world.as_json = as_json
        world.publish("a")
        with world.reading():
            until(lambda: world.errors)
        assert isinstance(world.errors[0], StreamRefused)
        assert world.committed() == 0

    def test_without_a_registry_they_are_refused_and_kept(self, world: World) -> None:
        value = b"\0\0\0\0\1x"
        world.broker.publish(TOPIC, [(b"k", value, []), (b"k", prompt("b"), [])])
        with world.reading():
            until(lambda: world.committed() == 2)
        assert world.totals == [Totals(stored=1, dead_lettered=1)]
        assert world.copies.values(f"{TOPIC}.dlq") == [value]
        ((log),) = [log for log in world.copies.logs.values() if log]
        headers = dict(log[0].headers)
        assert (headers["reason"], headers["stage"]) == (b"invalid_input", b"decode")
        assert b"kafka.registry.url" in headers["detail"]


def test_the_invalid_ratio_is_judged_by_topic(world: World) -> None:
    world.publish(*names(300))
    world.broker.publish("llm.responses.v1", [(b"k", b"{", [])] * 250)
    with world.reading(batch=50):
        until(lambda: world.errors)
    assert world.errors[0].facts["topic"] == "llm.responses.v1"
    kept = {p: at for (_, p), at in world.broker.offsets.items() if p[0] == "llm.responses.v1"}
    assert sum(kept.values()) < world.errors[0].facts["of"]


def test_few_records_are_not_judged(world: World) -> None:
    world.broker.publish(TOPIC, [(b"k", b"{", [])] * (consuming.LEAST_JUDGED - 1))
    with world.reading(batch=50):
        until(lambda: world.committed() == consuming.LEAST_JUDGED - 1)
    assert world.totals == [Totals(dead_lettered=consuming.LEAST_JUDGED - 1)]


def test_waits_grow_and_heed_what_is_asked_for() -> None:
    lane = lanes.Lane()
    waits = [lane.fail(StreamUnavailable("x"), 100.0) for _ in range(12)]
    assert 0.07 < waits[0] < 0.13
    assert all(later > 0.7 * lanes.LONGEST_WAIT_S for later in waits[9:])
    assert max(waits) <= lanes.LONGEST_WAIT_S * 1.25
    assert lanes.Lane().fail(Overloaded("x", retry_after_s=4), 0.0) >= 3


def test_the_metrics_are_declared() -> None:
    assert {m.short for m in metrics.ALL} >= {"kafka_lag_messages", "kafka_paused_partitions"}
