"""Bounded concurrency: so many operations at once, a limit on waiting, and figures of both."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from memgraph.domain.errors import Overloaded


@dataclass(frozen=True, slots=True)
class PermitFigures:
    """A snapshot. Times in milliseconds, rates from 0 to 1."""

    total: int
    succeeded: int
    failed: int
    timeouts: int
    active: int
    peak: int
    wait_ms: float

    @property
    def success_rate(self) -> float:
        """Share of the ended operations that succeeded; 1.0 before the first."""
        ended = self.succeeded + self.failed
        return self.succeeded / ended if ended else 1.0

    @property
    def timeout_rate(self) -> float:
        """Share of the asked-for permits that did not come in time."""
        asked = self.total + self.timeouts
        return self.timeouts / asked if asked else 0.0

    @property
    def average_wait_ms(self) -> float:
        return self.wait_ms / self.total if self.total else 0.0


class Permits:
    """Hand out at most ``limit`` permits; wait at most ``acquire_timeout_ms`` for one."""

    def __init__(self, limit: int, acquire_timeout_ms: int) -> None:
        self.limit = limit
        self.acquire_timeout_ms = acquire_timeout_ms
        self._semaphore = threading.BoundedSemaphore(limit)
        self._lock = threading.Lock()
        self._total = self._succeeded = self._failed = self._timeouts = 0
        self._active = self._peak = 0
        self._wait_s = 0.0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Hold a permit for the block. Raises Overloaded when none came free in time."""
        began = time.monotonic()
        if not self._semaphore.acquire(timeout=self.acquire_timeout_ms / 1000):
            with self._lock:
                self._timeouts += 1
            raise Overloaded(
                f"no permit within {self.acquire_timeout_ms} ms, {self.limit} are in use",
                limit=self.limit,
                acquire_timeout_ms=self.acquire_timeout_ms,
            )
        self._begin(time.monotonic() - began)
        succeeded = False
        try:
            yield
            succeeded = True
        finally:
            self._end(succeeded)
            self._semaphore.release()

    def figures(self) -> PermitFigures:
        with self._lock:
            return PermitFigures(
                total=self._total,
                succeeded=self._succeeded,
                failed=self._failed,
                timeouts=self._timeouts,
                active=self._active,
                peak=self._peak,
                wait_ms=self._wait_s * 1000,
            )

    def _begin(self, waited_s: float) -> None:
        with self._lock:
            self._total += 1
            self._wait_s += waited_s
            self._active += 1
            self._peak = max(self._peak, self._active)

    def _end(self, succeeded: bool) -> None:
        with self._lock:
            self._active -= 1
            if succeeded:
                self._succeeded += 1
            else:
                self._failed += 1
