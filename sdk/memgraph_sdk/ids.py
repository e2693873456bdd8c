"""Ids of what this process observes."""

from __future__ import annotations

import os
import random
import time
from functools import cache


def new_id() -> str:
    """A UUIDv7: ids that sort by time keep indexes small (RFC 9562, 5.7)."""
    digits = f"{time.time_ns() // 1_000_000:012x}{_source().getrandbits(80):020x}"
    # The variant is one of 8, 9, a, b.
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-7{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


@cache
def _source() -> random.Random:
    """Random numbers of our own: the host may seed its, and asking the system takes longer."""
    source = random.Random()  # noqa: S311 - ids are not secret
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=source.seed)
    return source
