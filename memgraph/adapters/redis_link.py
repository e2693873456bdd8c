"""A Redis that may go away: short waits, a pause after a failure, and a count of failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha1
from typing import Any, TypeVar

import redis

T = TypeVar("T")

NAMESPACE = "llm-memory-graph:"
"""Begins every key, because others may use the same Redis."""

TIMEOUT_S = 0.5
PAUSE_S = 1.0
"""After a failure nobody waits for Redis for so long."""
TRUSTED_S = 1.0
"""A connection that was not used for so long is looked at first: Redis may have closed it."""


class RedisAway(Exception):  # a signal to the adapters, never seen outside
    """Redis does not answer, or refused."""


class RedisLink:
    """One Redis for all adapters of a process. Connects when it is first used; threads share it.

    ``on_return`` run before anything else is sent after a failure, and before the
    first call: while nobody listened, something may have been missed.
    """

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S, pause_s: float = PAUSE_S) -> None:
        self._client = redis.Redis.from_url(
            url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=None, protocol=2
        )
        self._connections = _Connections(self._client.connection_pool)
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

    def ask(self, *command: Any) -> Any:
        """The answer to one command, as `call`; at a third of the client's cost."""
        return self.call(lambda _: self._connections.ask(command))

    def run(self, script: str, keys: Sequence[str], *arguments: Any) -> Any:
        """The answer of a script that Redis most likely knows, as `ask`."""
        try:
            return self.call(lambda _: self._run("EVALSHA", _sha1(script), keys, arguments))
        except _Unknown:
            return self.call(lambda _: self._run("EVAL", script, keys, arguments))

    def _run(self, verb: str, script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
        try:
            return self._connections.ask((verb, script, len(keys), *keys, *arguments))
        except redis.exceptions.NoScriptError:
            raise _Unknown from None

    def missed(self) -> None:
        """Note that something was not told to Redis, so that ``on_return`` comes first."""
        with self._lock:
            self._is_new = True

    def close(self) -> None:
        self._connections.close()
        self._client.close()

    def _return(self) -> None:
        # All who come first wait, so that none of them reads what was missed.
        with self._lock:
            if self._is_new:
                for act in self._on_return:
                    act(self._client)
                self._is_new = False


class _Unknown(Exception):  # a signal to send the script itself
    pass


class _Connections:
    """Connections for single commands: the one that was used last first, as many as threads ask."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._idle: list[tuple[float, Any]] = []

    def ask(self, command: Sequence[Any]) -> Any:
        connection = self._take()
        try:
            packed = connection.pack_command(*command)
            connection.send_packed_command(packed, check_health=False)
            answer = connection.read_response()
        except BaseException:
            connection.disconnect()
            raise
        self._idle.append((time.monotonic(), connection))
        return answer

    def close(self) -> None:
        while self._idle:
            self._idle.pop()[1].disconnect()

    def _take(self) -> Any:
        try:
            used, connection = self._idle.pop()
        except IndexError:
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
            connection.connect()
            return connection
        if time.monotonic() > used + TRUSTED_S and _is_closed(connection):
            connection.disconnect()
            connection.connect()
        return connection


def _is_closed(connection: Any) -> bool:
    try:
        return bool(connection.can_read())
    except (redis.RedisError, OSError):
        return True


@lru_cache(maxsize=16)
def _sha1(script: str) -> str:
    """The name by which Redis knows a script."""
    return sha1(script.encode(), usedforsecurity=False).hexdigest()
