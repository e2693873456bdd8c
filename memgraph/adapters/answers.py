"""Answers under names, each written once and kept for a while."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from hashlib import blake2b

from memgraph.adapters.redis_link import NAMESPACE, RedisAway, RedisLink
from memgraph.services.ports import Held

MOST_ANSWERS = 10_000
"""In memory. What was kept longest is dropped first."""

# `SET … NX GET` says the same from Redis 7 on.
HOLD = """\
local known = redis.call('GET', KEYS[1])
if known then return known end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false"""


class InMemoryAnswerStore:
    """Answers of this process. Threads share it."""

    def __init__(self, *, most: int = MOST_ANSWERS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[float, Held]] = OrderedDict()

    def hold(self, name: str, fingerprint: str, hold_s: float) -> Held | None:
        with self._lock:
            until, held = self._kept.get(name, (0.0, None))
            if held is not None and until > time.monotonic():
                return held
            self._set(name, Held(fingerprint, None), hold_s)
            return None

    def keep(self, name: str, held: Held, ttl_s: float) -> None:
        with self._lock:
            self._set(name, held, ttl_s)

    def release(self, name: str) -> None:
        with self._lock:
            self._kept.pop(name, None)

    def _set(self, name: str, held: Held, for_s: float) -> None:
        self._kept[name] = (time.monotonic() + for_s, held)
        self._kept.move_to_end(name)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


class RedisAnswerStore:
    """Answers that processes share. While Redis is away each process keeps its own."""

    def __init__(self, link: RedisLink) -> None:
        self._link = link
        self._alone = InMemoryAnswerStore()

    def hold(self, name: str, fingerprint: str, hold_s: float) -> Held | None:
        key, value = _key(name), _pack(Held(fingerprint, None))
        try:
            known = self._link.call(
                lambda client: client.eval(HOLD, 1, key, value, int(hold_s * 1000))
            )
        except RedisAway:
            return self._alone.hold(name, fingerprint, hold_s)
        return _unpack(known) if known is not None else None

    def keep(self, name: str, held: Held, ttl_s: float) -> None:
        key, value = _key(name), _pack(held)
        try:
            self._link.call(lambda client: client.set(key, value, px=int(ttl_s * 1000)))
        except RedisAway:
            self._alone.keep(name, held, ttl_s)

    def release(self, name: str) -> None:
        self._alone.release(name)
        try:
            self._link.call(lambda client: client.delete(_key(name)))
        except RedisAway:
            return  # it ends by itself


def _key(name: str) -> str:
    return f"{NAMESPACE}answer:{blake2b(name.encode(), digest_size=16).hexdigest()}"


def _pack(held: Held) -> bytes:
    """``fingerprint``, then a line feed and the answer when there is one."""
    head = held.fingerprint.encode()
    return head if held.answer is None else head + b"\n" + held.answer


def _unpack(value: bytes) -> Held:
    head, is_answered, answer = value.partition(b"\n")
    return Held(head.decode(), answer if is_answered else None)
