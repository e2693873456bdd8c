"""Events that were written not long ago: in memory for one process, in Redis for all of them.

Redis keeps ``llm-memory-graph:seen:TENANT:EVENT`` with the digest of the bytes. It may
forget or go away at any time: then events look new, and the graph finds them known.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import cast

from memgraph.adapters.redis_link import NAMESPACE, RedisAway, RedisLink
from memgraph.services.enrichment.items import SeenEvent

LIFE_S = 3_600
"""So long an event is remembered (seed 004, section 2.1)."""
MOST_EVENTS = 200_000
"""Events that a process without Redis remembers."""

# One call, and so one answer, for a whole batch.
MARK = """\
for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i + 1], 'EX', ARGV[1]) end
return #KEYS"""


class InMemorySeenEvents:
    """The latest events of this process. Threads share it."""

    def __init__(self, most: int = MOST_EVENTS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    def among(self, tenant_id: str, events: Sequence[SeenEvent]) -> list[bool]:
        with self._lock:
            return [self._kept.get((tenant_id, id_)) == digest for id_, digest in events]

    def mark(self, tenant_id: str, events: Sequence[SeenEvent]) -> None:
        with self._lock:
            for id_, digest in events:
                self._kept[tenant_id, id_] = digest
                self._kept.move_to_end((tenant_id, id_))
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)


class RedisSeenEvents:
    """Events that all processes remember. While Redis is away everything looks new."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link

    def among(self, tenant_id: str, events: Sequence[SeenEvent]) -> list[bool]:
        names = [_name(tenant_id, id_) for id_, _ in events]
        if not names:
            return []
        try:
            known = cast("list[bytes | None]", self._link.call(lambda client: client.mget(names)))
        except RedisAway:
            return [False] * len(events)
        return [kept == digest for kept, (_, digest) in zip(known, events, strict=True)]

    def mark(self, tenant_id: str, events: Sequence[SeenEvent]) -> None:
        names = [_name(tenant_id, id_) for id_, _ in events]
        if not names:
            return
        digests = [digest for _, digest in events]
        try:
            self._link.call(lambda client: client.eval(MARK, len(names), *names, LIFE_S, *digests))
        except RedisAway:
            return  # they look new next time, and the graph knows them


def _name(tenant_id: str, event_id: str) -> str:
    return f"{NAMESPACE}seen:{len(tenant_id)}:{tenant_id}:{event_id}"
