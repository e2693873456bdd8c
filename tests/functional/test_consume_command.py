"""consume as a user runs it, with a stream in the place of a broker."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memgraph.adapters import kafka
from memgraph.cli import consuming
from memgraph.domain.errors import SchemaOutdated, StackError
from memgraph.services.readiness import Readiness
from tests.functional.conftest import Run
from tests.support.avro import running_registry
from tests.support.events import small_story
from tests.support.streams import InMemoryBroker, InMemoryEventStream


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> Iterator[InMemoryBroker]:
    broker = InMemoryBroker()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setenv("MEMGRAPH_KAFKA__BROKERS", "127.0.0.1:1")
    monkeypatch.setattr(kafka, "open_publisher", lambda *_: broker)
    monkeypatch.setattr(
        kafka, "open_stream", lambda settings, _: InMemoryEventStream(broker, settings.group)
    )
    yield broker
    for number, handler in before.items():
        signal.signal(number, handler)


def stop_when_committed(broker: InMemoryBroker, count: int) -> threading.Thread:
    def watch() -> None:
        give_up = time.monotonic() + 60
        while sum(broker.offsets.values()) < count and time.monotonic() < give_up:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_it_reads_until_it_is_told_to_stop(
    run: Run, broker: InMemoryBroker, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memgraph.services.consuming.TELL_EVERY_S", 0.05)
    story = small_story()
    broker.publish("stories", [(b"k%d" % n, e, []) for n, e in enumerate(story)])
    watching = stop_when_committed(broker, len(story))
    ran = run("consume", "--topics", "stories, more", "--group", "g", "--json")
    watching.join()
    assert ran.code == 0, ran.error
    assert ran.json == {
        "received": len(story),
        "stored": len(story),
        "duplicate": 0,
        "rejected": 0,
        "dead_lettered": 0,
    }
    assert f"reading stories, more of 127.0.0.1:1 as g into tenant {tenant}" in ran.err
    assert "3 partitions" in ran.err
    assert run("digest").code == 0


def test_values_may_name_their_schema(
    run: Run, broker: InMemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    story = small_story()
    with running_registry() as served:
        monkeypatch.setenv("MEMGRAPH_KAFKA__REGISTRY__URL", served.url)
        monkeypatch.setenv("MEMGRAPH_KAFKA__REGISTRY__USER", "me")
        values = [served.wire(each) for each in story]
        broker.publish("stories", [(b"k%d" % n, each, []) for n, each in enumerate(values)])
        watching = stop_when_committed(broker, len(story))
        ran = run("consume", "--topics", "stories", "--json")
        watching.join()
        assert ran.json["stored"] == len(story)
        assert all(credentials for _, credentials in served.asked)


def test_too_much_that_is_broken_ends_with_1(run: Run, broker: InMemoryBroker) -> None:
    broker.publish("stories", [(b"k", b"{", [])] * 1_200)
    ran = run("consume", "--topics", "stories")
    assert ran.code == 1
    assert "break the rules" in str(ran.error)


def test_it_waits_for_the_schema(
    run: Run, broker: InMemoryBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "LOOK_EVERY_S", 0.01)
    tries: list[int] = []

    def check(self: Any) -> None:
        tries.append(1)
        if len(tries) < 4:
            raise SchemaOutdated("the schema is of another version")

    monkeypatch.setattr(Readiness, "check", check)
    story = small_story()[:2]
    broker.publish("stories", [(b"k", e, []) for e in story])
    watching = stop_when_committed(broker, 2)
    ran = run("consume", "--topics", "stories")
    watching.join()
    assert ran.code == 0
    assert ran.err.count("waiting: the schema") == 1
    assert "2 received, 2 stored" in ran.out


def test_a_topic_that_cannot_be_one_is_refused(run: Run, broker: InMemoryBroker) -> None:
    ran = run("consume", "--topics", "no topic")
    assert ran.code == 2
    assert "topics.0" in ran.err


def test_without_a_broker_it_says_how_to_get_one(run: Run, tmp_path: Path) -> None:
    ran = run("consume")
    assert isinstance(ran.error, StackError)
    assert "--with-kafka" in ran.error.message
