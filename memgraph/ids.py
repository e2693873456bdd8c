"""Identifiers and the clock. Everything that needs "now" or a fresh key asks here."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime
from uuid import UUID

_lock = threading.Lock()
_last_ms = 0
_counter = 0


def now() -> datetime:
    """The current time, aware, UTC, microseconds."""
    return datetime.now(UTC)


def iso(at: datetime) -> str:
    """An aware time as ISO 8601, UTC, microseconds, ``Z``: texts compare like the instants."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def uuid7() -> str:
    """A UUIDv7 (RFC 9562, method 1): sorted by time, strictly increasing in this process."""
    global _last_ms, _counter
    # Not under the lock: it lets other threads run, who would wait for the lock.
    random = int.from_bytes(os.urandom(10), "big")
    with _lock:
        ms = time.time_ns() // 1_000_000
        if ms > _last_ms:
            _last_ms = ms
            _counter = random >> 71  # 9 of 12 bits: headroom below 0xFFF
        else:
            _counter += 1
            if _counter > 0xFFF:
                _last_ms += 1
                _counter = 0
        ms, counter = _last_ms, _counter
    rand = random & ((1 << 62) - 1)
    return str(UUID(int=(ms << 80) | (0x7 << 76) | (counter << 64) | (0b10 << 62) | rand))


def random_int63() -> int:
    """A random positive integer below 2**63: fits a Neo4j integer and is stored inline."""
    return int.from_bytes(os.urandom(8), "big") >> 1
