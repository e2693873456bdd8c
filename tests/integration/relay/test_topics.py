"""The relay and a topic of Kafka."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import orjson

from memgraph.domain.errors import StreamUnavailable
from memgraph.graph.outbox import Outbox
from memgraph.graph.writer import Writer
from memgraph.services.ports import Message
from memgraph.services.relay import TopicSink
from tests.support.relaying import MakeRelay, mutations, prompt, response, waiting


class Publishing:
    """Keeps records, as a broker does."""

    def __init__(self) -> None:
        self.topics: dict[str, list[Message]] = defaultdict(list)

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        self.topics[topic] += messages

    def close(self) -> None: ...


def test_records_carry_tenant_and_key(writer: Writer, tenant: str, relay: MakeRelay) -> None:
    publisher = Publishing()
    writer.write(tenant, mutations([prompt("p"), response("r", "p")]))
    relay(TopicSink(publisher, "out")).drain()
    assert [key for key, _, _ in publisher.topics["out"]] == [f"{tenant}/s".encode()] * 2
    _, value, headers = publisher.topics["out"][1]
    assert orjson.loads(value or b"")["kind"] == "response_generated"
    assert dict(headers)["tenant_id"] == tenant.encode()


def test_a_broker_that_is_away_is_waited_for(
    writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay
) -> None:
    class Away(Publishing):
        def publish(self, *_: Any) -> None:
            raise StreamUnavailable("no broker")

    writer.write(tenant, mutations([prompt("p")]))
    relay(TopicSink(Away(), "out")).drain()
    assert waiting(outbox, tenant) == [1]
