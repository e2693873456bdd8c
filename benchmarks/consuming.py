"""P3: a filled topic into the graph, against the bare driver writing the same events."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from benchmarks import baseline
from benchmarks.rounds import ROUNDS, alternate, bare
from benchmarks.server import Bench, say
from benchmarks.table import Line, ratio_line
from benchmarks.volume import WRITERS, lane_of
from benchmarks.writing import EVENTS_IN_TRANSACTION
from memgraph.adapters.kafka import open_publisher, open_stream
from memgraph.domain.mutations import Mutation, Totals
from memgraph.local import start, stop
from memgraph.sections import KafkaSettings
from memgraph.services.consuming import Consumer
from memgraph.services.metering import NullMeters
from memgraph.services.stream_batches import Settling
from memgraph.settings import Settings
from memgraph.telemetry import configure_logging

EVENTS = 8_000
PARTITIONS = 12
PUBLISHED_TOGETHER = 1_000
TIMEOUT_S = 600.0


class _Clocked:
    """A pipeline that notes when its first batch began and its last event was settled."""

    def __init__(self, pipeline: Any) -> None:
        self._pipeline = pipeline
        self._lock = threading.Lock()
        self.began = self.ended = 0.0
        self.settled = 0

    def run(self, tenant_id: str, items: Sequence[Any], **more: Any) -> Totals:
        with self._lock:
            self.began = self.began or time.perf_counter()
        totals: Totals = self._pipeline.run(tenant_id, items, **more)
        with self._lock:
            self.ended = time.perf_counter()
            self.settled += len(items)
        return totals


def run(bench: Bench) -> list[Line]:
    """Alternate the two."""
    replays = -(-EVENTS // bench.replay.events)
    lanes: list[list[Mutation]] = [[] for _ in range(WRITERS)]
    for session_id, mutation in bench.replay.mutations(replays):
        lanes[lane_of(session_id)].append(mutation)
    size = EVENTS_IN_TRANSACTION
    batches = [[lane[i : i + size] for i in range(0, len(lane), size)] for lane in lanes]
    prepared = baseline.prepare(bench.app.model, batches)
    events = sum(map(len, lanes))
    configure_logging()  # to standard error, beside what is said there
    with _broker(bench) as brokers:
        topic = _filled(bench, brokers, replays)
        rounds, missing = alternate(
            bench,
            "P3",
            events,
            lambda tenant: _ours(bench, tenant, brokers, topic, events),
            lambda tenant: bare(bench, tenant, prepared),
            baseline.expected(prepared),
        )
    speed = [(events / ours[0], events / base[0]) for ours, base in rounds]
    processor = [(1e6 * ours[1] / events, 1e6 * base[1] / events) for ours, base in rounds]
    note = (
        f"{ROUNDS} rounds of {events:,} events in {PARTITIONS} partitions, {WRITERS} writers; ours "
        "reads, validates, looks at texts, tokens and personal data, writes and commits offsets; "
        "from the first batch to the last commit in the graph"
    )
    return [
        ratio_line(
            "P3",
            "a topic into the graph",
            "events/s",
            speed,
            at_least=0.6,
            lost=missing,
            note=note,
        ),
        ratio_line("P3", "  its processor time, reader and server", "us/event", processor),
    ]


@contextmanager
def _broker(bench: Bench) -> Iterator[str]:
    folder = bench.data_dir / "p3"
    stack = start(folder, neo4j=False, redis=False, kafka=True, detach=False, on_progress=say)
    try:
        yield stack.kafka or ""
    finally:
        stop(folder)


def _filled(bench: Bench, brokers: str, replays: int) -> str:
    """A topic with all events, those of a session in one partition."""
    from confluent_kafka.admin import AdminClient, NewTopic

    topic = f"p3-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": brokers})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    messages = [(key.encode(), value, ()) for key, value in bench.replay.payloads(replays)]
    with closing(open_publisher(KafkaSettings(), brokers)) as publisher:
        for i in range(0, len(messages), PUBLISHED_TOGETHER):
            publisher.publish(topic, messages[i : i + PUBLISHED_TOGETHER])
    return topic


def _ours(bench: Bench, tenant: str, brokers: str, topic: str, events: int) -> float:
    settings = bench.app.settings.model_copy(
        update={"kafka": KafkaSettings(topics=(topic,), group=tenant)}
    )
    clocked = _Clocked(bench.app.pipeline)
    with closing(open_publisher(settings.kafka, brokers)) as publisher:
        settling = Settling(clocked, publisher, NullMeters(), tenant)  # type: ignore[arg-type]
        totals = _read(settings, settling, clocked, brokers, events)
    if totals.stored != events:
        raise AssertionError(f"{totals.stored} of {events} stored")
    return clocked.ended - clocked.began


def _read(
    settings: Settings, settling: Settling, clocked: _Clocked, brokers: str, events: int
) -> Totals:
    consumer = Consumer(open_stream(settings.kafka, brokers), settling, settings, NullMeters())
    done = threading.Event()

    def watch() -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while clocked.settled < events and time.monotonic() < deadline:
            time.sleep(0.02)
        done.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    totals = consumer.run(done)
    watcher.join()
    return totals
