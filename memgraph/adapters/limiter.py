"""Token buckets: in memory for one process, in Redis for all of them."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from memgraph.adapters.redis_link import NAMESPACE, RedisAway, RedisLink
from memgraph.services.ports import Bucket, Decision, Level

MOST_BUCKETS = 100_000
"""Buckets in memory; one that was not used for longest is full again before it is dropped."""

LEASE_S = 0.1
"""So long tokens may be used that were taken ahead; what is not used is lost."""
MOST_LEASED = 100
SHARE = 20
"""At most one of so many tokens that are left is taken ahead: other processes want some too."""

# The clock is that of Redis, so that processes on several machines agree.
TAKE = """\
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local tokens, taken = {}, tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  local known = redis.call('HMGET', key, 'tokens', 'at')
  local at = tonumber(known[2]) or now
  tokens[i] = math.min(burst, (tonumber(known[1]) or burst) + math.max(0, now - at) * rate)
  taken = math.min(taken, math.max(1, math.floor(tokens[i] / ARGV[2])))
  if tokens[i] < 1 then taken = 0 end
end
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i + 1]), tonumber(ARGV[2 * i + 2])
  tokens[i] = tokens[i] - taken
  redis.call('HSET', key, 'tokens', string.format('%.6f', tokens[i]),
             'at', string.format('%.6f', now))
  redis.call('PEXPIRE', key, math.ceil(1000 * burst / rate) + 1000)
  tokens[i] = string.format('%.6f', tokens[i])
end
return {taken, tokens}"""


class InMemoryLimiter:
    """Buckets of this process. Threads share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()

    def take(self, buckets: Sequence[Bucket]) -> Decision:
        with self._lock:
            now = self._clock()
            tokens = [self._tokens(bucket, now) for bucket in buckets]
            is_allowed = all(t >= 1 for t in tokens)
            if is_allowed:
                tokens = [t - 1 for t in tokens]
            for bucket, left in zip(buckets, tokens, strict=True):
                name = (bucket.name, bucket.key)
                self._kept[name] = (left, now)
                self._kept.move_to_end(name)
            while len(self._kept) > MOST_BUCKETS:
                self._kept.popitem(last=False)
        return _decide(buckets, tokens, is_allowed)

    def _tokens(self, bucket: Bucket, now: float) -> float:
        left, at = self._kept.get((bucket.name, bucket.key), (float(bucket.burst), now))
        return min(bucket.burst, left + (now - at) * bucket.per_s)


@dataclass(slots=True)
class _Lease:
    """Tokens taken ahead, what was left in the buckets after them, and how they are used."""

    size: int = 0
    tokens: int = 0
    left: Sequence[float] = ()
    until: float = 0.0
    is_renewed: bool = False
    """A thread asks for more just now."""


class RedisLimiter:
    """Buckets that processes share. While Redis is away each process counts for itself.

    Who asks often takes tokens ahead, so that not every request asks Redis: at most what
    comes back in the time of a lease. All processes together never take more than there is.
    """

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._alone = InMemoryLimiter()
        self._lock = threading.Lock()
        self._leases: OrderedDict[tuple[Bucket, ...], _Lease] = OrderedDict()

    def take(self, buckets: Sequence[Bucket]) -> Decision:
        with self._lock:
            lease = self._lease(tuple(buckets))
            if lease.tokens and time.monotonic() < lease.until:
                lease.tokens -= 1
                return _decide(buckets, [left + lease.tokens for left in lease.left], True)
            wanted, is_renewing = _wanted(lease, buckets), not lease.is_renewed
            lease.is_renewed = True
        try:
            taken, tokens = self._ask(buckets, wanted if is_renewing else 1)
        except RedisAway:
            return self._alone.take(buckets)
        finally:
            if is_renewing:
                lease.is_renewed = False
        if is_renewing:
            with self._lock:
                lease.size, lease.tokens, lease.left = taken, max(0, taken - 1), tokens
                lease.until = time.monotonic() + LEASE_S
        return _decide(buckets, [left + max(0, taken - 1) for left in tokens], taken > 0)

    def _lease(self, name: tuple[Bucket, ...]) -> _Lease:
        lease = self._leases.setdefault(name, _Lease())
        self._leases.move_to_end(name)
        if len(self._leases) > MOST_BUCKETS:
            self._leases.popitem(last=False)
        return lease

    def _ask(self, buckets: Sequence[Bucket], wanted: int) -> tuple[int, list[float]]:
        rates = [figure for bucket in buckets for figure in (bucket.per_s, bucket.burst)]
        names = [_name(bucket) for bucket in buckets]
        taken, tokens = self._link.run(TAKE, names, wanted, SHARE, *rates)
        return taken, [float(left) for left in tokens]


def _wanted(lease: _Lease, buckets: Sequence[Bucket]) -> int:
    """Twice as many as the last time when those were used up in time, else one."""
    if lease.tokens or time.monotonic() >= lease.until:
        return 1
    most = int(LEASE_S * min(bucket.per_s for bucket in buckets))
    return max(1, min(2 * lease.size, most, MOST_LEASED))


def _decide(buckets: Sequence[Bucket], tokens: Sequence[float], is_allowed: bool) -> Decision:
    pairs = list(zip(buckets, tokens, strict=True))
    levels = tuple(
        Level(bucket, max(0, math.floor(left)), (bucket.burst - left) / bucket.per_s)
        for bucket, left in pairs
    )
    wait_s = max(((1 - left) / bucket.per_s for bucket, left in pairs), default=0.0)
    return Decision(is_allowed, levels, 0.0 if is_allowed else max(0.0, wait_s))


def _name(bucket: Bucket) -> str:
    digest = blake2b(bucket.key.encode(), digest_size=16).hexdigest()
    return f"{NAMESPACE}bucket:{bucket.name}:{digest}"
