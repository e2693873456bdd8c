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
from collections.abc import Callable
from typing import Any

import pytest

from memgraph.domain.errors import GraphUnavailable, TooManyInvalid
from memgraph.domain.mutations import Totals
from memgraph.graph.writer import Writer
from memgraph.services import lanes
from memgraph.settings import Neo4jSettings
from tests.support.events import small_story
from tests.support.reading import TIMEOUT_S, Direct, Publish, Readers, conversations, questions
from tests.support.streams import records_of


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
            two.until(lambda: any(0 < p.partitions < 3 for p in readers.said))
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
        self.tries: list[float] = []
        """When it was asked in vain."""

    def write(self, *arguments: Any, **more: Any) -> Any:
        if self._left <= 0 and not self.is_back.is_set():
            self.tries.append(time.monotonic())
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
        # Three lanes, each after 0.1, 0.2, 0.4 and then 0.5 s, all of them up to a quarter less.
        most = 3 * (4 + (away.tries[-1] - away.tries[0]) / (0.75 * lanes.LONGEST_WAIT_S))
        assert len(away.tries) <= most, "it does not hammer a graph that is away"
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
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=TIMEOUT_S) as page:
        shown = page.read().decode()
    assert f'llm_memory_graph_kafka_records_total{{topic="{topic}"}}' in shown
    running.send_signal(signal.SIGTERM)
    out, err = running.communicate(timeout=TIMEOUT_S)
    assert running.returncode == 0, err
    told = json.loads(out)
    assert told["received"] == told["stored"] + told["duplicate"]
    assert f"reading {topic}" in err
    assert readers.counted()["stored"] == 3_000
    assert readers.digest() == direct(events)
