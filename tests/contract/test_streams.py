"""What every stream and every publisher must do, on every implementation."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from memgraph.adapters import kafka
from memgraph.adapters.kafka import (
    KafkaEventPublisher,
    KafkaEventStream,
    open_publisher,
    open_stream,
)
from memgraph.domain.errors import StreamRefused, StreamUnavailable
from memgraph.sections import KafkaSettings
from memgraph.services.ports import EventPublisher, EventStream, Partition, StreamRecord
from tests.support.streams import Heard, InMemoryBroker, InMemoryEventStream, make_topics

TIMEOUT_S = 60.0
FEW = 7


class Kinds:
    """Makes members and publishers of one kind."""

    def __init__(self, kind: str, brokers: str) -> None:
        self.kind = kind
        self.brokers = brokers
        self.config = {"bootstrap.servers": brokers, "log_level": 0}
        self.broker = InMemoryBroker()

    def member(self, group: str) -> EventStream:
        if self.kind == "memory":
            return InMemoryEventStream(self.broker, group)
        return KafkaEventStream(self.config, group)

    def publisher(self) -> EventPublisher:
        return self.broker if self.kind == "memory" else KafkaEventPublisher(self.config)


@pytest.fixture(params=["memory", "kafka"])
def kinds(request: pytest.FixtureRequest, kafka_brokers: str) -> Kinds:
    return Kinds(request.param, kafka_brokers)


@pytest.fixture
def topic(kinds: Kinds) -> str:
    """A topic with ``FEW`` records for each of some keys."""
    name = f"topic-{uuid.uuid4()}"
    if kinds.kind == "kafka":
        make_topics(kinds.brokers, name)
    with closing(kinds.publisher()) as publisher:
        for n in range(FEW):
            publisher.publish(
                name, [(b"key-%d" % k, b"%d" % n, [("n", b"%d" % n)]) for k in range(12)]
            )
    return name


def read_until(
    stream: EventStream, is_enough: Callable[[list[StreamRecord]], bool]
) -> list[StreamRecord]:
    records: list[StreamRecord] = []
    deadline = time.monotonic() + TIMEOUT_S
    while not is_enough(records):
        assert time.monotonic() < deadline, f"only {len(records)} records came"
        records += stream.poll(100, 0.1)
    return records


def read(stream: EventStream, count: int) -> list[StreamRecord]:
    return read_until(stream, lambda records: len(records) >= count)


def places(records: list[StreamRecord]) -> set[Partition]:
    return {(record.topic, record.partition) for record in records}


class TestEveryStream:
    def test_records_come_whole_and_in_the_order_of_their_partition(
        self, kinds: Kinds, topic: str
    ) -> None:
        with closing(kinds.member("g1")) as stream:
            stream.subscribe([topic], heard := Heard())
            records = read(stream, 12 * FEW)
            assert len(records) == 12 * FEW
            by_key: dict[Any, list[StreamRecord]] = {}
            for record in records:
                by_key.setdefault(record.key, []).append(record)
            for key, found in by_key.items():
                assert key is not None
                assert key.startswith(b"key-")
                assert [r.value for r in found] == [b"%d" % n for n in range(FEW)]
                assert [tuple(r.headers) for r in found] == [
                    (("n", b"%d" % n),) for n in range(FEW)
                ]
                assert len({(r.topic, r.partition) for r in found}) == 1
                assert [r.offset for r in found] == sorted({r.offset for r in found})
            assert {(r.topic, r.partition) for r in records} <= heard.own
            assert all((r.timestamp_ms or 0) > 1_500_000_000_000 for r in records)

    def test_a_group_goes_on_where_it_committed(self, kinds: Kinds, topic: str) -> None:
        with closing(kinds.member("g2")) as stream:
            stream.subscribe([topic], Heard())
            records = read(stream, 12 * FEW)
            one = (records[0].topic, records[0].partition)
            middle = [r for r in records if (r.topic, r.partition) == one][2].offset
            stream.commit({one: middle})
        with closing(kinds.member("g2")) as stream:
            stream.subscribe([topic], Heard())
            again = read(stream, 12 * FEW - middle)
        assert min(r.offset for r in again if (r.topic, r.partition) == one) == middle
        others = {(r.topic, r.partition) for r in records} - {one}
        assert {(r.topic, r.partition) for r in again if r.offset == 0} == others

    def test_a_paused_partition_yields_nothing_until_it_is_resumed(
        self, kinds: Kinds, topic: str
    ) -> None:
        with closing(kinds.member("g3")) as stream:
            stream.subscribe([topic], heard := Heard())
            first = read(stream, 1)
            paused = sorted(heard.own)
            stream.pause(paused)
            first += stream.poll(100, 0.1)
            assert stream.poll(100, 0.5) == []
            stream.resume(paused)
            rest = read(stream, 12 * FEW - len(first))
        places = [(r.topic, r.partition, r.offset) for r in first + rest]
        assert len(places) == len(set(places)) == 12 * FEW

    def test_members_share_and_take_over(self, kinds: Kinds, topic: str) -> None:
        with closing(kinds.member("g4")) as one:
            one.subscribe([topic], alone := Heard())
            read(one, 12 * FEW)
            everything = set(alone.own)
            two = kinds.member("g4")
            two.subscribe([topic], other := Heard())
            deadline = time.monotonic() + TIMEOUT_S
            while not (other.own and alone.own and not alone.own & other.own):
                assert time.monotonic() < deadline
                one.poll(100, 0.05)
                two.poll(100, 0.05)
            assert alone.own | other.own == everything
            assert ("revoked", frozenset(other.own)) in alone.said
            two.close()
            deadline = time.monotonic() + TIMEOUT_S
            while alone.own != everything:
                assert time.monotonic() < deadline
                one.poll(100, 0.05)

    def test_a_paused_partition_that_went_and_came_back_is_not_paused(
        self, kinds: Kinds, topic: str
    ) -> None:
        with closing(kinds.member("g8")) as one:
            one.subscribe([topic], alone := Heard())
            read(one, 1)
            everything = set(alone.own)
            one.pause(sorted(everything))
            two = kinds.member("g8")
            two.subscribe([topic], other := Heard())
            deadline = time.monotonic() + TIMEOUT_S
            while not (other.own and not alone.own & other.own):
                assert time.monotonic() < deadline
                one.poll(100, 0.05)
                two.poll(100, 0.05)
            moved = set(other.own)
            two.close()
            # Nothing was committed, so that what moved begins anew.
            again = read_until(one, lambda records: places(records) == moved)
            assert alone.own == everything
        assert {(r.topic, r.partition) for r in again if r.offset == 0} == moved

    def test_ends_say_what_the_next_offset_will_be(self, kinds: Kinds, topic: str) -> None:
        with closing(kinds.member("g5")) as stream:
            stream.subscribe([topic], heard := Heard())
            records = read(stream, 12 * FEW)
            last = {(r.topic, r.partition): r.offset for r in records}
            for is_paused in (False, True):
                if is_paused:
                    stream.pause(sorted(heard.own))
                ends = stream.ends(sorted(last))
                assert {p: end - 1 for p, end in ends.items()} == last


class TestEveryPublisher:
    def test_what_is_published_is_there(self, kinds: Kinds) -> None:
        name = f"topic-{uuid.uuid4()}"
        with closing(kinds.publisher()) as publisher, closing(kinds.member("g6")) as stream:
            publisher.publish(name, [(None, None, [("why", b"x")]), (b"k", b"v", [])])
            stream.subscribe([name], Heard())
            records = read(stream, 2)
        assert {(r.key, r.value, tuple(r.headers)) for r in records} == {
            (None, None, (("why", b"x"),)),
            (b"k", b"v", ()),
        }

    def test_nothing_is_nothing(self, kinds: Kinds) -> None:
        with closing(kinds.publisher()) as publisher:
            publisher.publish("never-made", [])


def test_a_broker_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "DELIVERY_TIMEOUT_S", 0.5)
    monkeypatch.setattr(kafka, "CLOSE_TIMEOUT_S", 0.5)
    publisher = open_publisher(KafkaSettings(), "127.0.0.1:1")
    with closing(publisher), pytest.raises(StreamUnavailable):
        publisher.publish("t", [(b"k", b"v", [])])


def test_a_message_that_is_too_large_is_refused(
    kafka_brokers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka, "MOST_MESSAGE_BYTES", 1_000)
    publisher = open_publisher(KafkaSettings(), kafka_brokers)
    with closing(publisher), pytest.raises(StreamRefused, match="MSG_SIZE_TOO_LARGE"):
        publisher.publish("t", [(b"k", b"v" * 2_000, [])])


def test_more_than_fits_into_the_queue_of_a_broker_that_is_away_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kafka, "DELIVERY_TIMEOUT_S", 0.5)
    monkeypatch.setattr(kafka, "CLOSE_TIMEOUT_S", 0.1)
    publisher = open_publisher(KafkaSettings(), "127.0.0.1:1")
    with closing(publisher), pytest.raises(StreamUnavailable):
        publisher.publish("t", [(None, b"v", [])] * 100_100)


def test_settings_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    settings = KafkaSettings(protocol="SSL", ca_file=str(tmp_path / "missing.pem"))
    with pytest.raises(StreamRefused):
        open_publisher(settings, "127.0.0.1:1")
    with pytest.raises(StreamRefused):
        open_stream(settings, "127.0.0.1:1")


def test_a_user_whom_the_broker_does_not_know_is_told(kafka_brokers: str) -> None:
    settings = KafkaSettings(
        protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", user="u", password=SecretStr("hidden")
    )
    with closing(open_stream(settings, kafka_brokers)) as stream:
        stream.subscribe(["t"], Heard())
        with pytest.raises(StreamRefused, match="AUTHENTICATION") as caught:
            read(stream, 1)
    assert "hidden" not in str(caught.value)


def test_a_broker_that_is_away_yields_nothing_and_keeps_nothing(log: io.StringIO) -> None:
    with closing(open_stream(KafkaSettings(session_timeout_s=6), "127.0.0.1:1")) as stream:
        stream.subscribe(["t"], Heard())
        deadline = time.monotonic() + TIMEOUT_S
        while "does not answer well" not in log.getvalue():
            assert time.monotonic() < deadline
            assert stream.poll(10, 0.5) == []
        assert stream.ends([("t", 0)]) == {}
        with pytest.raises(StreamUnavailable):
            stream.commit({("t", 0): 1})


def test_a_topic_that_is_not_there_yet_is_waited_for(kafka_brokers: str) -> None:
    name = f"topic-{uuid.uuid4()}"
    with closing(open_stream(KafkaSettings(group=name), kafka_brokers)) as stream:
        stream.subscribe([name], Heard())
        assert stream.poll(10, 2.0) == []
        make_topics(kafka_brokers, name)
        with closing(open_publisher(KafkaSettings(), kafka_brokers)) as publisher:
            publisher.publish(name, [(b"k", b"v", [])])
        assert read(stream, 1)[0].value == b"v"
