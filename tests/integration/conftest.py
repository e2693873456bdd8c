"""Topics of a broker and readers of them, for the tests that need some."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

import pytest

from memgraph.adapters.kafka import open_publisher
from memgraph.domain.schema import GraphModel
from memgraph.graph.digest import digest
from memgraph.graph.session import Graph
from memgraph.sections import KafkaSettings
from memgraph.services.enrichment.items import Item
from memgraph.services.ports import Message
from tests.support.pipelines import graph_pipeline
from tests.support.reading import Readers
from tests.support.streams import kafka_for_tests, make_topics


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
