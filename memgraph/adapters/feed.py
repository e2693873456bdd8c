"""The latest events of each tenant in a Redis stream, for everybody who listens.

``llm-memory-graph:feed:TENANT`` holds fields ``body``, ``kind``, ``node`` and, if known,
``session``. Places are the ids that Redis gives, so they grow even when the numbers of an
outbox begin anew. The oldest are dropped when there are too many.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memgraph.adapters.redis_link import NAMESPACE, RedisAway, RedisLink
from memgraph.domain.errors import StreamUnavailable
from memgraph.services.ports import FedEvent, OutgoingEvent
from memgraph.settings import OutboxSettings

BEGINNING = "0-0"
TOGETHER = 500
"""Events of one call, so that Redis answers in time."""


class RedisFeed:
    """Keeps and shows events. Threads and processes share it."""

    name = "redis"

    def __init__(self, link: RedisLink, *, most: int, keep_s: float) -> None:
        """About ``most`` events of a tenant are kept, until none came for ``keep_s``."""
        self._link = link
        self._most = most
        self._keep_s = int(keep_s)

    def deliver(self, tenant_id: str, events: Sequence[OutgoingEvent]) -> None:
        name = _name(tenant_id)
        for first in range(0, len(events), TOGETHER):
            together = events[first : first + TOGETHER]
            self._ask(lambda client, together=together: self._add(client, name, together))

    def end(self, tenant_id: str) -> str:
        latest = self._ask(lambda client: client.xrevrange(_name(tenant_id), count=1))
        return latest[0][0].decode() if latest else BEGINNING

    def read(self, tenant_id: str, after: str, most: int) -> list[FedEvent]:
        found = self._ask(
            lambda client: client.xrange(_name(tenant_id), min=f"({after}", count=most)
        )
        return [_event(place, fields) for place, fields in found]

    def is_complete(self, tenant_id: str, after: str) -> bool:
        if after == BEGINNING:
            return True
        # The oldest go first: while it is there, so is what came after it.
        name = _name(tenant_id)
        return bool(self._ask(lambda client: client.xrange(name, min=after, max=after)))

    def _add(self, client: Any, name: str, events: Sequence[OutgoingEvent]) -> None:
        pipeline = client.pipeline(transaction=False)
        for event in events:
            fields = {"body": event.body, "kind": event.kind, "node": event.node_type}
            if event.session_id is not None:
                fields["session"] = event.session_id
            pipeline.xadd(name, fields, maxlen=self._most, approximate=True)
        pipeline.expire(name, self._keep_s)
        pipeline.execute()

    def _ask(self, ask: Any) -> Any:
        try:
            return self._link.call(ask)
        except RedisAway:
            raise StreamUnavailable(
                "Redis, which keeps the latest events, does not answer"
            ) from None


def open_feed(settings: OutboxSettings, link: RedisLink) -> RedisFeed:
    """The feed of a Redis."""
    return RedisFeed(link, most=settings.feed_events, keep_s=settings.keep_s)


def _name(tenant_id: str) -> str:
    return f"{NAMESPACE}feed:{tenant_id}"


def _event(place: bytes, fields: dict[bytes, bytes]) -> FedEvent:
    session = fields.get(b"session")
    return FedEvent(
        place.decode(),
        fields[b"kind"].decode(),
        fields[b"node"].decode(),
        None if session is None else session.decode(),
        fields[b"body"],
    )
