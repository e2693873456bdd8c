"""A Redis that may go away: short waits, a pause after a failure, and a count of failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis

T = TypeVar("T")

NAMESPACE = "llm-memory-graph:"
"""Begins every key, because others may use the same Redis."""

TIMEOUT_S = 0.5
PAUSE_S = 1.0
"""After a failure nobody waits for Redis for so long."""


class RedisAway(Exception):  # a signal to the adapters, never seen outside
    """Redis does not answer, or refused."""


class RedisLink:
    """One Redis for all adapters of a process. Connects when it is first used; threads share it.

    ``on_return`` run before anything else is sent after a failure, and before the
    first call: while nobody listened, something may have been missed.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S, pause_s: float = PAUSE_S) -> None:
        self._client = redis.Redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=None
        )
        self._pause_s = pause_s
        self._lock = threading.Lock()
        self._away_until = 0.0
        self._is_new = True
        self._on_return: list[Callable[[Any], None]] = []
        self.failures = 0

    def on_return(self, act: Callable[[Any], None]) -> None:
        """Have ``act`` called with the client when Redis is there again."""
        self._on_return.append(act)

    def call(self, ask: Callable[[Any], T]) -> T:
        """What ``ask`` answers of the client. Raises RedisAway, at once during a pause."""
        if time.monotonic() < self._away_until:
            raise RedisAway
        try:
            if self._is_new:
                self._return()
            return ask(self._client)
        except redis.RedisError as error:
            with self._lock:
                self.failures += 1
                self._is_new = True
                self._away_until = time.monotonic() + self._pause_s
            raise RedisAway from error

    def missed(self) -> None:
        """Note that something was not told to Redis, so that ``on_return`` comes first."""
        with self._lock:
            self._is_new = True

    def close(self) -> None:
        self._client.close()

    def _return(self) -> None:
        # All who come first wait, so that none of them reads what was missed.
        with self._lock:
            if self._is_new:
                for act in self._on_return:
                    act(self._client)
                self._is_new = False
