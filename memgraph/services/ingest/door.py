"""The door of services that send events themselves: a body of one event or many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from memgraph.domain.errors import InvalidInput
from memgraph.domain.mutations import Totals
from memgraph.services.enrichment.items import Item, MayWrite
from memgraph.services.ingest.pipeline import Pipeline

MOST_EVENTS = 1_000
"""Events of one body."""
MOST_ID_CHARS = 512


@dataclass(frozen=True, eq=False)
class Door:
    """Takes bodies of events and tells what became of each. Threads share it."""

    pipeline: Pipeline

    def take(
        self, tenant_id: str, body: bytes, *, door: str, may: MayWrite
    ) -> tuple[Totals, list[Item]]:
        """Settle a body: a JSON event, or an array of up to ``MOST_EVENTS``.

        Raises InvalidInput for a body that is neither, Overloaded and GraphUnavailable
        when it cannot be taken now.
        """
        with self.pipeline.pressure.buffer.hold(len(body)):
            read = _read(body)
            items = [Item(body)] if isinstance(read, dict) else _items(read, "body")
            return self.pipeline.run(tenant_id, items, door=door, may=may), items

    def take_batch(
        self, tenant_id: str, body: bytes, *, door: str, may: MayWrite
    ) -> tuple[str | None, Totals, list[Item]]:
        """Settle an envelope with ``events`` and ``batch_id`` (seed 002, section 1.3.2)."""
        with self.pipeline.pressure.buffer.hold(len(body)):
            read = _read(body)
            if not isinstance(read, dict):
                raise InvalidInput("body", "must be an object with events")
            for name in read.keys() - {"batch_id", "events", "compression"}:
                raise InvalidInput(name[:64], "is not a field here")
            batch_id = read.get("batch_id")
            if not isinstance(batch_id, str | None) or len(batch_id or "") > MOST_ID_CHARS:
                raise InvalidInput(
                    "batch_id", f"must be text of at most {MOST_ID_CHARS} characters"
                )
            items = _items(read.get("events"), "events")
            return batch_id, self.pipeline.run(tenant_id, items, door=door, may=may), items


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput("body", f"is no JSON: {error.msg} at byte {error.pos}") from None


def _items(read: Any, name: str) -> list[Item]:
    """An item for the bytes of each event. Raises InvalidInput."""
    if not isinstance(read, list) or not 1 <= len(read) <= MOST_EVENTS:
        raise InvalidInput(name, f"must be an array of 1 to {MOST_EVENTS} events")
    return [Item(orjson.dumps(event)) for event in read]
