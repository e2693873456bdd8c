"""Answers that are asked for often and may be some seconds old."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class _Known(Generic[V]):
    value: V
    at: float


class Kept(Generic[K, V]):
    """What ``load`` answered, for ``life_s`` seconds; its errors pass through. Threads share it.

    One thread loads an answer. Others take the one before meanwhile, unless that is twice
    as old as it may be; then, and when there is none, they wait for the new one.
    """

    def __init__(
        self,
        load: Callable[[K], V],
        *,
        life_s: float,
        most: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._load = load
        self._life_s = life_s
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, _Known[V]] = OrderedDict()
        self._loading: dict[K, threading.Lock] = {}

    def get(self, key: K) -> V:
        """The answer for ``key``."""
        with self._lock:
            known = self._kept.get(key)
            if known is not None and self._age(known) < self._life_s:
                return known.value
            turn = self._loading.setdefault(key, threading.Lock())
        may_wait = known is None or self._age(known) >= 2 * self._life_s
        if not turn.acquire(blocking=may_wait):
            if known is None:
                raise AssertionError("without an answer the turn is waited for")
            return known.value
        try:
            return self._get(key)
        finally:
            turn.release()
            with self._lock:
                self._loading.pop(key, None)

    def _get(self, key: K) -> V:
        """The answer of whoever had the turn before, else a new one."""
        with self._lock:
            known = self._kept.get(key)
        if known is not None and self._age(known) < self._life_s:
            return known.value
        value = self._load(key)
        with self._lock:
            self._kept[key] = _Known(value, self._clock())
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return value

    def _age(self, known: _Known[V]) -> float:
        return self._clock() - known.at
