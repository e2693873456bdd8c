"""Where events go out: the relay with the sinks that the settings lead to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from memgraph.adapters.feed import open_feed
from memgraph.adapters.redis_link import RedisLink
from memgraph.domain.errors import StackError
from memgraph.graph.lease import Lease
from memgraph.graph.outbox import Outbox
from memgraph.graph.session import Graph
from memgraph.services.ports import EventSink, Meters
from memgraph.services.relay import JOB, SLOT, Relay, TopicSink
from memgraph.settings import Settings

TIMEOUT_S = 5.0
"""Nobody waits for the relay, so it may wait for Redis."""


@contextmanager
def open_relay(
    graph: Graph,
    settings: Settings,
    *,
    redis_url: str,
    brokers: str,
    tenant_id: str | None = None,
    meters: Meters | None = None,
) -> Iterator[Relay]:
    """A relay for a tenant or all; an empty address is no sink. Raises StackError."""
    outbox, lease = Outbox(graph), Lease(graph, JOB, SLOT)
    with open_sinks(settings, redis_url, brokers) as sinks:
        yield Relay(outbox, sinks, lease, settings.outbox, tenant_id=tenant_id, meters=meters)


@contextmanager
def open_sinks(settings: Settings, redis_url: str, brokers: str) -> Iterator[list[EventSink]]:
    """The sinks of the addresses that are known. Raises StackError without Kafka's client."""
    sinks: list[EventSink] = []
    if redis_url:
        sinks.append(open_feed(settings.outbox, RedisLink(redis_url, timeout_s=TIMEOUT_S)))
    if not brokers:
        yield sinks
        return
    try:
        from memgraph.adapters.kafka import open_publisher
    except ModuleNotFoundError as error:
        raise StackError(
            'Kafka needs an extra: pip install "llm-memory-graph[kafka]"', package=error.name
        ) from None
    with closing(open_publisher(settings.kafka, brokers)) as publisher:
        yield [*sinks, TopicSink(publisher, settings.outbox.topic)]
