"""What the processes of one installation share, where they share a Redis."""

from __future__ import annotations

from dataclasses import dataclass

from memgraph.adapters.answers import InMemoryAnswerStore, RedisAnswerStore
from memgraph.adapters.cache import Entries, InMemoryCache, NoCache, TieredCache
from memgraph.adapters.limiter import InMemoryLimiter, RedisLimiter
from memgraph.adapters.redis_link import RedisLink
from memgraph.adapters.seen import InMemorySeenEvents, RedisSeenEvents
from memgraph.services.enrichment.items import SeenEvents
from memgraph.services.ports import AnswerStore, Cache, Limiter
from memgraph.settings import CacheSettings


@dataclass(frozen=True, eq=False)
class Shared:
    """The implementations that fit together. Close them when done."""

    cache: Cache
    limiter: Limiter
    answers: AnswerStore
    alone: Limiter
    """Counts in this process only."""
    seen: SeenEvents
    link: RedisLink | None = None

    def close(self) -> None:
        if self.link is not None:
            self.link.close()


def open_shared(settings: CacheSettings, redis_url: str, *, processes: int) -> Shared:
    """Redis with memory in front of it; without an address, the memory of each process.

    Then several processes would not see each other's writes, so nothing is cached.
    """
    alone = InMemoryLimiter()
    entries = Entries(most=settings.most_entries, most_bytes=settings.most_bytes)
    if redis_url:
        link = RedisLink(redis_url)
        cache = TieredCache(entries, link, most_entry_bytes=settings.most_entry_bytes)
        return Shared(
            cache, RedisLimiter(link), RedisAnswerStore(link), alone, RedisSeenEvents(link), link
        )
    memory = NoCache() if processes > 1 else InMemoryCache(entries)
    return Shared(memory, alone, InMemoryAnswerStore(), alone, InMemorySeenEvents())
