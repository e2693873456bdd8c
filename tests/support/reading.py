"""Readers of topics of a real broker into the real graph, and what they are compared with."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer as Member
from confluent_kafka import TopicPartition

from memgraph.adapters.kafka import open_publisher, open_stream
from memgraph.adapters.schema_registry import open_schema_registry
from memgraph.domain.errors import MemgraphError
from memgraph.domain.mutations import Totals
from memgraph.domain.schema import GraphModel
from memgraph.graph.digest import digest
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.sections import KafkaSettings
from memgraph.services.consuming import Consumer, Progress
from memgraph.services.ingest import formats
from memgraph.services.ingest.delivery import Delivery
from memgraph.services.ingest.formats.records import Record
from memgraph.services.ingest.pipeline import Pipeline
from memgraph.services.metering import NullMeters
from memgraph.services.stream_batches import Settling
from memgraph.settings import Settings
from tests.support.events import at, event
from tests.support.pipelines import graph_pipeline

TIMEOUT_S = 60.0
CONVERSATIONS = Path(__file__).parents[1] / "data" / "tau_bench_airline.json"

Publish = Callable[[Sequence[bytes]], None]
Direct = Callable[[Sequence[bytes]], str]


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


def conversations() -> list[bytes]:
    """Real conversations as events."""
    found = formats.read(CONVERSATIONS, "chat")
    return [record.payload for record in found if isinstance(record, Record)]


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
        with (
            closing(open_publisher(settings.kafka, self.brokers)) as publisher,
            open_schema_registry(settings.kafka.registry) as as_json,
        ):
            settling = Settling(
                pipeline,
                publisher,
                NullMeters(),
                self.tenant,
                settings.kafka.trust_tenant_header,
                as_json,
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

    def committed(self, group: str = "g") -> int:
        """Records of the topic that a group will not read again."""
        return sum(committed for committed, _ in self._places(group))

    def behind(self, group: str = "g") -> int:
        """Records of the topic that a group has not committed."""
        return sum(end - committed for committed, end in self._places(group))

    def _places(self, group: str) -> list[tuple[int, int]]:
        config = {"bootstrap.servers": self.brokers, "group.id": f"{group}-{self.topic}"}
        with closing(Member(config)) as member:
            numbers = member.list_topics(self.topic, timeout=TIMEOUT_S).topics[self.topic]
            places = [TopicPartition(self.topic, n) for n in numbers.partitions]
            return [
                (max(0, place.offset), member.get_watermark_offsets(place, timeout=TIMEOUT_S)[1])
                for place in member.committed(places, timeout=TIMEOUT_S)
            ]
