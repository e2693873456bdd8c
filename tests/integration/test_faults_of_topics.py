"""Faults on the way from a topic to the graph: at the end digest and sums are as without them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from memgraph.domain.events import base
from memgraph.domain.mutations import Totals
from memgraph.domain.schema import GraphModel
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.ids import now
from memgraph.services import lanes
from tests.support.events import event, small_story
from tests.support.faulty import FULL_DISK, FaultyGraph
from tests.support.reading import TIMEOUT_S, Direct, Publish, Readers, questions
from tests.support.streams import make_topics

BATCH = 20
LARGE_CHARS = 999_000


@pytest.fixture(autouse=True)
def _quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "LONGEST_WAIT_S", 0.2)


@dataclass(frozen=True)
class Stream:
    """What a topic gets, and what of it is good, in another order."""

    published: list[bytes]
    good: list[bytes]


def backwards() -> Stream:
    story = small_story()
    return Stream(story[::-1], story)


def broken(good: bytes) -> bytes:
    """An event with a field that no event has."""
    return good.replace(b'"prompt"', b'"unknown":1,"prompt"', 1)


def one_in_ten_is_broken() -> Stream:
    events = questions(300)
    mixed = [broken(e) if n % 10 == 3 else e for n, e in enumerate(events)]
    return Stream(mixed, [e for n, e in enumerate(events) if n % 10 != 3])


def one_in_each_batch_is_large() -> Stream:
    events = questions(5 * BATCH, sessions=1)
    for n in range(3, len(events), BATCH):
        events[n] = events[n].replace(b"question", b"x" * LARGE_CHARS)
    return Stream(events, events)


def clocks_are_an_hour_off() -> Stream:
    """Of two senders in one session one is an hour ahead, the other an hour behind."""
    events = [
        event(
            event_id=f"p{n}",
            timestamp=(now() + timedelta(hours=1 if n % 2 else -1, seconds=n)).isoformat(),
            prompt={"text": f"question {n}"},
            session={"id": "s"},
        )
        for n in range(60)
    ]
    return Stream(events, sorted(events, key=lambda e: str(orjson.loads(e)["timestamp"])))


@pytest.mark.parametrize(
    "stream",
    [backwards, one_in_ten_is_broken, one_in_each_batch_is_large, clocks_are_an_hour_off],
)
def test_odd_streams_make_the_graph_of_what_is_good_in_them(
    readers: Readers, publish: Publish, direct: Direct, stream: Callable[[], Stream]
) -> None:
    sent = stream()
    publish(sent.published)
    expected = Totals(stored=len(sent.good), dead_lettered=len(sent.published) - len(sent.good))
    with readers.reading(batch=BATCH) as reading:
        reading.until(readers.received(len(sent.published)))
        assert reading.stop() == expected
    assert readers.counted() == expected.as_dict()
    assert readers.digest() == direct(sent.good)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_reader_whose_own_clock_is_an_hour_off_reads_the_same(
    readers: Readers,
    publish: Publish,
    direct: Direct,
    monkeypatch: pytest.MonkeyPatch,
    hours: int,
) -> None:
    events = [
        event(
            event_id=f"p{n}",
            timestamp=(now() + timedelta(seconds=n)).isoformat(),
            prompt={"text": "now"},
            session={"id": "s"},
        )
        for n in range(30)
    ]
    expected = direct(events)

    def wrong() -> datetime:
        return now() + timedelta(hours=hours)

    monkeypatch.setattr(base, "now", wrong)
    publish(events)
    with readers.reading(batch=BATCH) as reading:
        reading.until(readers.received(len(events)))
        assert reading.stop() == Totals(stored=len(events))
    assert readers.counted()["stored"] == len(events)
    assert readers.digest() == expected


def test_an_answer_that_is_lost_and_asked_for_again_counts_once(
    readers: Readers, publish: Publish, direct: Direct, graph: Graph, model: GraphModel
) -> None:
    lossy = FaultyGraph(graph, retry_for_s=TIMEOUT_S, lose_every=3)
    events = questions(200)
    publish(events)
    with readers.reading(batch=BATCH, writer=Writer(lossy, model)) as reading:
        reading.until(readers.received(len(events)))
        assert reading.stop() == Totals(stored=len(events))
    assert len(lossy.lost) >= 3
    assert readers.counted() == Totals(stored=len(events)).as_dict()
    assert readers.digest() == direct(events)


def test_a_batch_whose_answer_stays_away_is_found_known(
    readers: Readers, publish: Publish, direct: Direct, graph: Graph, model: GraphModel
) -> None:
    """As when the server goes away with its answer: the reader gives the batch again."""
    lossy = FaultyGraph(graph, retry_for_s=0.0, lose_every=3)
    events = questions(200)
    publish(events)
    with readers.reading(batch=BATCH, writer=Writer(lossy, model)) as reading:
        reading.until(lambda: readers.behind() == 0)
        reading.stop()
    counted = readers.counted()
    assert len(lossy.lost) >= 3
    assert counted["stored"] == len(events)
    assert counted["duplicate"] > 0
    assert counted["dead_lettered"] == 0
    assert readers.digest() == direct(events)


@contextmanager
def held(graph: Graph, tenant: str) -> Iterator[None]:
    """Hold the lock that every write of a tenant needs, as a server that hangs does."""
    with (
        graph.driver.session(database=graph.database) as session,
        session.begin_transaction() as transaction,
    ):
        transaction.run(
            "MERGE (t:Tenant {tenant_id: $tenant_id}) SET t.write_id = 1", tenant_id=tenant
        ).consume()
        yield
        transaction.rollback()


def test_a_graph_that_answers_too_slowly_pauses_and_nothing_is_lost(
    readers: Readers,
    publish: Publish,
    direct: Direct,
    graph: Graph,
    model: GraphModel,
    tenant: str,
) -> None:
    bounded = graph.bounded(timeout_s=0.3, stream_timeout_s=0.3)
    events = questions(200)
    publish(events)
    with readers.reading(batch=BATCH, writer=Writer(bounded, model)) as reading:
        with held(graph, tenant):
            reading.until(lambda: any(p.paused and "too long" in p.trouble for p in readers.said))
            assert readers.counted()["received"] == 0
        bounded.timeout_s = None  # on a slow machine a batch may take longer
        reading.until(readers.received(len(events)))
        reading.stop()
    counted = readers.counted()
    assert (counted["stored"], counted["dead_lettered"]) == (len(events), 0)
    assert readers.digest() == direct(events)


def test_a_full_disk_of_the_graph_makes_nobody_a_dead_letter(
    readers: Readers, publish: Publish, direct: Direct, graph: Graph, model: GraphModel
) -> None:
    full = FaultyGraph(graph, retry_for_s=0.0)
    full.is_full.set()
    stream = one_in_ten_is_broken()
    publish(stream.published)
    with readers.reading(batch=BATCH, writer=Writer(full, model)) as reading:
        reading.until(lambda: any(p.paused == p.partitions == 3 for p in readers.said))
        assert {*FULL_DISK} <= {*full.refused}
        assert readers.counted()["received"] == 0
        assert readers.committed() == 0
        full.is_full.clear()
        reading.until(lambda: readers.behind() == 0)
        reading.stop()
    counted = readers.counted()
    assert counted["stored"] == len(stream.good)
    assert counted["dead_lettered"] == len(stream.published) - len(stream.good)
    assert readers.digest() == direct(stream.good)


ANY_AGE_MS = 2**63 - 1


def test_offsets_wait_for_copies_of_dead_letters_that_the_broker_does_not_keep(
    readers: Readers, publish: Publish, direct: Direct, brokers: str, topic: str
) -> None:
    admin = AdminClient({"bootstrap.servers": brokers, "log_level": 0})
    # Whatever arrives is too old for it: the topic takes nothing, as one without room.
    make_topics(brokers, f"{topic}.dlq")
    keep_until(admin, f"{topic}.dlq", age_ms=0)
    good = questions(BATCH, sessions=1)
    publish([broken(good[0]), *good])  # all in one partition, so that nothing overtakes it
    with readers.reading(batch=2 * BATCH) as reading:
        reading.until(lambda: any("broker" in p.trouble for p in readers.said))
        assert readers.committed() == 0
        keep_until(admin, f"{topic}.dlq", age_ms=ANY_AGE_MS)
        reading.until(lambda: readers.behind() == 0)
        reading.stop()
    # Written once, however often the copy was tried.
    assert readers.counted() == Totals(stored=len(good), dead_lettered=1).as_dict()
    assert readers.digest() == direct(good)


def keep_until(admin: AdminClient, topic: str, *, age_ms: int) -> None:
    """Let a topic take only what is not older."""
    setting = ConfigEntry(
        "message.timestamp.before.max.ms", str(age_ms), incremental_operation=AlterConfigOpType.SET
    )
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[setting])
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(TIMEOUT_S)
