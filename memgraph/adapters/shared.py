"""What the processes of one installation share, where they share a Redis."""

from __future__ import annotations

from dataclasses import dataclass

from memgraph.adapters.answers import InMemoryAnswerStore, RedisAnswerStore
from memgraph.adapters.cache import Entries, InMemoryCache, NoCache, TieredCache
from memgraph.adapters.feed import open_feed
from memgraph.adapters.limiter import InMemoryLimiter, RedisLimiter
from memgraph.adapters.redis_link import RedisLink
from memgraph.adapters.seen import InMemorySeenEvents, RedisSeenEvents
from memgraph.services.enrichment.items import SeenEvents
from memgraph.services.ports import AnswerStore, Cache, EventFeed, Limiter
from memgraph.settings import Settings


@dataclass(frozen=True, eq=False)
class Shared:
    """The implementations that fit together. Close them when done."""

    cache: Cache
    limiter: Limiter
    answers: AnswerStore
    alone: Limiter
    """Counts in this process only."""
    seen: SeenEvents
    feed: EventFeed | None = None
    """None without Redis."""
    link: RedisLink | None = None

    def close(self) -> None:
        if self.link is not None:
            self.link.close()


def open_shared(settings: Settings, redis_url: str) -> Shared:
    """Redis with memory in front of it; without an address, the memory of each process.

    Then several processes would not see each other's writes, so nothing is cached.
    """
    alone = InMemoryLimiter()
    cached = settings.cache
    entries = Entries(most=cached.most_entries, most_bytes=cached.most_bytes)
    if redis_url:
        link = RedisLink(redis_url)
        cache = TieredCache(entries, link, most_entry_bytes=cached.most_entry_bytes)
        feed = open_feed(settings.outbox, link)
        answers, seen = RedisAnswerStore(link), RedisSeenEvents(link)
        return Shared(cache, RedisLimiter(link), answers, alone, seen, feed, link)
    memory = NoCache() if settings.api.workers > 1 else InMemoryCache(entries)
    return Shared(memory, alone, InMemoryAnswerStore(), alone, InMemorySeenEvents())
