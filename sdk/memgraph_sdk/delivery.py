"""Carry a batch of events to the service, and say what became of it and when to try again."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence

from memgraph_sdk.encoding import repaired
from memgraph_sdk.errors import MemgraphError
from memgraph_sdk.result import Result
from memgraph_sdk.transport import Transport
from memgraph_sdk.version import __version__

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
SERVER_ERRORS = 5
"""How often an inner error of the service is met before the batch is given up."""
TOO_LARGE = 413
_PASSING = frozenset({408, 425, 429, 502, 503, 504})
_PACKED_FROM = 1_000
_PACKED_TO = 1_000_000
"""Bytes of bodies that are packed: the service refuses larger ones that repeat themselves."""


class Receipt(Result):
    """How many events of a batch came to which end."""

    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    dead_lettered: int = 0


class Delivery:
    """One connection to the door for events, made when the first batch is there."""

    def __init__(self, url: str, api_key: str, timeout_s: float) -> None:
        self._transport = Transport(
            url,
            api_key,
            timeout_s=timeout_s,
            retries=0,
            user_agent=f"llm-memory-graph-sdk/{__version__} observe",
        )

    def send(self, batch: Sequence[bytes]) -> Receipt:
        """Send a batch once. Raises MemgraphError."""
        body = b"[" + b",".join(map(repaired, batch)) + b"]"
        is_packed = _PACKED_FROM <= len(body) <= _PACKED_TO
        # The fastest level: the host's processor is not ours.
        content = gzip.compress(body, compresslevel=1, mtime=0) if is_packed else body
        return self._transport.deliver("/events", content, Receipt, is_packed=is_packed)

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()


def wait_s(error: MemgraphError, attempt: int) -> float | None:
    """Seconds until the next attempt, the first being 0; None when there is no point in one."""
    is_lost = error.status is None and error.is_retryable
    is_inner = error.status == 500 and attempt + 1 < SERVER_ERRORS
    if not (is_lost or is_inner or error.status in _PASSING):
        return None
    longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempt, 10))
    spread = random.uniform(0.5, 1.0) * longest  # noqa: S311 - spreads load
    return spread if error.retry_after_s is None else error.retry_after_s + spread
