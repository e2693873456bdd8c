"""Settle a batch of one partition: the graph first, then the copies of its dead letters.

What of a batch is settled is noted as it happens, so that a batch that is tried again
goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from memgraph import metrics
from memgraph.domain.errors import InvalidInput, StreamRefused
from memgraph.domain.mutations import Outcome, Totals
from memgraph.services.enrichment.items import Item
from memgraph.services.ingest.pipeline import Pipeline
from memgraph.services.ingest.topics import payload_of
from memgraph.services.ports import (
    AsJson,
    EventPublisher,
    Headers,
    Message,
    Meters,
    StreamRecord,
)

_log = structlog.get_logger()

DOOR = "kafka"
COPIES = ".dlq"
"""Added to the name of a topic."""
IN_WIRE_FORMAT = b"\0"
"""How values begin that name their schema. JSON never does."""
TENANT_HEADER = "tenant_id"
MOST_TENANT_CHARS = 512


@dataclass(slots=True)
class Part:
    """The records of one tenant, in their order."""

    tenant_id: str
    refusal: InvalidInput | None = None
    """What is wrong with the headers of all of them."""
    records: list[StreamRecord] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    totals: Totals | None = None
    """What became of them, once it is committed."""


@dataclass(slots=True)
class Batch:
    """Neighbouring records of one partition."""

    topic: str
    parts: list[Part]
    next_offset: int
    """Where reading goes on after it."""
    is_judged: bool = False
    """Whether it has a part in its topic's share of invalid records."""

    @property
    def totals(self) -> Totals:
        return sum((part.totals for part in self.parts if part.totals), Totals())

    @property
    def invalid(self) -> list[bool]:
        """Of each record, whether it breaks the rules of events."""
        return [i.code == InvalidInput.code for part in self.parts for i in part.items]


@dataclass(frozen=True, eq=False)
class Settling:
    """Gives batches to the pipeline. Threads share it."""

    pipeline: Pipeline
    publisher: EventPublisher
    meters: Meters
    tenant: str
    trust_tenant_header: bool = False
    as_json: AsJson | None = None
    """Reads values that name a schema; None: there are none."""

    def batch(self, records: Sequence[StreamRecord]) -> Batch:
        """Sort records by tenant."""
        parts: dict[tuple[str, bool], Part] = {}
        for record in records:
            tenant_id, refusal = self._tenant_of(record)
            name = (tenant_id, refusal is None)
            if (part := parts.get(name)) is None:
                part = parts[name] = Part(tenant_id, refusal)
            part.records.append(record)
        last = records[-1]
        return Batch(last.topic, list(parts.values()), last.offset + 1)

    def write(self, batch: Batch) -> None:
        """Commit what is open of a batch. Raises what the pipeline raises."""
        for part in batch.parts:
            if part.totals is None:
                self._write(batch.topic, part)

    def copy(self, batch: Batch) -> None:
        """Append the dead letters of a batch to their topic. Raises StreamUnavailable."""
        copies = [
            _copy(record, item)
            for part in batch.parts
            for record, item in zip(part.records, part.items, strict=True)
            if item.outcome is Outcome.DEAD_LETTERED
        ]
        if copies:
            self._publish(batch.topic, copies)

    def _write(self, topic: str, part: Part) -> None:
        # Made anew for each try: what stages noted of a batch that failed is left behind.
        items = [self._item(topic, record.value or b"") for record in part.records]
        if (refusal := part.refusal) is not None:
            for item in items:
                item.end(Outcome.DEAD_LETTERED, refusal.code, **refusal.facts)
                item.stage = "headers"
        part.totals = self.pipeline.run(
            part.tenant_id, items, door=DOOR, source=topic, keep_invalid=True
        )
        part.items = items

    def _item(self, topic: str, value: bytes) -> Item:
        """An event as it came in, or what cannot become one."""
        try:
            read = (self.as_json or _unread)(value)
        except InvalidInput as error:
            item = Item(value)
            item.end(Outcome.DEAD_LETTERED, error.code, **error.facts)
            item.stage = "decode"
            return item
        return Item(payload_of(topic, read))

    def _publish(self, topic: str, copies: Sequence[Message]) -> None:
        try:
            self.publisher.publish(topic + COPIES, copies)
        except StreamRefused as error:
            # Copies are larger than what came in. The graph's dead letters have the whole.
            _log.warning(
                "copies of dead letters go without their values", topic=topic, **error.facts
            )
            self.publisher.publish(
                topic + COPIES,
                [(key, None, (*headers, ("without", b"value"))) for key, _, headers in copies],
            )
        self.meters.count(metrics.KAFKA_COPIES, len(copies), topic=topic)

    def _tenant_of(self, record: StreamRecord) -> tuple[str, InvalidInput | None]:
        """Whose a record is; with a header that names no tenant it is ours, and refused."""
        said = next((v for name, v in record.headers if name == TENANT_HEADER), None)
        if said is None or not self.trust_tenant_header:
            return self.tenant, None
        try:
            tenant_id = said.decode()
        except UnicodeDecodeError:
            tenant_id = ""
        if 0 < len(tenant_id) <= MOST_TENANT_CHARS and tenant_id.isprintable():
            return tenant_id, None
        rule = f"must be printable text of 1 to {MOST_TENANT_CHARS} characters"
        return self.tenant, InvalidInput(f"header {TENANT_HEADER}", rule)


def _unread(value: bytes) -> bytes:
    if value.startswith(IN_WIRE_FORMAT):
        raise InvalidInput("value", "names a schema, and no kafka.registry.url says where it is")
    return value


def _copy(record: StreamRecord, item: Item) -> Message:
    """What the topic of dead letters gets: the record, where it stood, and why."""
    about: Headers = (
        ("reason", item.code.encode()),
        ("detail", item.reason.encode()),
        ("stage", item.stage.encode()),
        ("topic", record.topic.encode()),
        ("partition", str(record.partition).encode()),
        ("offset", str(record.offset).encode()),
    )
    return record.key, record.value, about
