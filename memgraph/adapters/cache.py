"""Answers kept in memory and in Redis, each gone with the first write that may change it.

Every tag has a stamp, and the name of an entry contains the stamps of its tags as they
were before it was computed. A write removes the stamps of its tags; who next needs one
makes a new one that never was before (a count in memory, random bits in Redis). So an
entry that was computed before a write, even if it is kept after it, has a name that
nobody asks for again; nor does it come back when a stamp is evicted.

Names are digests: neither ids of callers nor tenants can be read out of Redis.
"""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b

from memgraph.adapters.redis_link import NAMESPACE, RedisAway, RedisLink
from memgraph.services.ports import CacheFigures

MOST_STAMPS = 100_000
STAMP_LIFE_S = 86_400
EPOCH = NAMESPACE + "epoch"
"""A tag of every entry: removed when Redis may have missed a write."""

# A stamp that is missing is made here, so that two readers never make two.
READ_STAMPS = """\
local stamps = redis.call('MGET', unpack(KEYS))
for i, stamp in ipairs(stamps) do
  if not stamp then
    stamps[i] = ARGV[1]
    redis.call('SET', KEYS[i], ARGV[1], 'EX', ARGV[2])
  end
end
return stamps"""


class Entries:
    """The entries used last, bounded in number and bytes. Threads share it."""

    def __init__(self, *, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._bytes = 0

    def find(self, name: str) -> bytes | None:
        with self._lock:
            until, value = self._kept.get(name, (0.0, b""))
            if until <= time.monotonic():
                return None
            self._kept.move_to_end(name)
            return value

    def put(self, name: str, value: bytes, ttl_s: float) -> None:
        """Keep it, at the cost of those that were not asked for longest."""
        if len(value) > self._most_bytes:
            return
        with self._lock:
            _, old = self._kept.pop(name, (0.0, b""))
            self._kept[name] = (time.monotonic() + ttl_s, value)
            self._bytes += len(value) - len(old)
            while len(self._kept) > self._most or self._bytes > self._most_bytes:
                _, (_, dropped) = self._kept.popitem(last=False)
                self._bytes -= len(dropped)


class _Counting:
    """What all caches count."""

    def __init__(self) -> None:
        self._hits = self._misses = 0
        self._count_lock = threading.Lock()

    def _count(self, *, is_hit: bool) -> None:
        with self._count_lock:
            self._hits += is_hit
            self._misses += not is_hit

    def figures(self) -> CacheFigures:
        return CacheFigures(self._hits, self._misses, self._failures())

    def _failures(self) -> int:
        return 0


class NoCache(_Counting):
    """Computes always: for several processes that share no Redis."""

    def cached(
        self,
        tenant_id: str,
        key: str,
        tags: Sequence[str],
        ttl_s: float,
        compute: Callable[[], bytes],
    ) -> bytes:
        self._count(is_hit=False)
        return compute()

    def invalidate(self, tenant_id: str, tags: Iterable[str]) -> None:
        return None


class InMemoryCache(_Counting):
    """The cache of a single process."""

    def __init__(self, entries: Entries) -> None:
        super().__init__()
        self._entries = entries
        self._lock = threading.Lock()
        self._stamps: OrderedDict[str, int] = OrderedDict()
        self._next = itertools.count()

    def cached(
        self,
        tenant_id: str,
        key: str,
        tags: Sequence[str],
        ttl_s: float,
        compute: Callable[[], bytes],
    ) -> bytes:
        name = _entry(tenant_id, key, self._read(_stamp_names(tenant_id, tags)))
        value = self._entries.find(name)
        self._count(is_hit=value is not None)
        if value is None:
            value = compute()
            self._entries.put(name, value, ttl_s)
        return value

    def invalidate(self, tenant_id: str, tags: Iterable[str]) -> None:
        with self._lock:
            for name in _stamp_names(tenant_id, tags):
                self._stamps.pop(name, None)

    def _read(self, names: list[str]) -> list[bytes]:
        with self._lock:
            found = []
            for name in names:
                stamp = self._stamps.get(name)
                if stamp is None:
                    stamp = self._stamps[name] = next(self._next)
                self._stamps.move_to_end(name)
                found.append(b"%d" % stamp)
            while len(self._stamps) > MOST_STAMPS:
                self._stamps.popitem(last=False)
            return found


class RedisCache(_Counting):
    """The cache that processes share. Without an answer of Redis it computes."""

    def __init__(self, link: RedisLink, *, most_entry_bytes: int) -> None:
        super().__init__()
        self._link = link
        self._most_entry_bytes = most_entry_bytes
        link.on_return(lambda client: client.delete(EPOCH))

    def cached(
        self,
        tenant_id: str,
        key: str,
        tags: Sequence[str],
        ttl_s: float,
        compute: Callable[[], bytes],
    ) -> bytes:
        try:
            name = _entry(tenant_id, key, self._read(_stamp_names(tenant_id, tags)))
            value = self._find(name, ttl_s)
        except RedisAway:
            self._count(is_hit=False)
            return compute()
        self._count(is_hit=value is not None)
        if value is None:
            value = compute()
            self._put(name, value, ttl_s)
        return value

    def invalidate(self, tenant_id: str, tags: Iterable[str]) -> None:
        names = _stamp_names(tenant_id, tags)
        try:
            self._link.ask("DEL", *names)
        except RedisAway:
            # The link has the epoch removed when Redis is back.
            self._link.missed()

    def _read(self, names: list[str]) -> list[bytes]:
        keys = [EPOCH, *names]
        stamps: list[bytes] = self._link.ask("MGET", *keys)
        if None in stamps:
            stamps = self._link.run(READ_STAMPS, keys, secrets.token_bytes(12), STAMP_LIFE_S)
        return stamps

    def _find(self, name: str, ttl_s: float) -> bytes | None:
        value: bytes | None = self._link.ask("GET", name)
        return value

    def _put(self, name: str, value: bytes, ttl_s: float) -> None:
        if len(value) > self._most_entry_bytes:
            return
        try:
            self._link.ask("SET", name, value, "PX", int(ttl_s * 1000))
        except RedisAway:
            return

    def _failures(self) -> int:
        return self._link.failures


class TieredCache(RedisCache):
    """Redis with a memory in front of it. The stamps are always those of Redis."""

    def __init__(self, entries: Entries, link: RedisLink, *, most_entry_bytes: int) -> None:
        super().__init__(link, most_entry_bytes=most_entry_bytes)
        self._entries = entries

    def _find(self, name: str, ttl_s: float) -> bytes | None:
        value = self._entries.find(name)
        if value is None:
            value = super()._find(name, ttl_s)
            if value is not None:
                # Longer than in Redis by up to its age there; a write ends both at once.
                self._entries.put(name, value, ttl_s)
        return value

    def _put(self, name: str, value: bytes, ttl_s: float) -> None:
        self._entries.put(name, value, ttl_s)
        super()._put(name, value, ttl_s)


def _stamp_names(tenant_id: str, tags: Iterable[str]) -> list[str]:
    return [f"{NAMESPACE}stamp:{_digest(tenant_id, tag)}" for tag in sorted(set(tags))]


def _entry(tenant_id: str, key: str, stamps: Sequence[bytes]) -> str:
    return f"{NAMESPACE}entry:{_digest(tenant_id, key, *stamps)}"


def _digest(*parts: str | bytes) -> str:
    hashed = blake2b(digest_size=16)
    for part in parts:
        data = part.encode(errors="surrogatepass") if isinstance(part, str) else part
        # With its length, so that no two lists of parts read the same.
        hashed.update(b"%d:" % len(data) + data)
    return hashed.hexdigest()
