"""Answers that are asked for often and may be some seconds old."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """What ``load`` answered, for ``life_s`` seconds; its errors pass through. Threads share it."""

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
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V:
        """The answer for ``key``, at most ``life_s`` old."""
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        value = self._load(key)
        with self._lock:
            self._kept[key] = (self._clock() + self._life_s, value)
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return value
