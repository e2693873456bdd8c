"""Token buckets: in memory for one process, in Redis for all of them."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import blake2b

from memgraph.adapters.redis_link import NAMESPACE, RedisAway, RedisLink
from memgraph.services.ports import Bucket, Decision, Level

MOST_BUCKETS = 100_000
"""Buckets in memory; one that was not used for longest is full again before it is dropped."""

# The clock is that of Redis, so that processes on several machines agree.
TAKE = """\
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local tokens, is_allowed = {}, 1
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local known = redis.call('HMGET', key, 'tokens', 'at')
  local at = tonumber(known[2]) or now
  tokens[i] = math.min(burst, (tonumber(known[1]) or burst) + math.max(0, now - at) * rate)
  if tokens[i] < 1 then is_allowed = 0 end
end
for i, key in ipairs(KEYS) do
  local rate, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  tokens[i] = tokens[i] - is_allowed
  redis.call('HSET', key, 'tokens', string.format('%.6f', tokens[i]),
             'at', string.format('%.6f', now))
  redis.call('PEXPIRE', key, math.ceil(1000 * burst / rate) + 1000)
  tokens[i] = string.format('%.6f', tokens[i])
end
return {is_allowed, tokens}"""


class InMemoryLimiter:
    """Buckets of this process. Threads share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, buckets: Sequence[Bucket]) -> Decision:
        with self._lock:
            now = self._clock()
            tokens = [self._tokens(bucket, now) for bucket in buckets]
            is_allowed = all(t >= 1 for t in tokens)
            if is_allowed:
                tokens = [t - 1 for t in tokens]
            for bucket, left in zip(buckets, tokens, strict=True):
                self._kept[_name(bucket)] = (left, now)
                self._kept.move_to_end(_name(bucket))
            while len(self._kept) > MOST_BUCKETS:
                self._kept.popitem(last=False)
        return _decide(buckets, tokens, is_allowed)

    def _tokens(self, bucket: Bucket, now: float) -> float:
        left, at = self._kept.get(_name(bucket), (float(bucket.burst), now))
        return min(bucket.burst, left + (now - at) * bucket.per_s)


class RedisLimiter:
    """Buckets that processes share. While Redis is away each process counts for itself."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._alone = InMemoryLimiter()

    def take(self, buckets: Sequence[Bucket]) -> Decision:
        names = [_name(bucket) for bucket in buckets]
        rates = [figure for bucket in buckets for figure in (bucket.per_s, bucket.burst)]
        try:
            is_allowed, tokens = self._link.call(
                lambda client: client.eval(TAKE, len(names), *names, *rates)
            )
        except RedisAway:
            return self._alone.take(buckets)
        return _decide(buckets, [float(t) for t in tokens], bool(is_allowed))


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
