"""What services need of the world outside the graph. `memgraph.adapters` implements it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from memgraph.metrics import Metric


@dataclass(frozen=True, slots=True)
class CacheFigures:
    """A snapshot of what a cache did since it was made."""

    hits: int = 0
    misses: int = 0
    failures: int = 0
    """Times that the store behind it did not answer."""


class Cache(Protocol):
    """Bytes that were computed before, until a write of one of their tags."""

    def cached(
        self,
        tenant_id: str,
        key: str,
        tags: Sequence[str],
        ttl_s: float,
        compute: Callable[[], bytes],
    ) -> bytes:
        """What ``compute`` answered since the last write of any of ``tags``, else its answer now.

        Its errors pass through and nothing is kept of them.
        """
        ...

    def invalidate(self, tenant_id: str, tags: Iterable[str]) -> None:
        """Forget what carries one of ``tags``; nothing that is computed now is kept for them."""
        ...

    def figures(self) -> CacheFigures: ...


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket (RFC 2697 speaks of one): ``per_s`` tokens a second, at most ``burst``."""

    name: str
    key: str
    per_s: float
    burst: int


@dataclass(frozen=True, slots=True)
class Level:
    """What is left in a bucket: whole tokens, and seconds until it is full."""

    bucket: Bucket
    remaining: int
    full_in_s: float


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a token was taken, the levels after it, and when all buckets have one again."""

    is_allowed: bool
    levels: tuple[Level, ...]
    retry_after_s: float = 0.0


class Limiter(Protocol):
    """Counts what callers ask for."""

    def take(self, buckets: Sequence[Bucket]) -> Decision:
        """Take a token of each bucket, or of none when one of them is empty."""
        ...


@dataclass(frozen=True, slots=True)
class Held:
    """What is known under a name: who asked first, and the answer once there is one."""

    fingerprint: str
    answer: bytes | None


class AnswerStore(Protocol):
    """Answers kept under names, and names held while an answer is made."""

    def hold(self, name: str, fingerprint: str, hold_s: float) -> Held | None:
        """Take the name for ``hold_s`` seconds; when it is taken, what is known under it."""
        ...

    def keep(self, name: str, held: Held, ttl_s: float) -> None:
        """Put the answer under a name that is held."""
        ...

    def release(self, name: str) -> None:
        """Give a name back without an answer."""
        ...


class Meters(Protocol):
    """Keeps the figures of the metrics that ``memgraph.metrics`` declares."""

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None: ...

    def observe(self, metric: Metric, value: float, **labels: str) -> None: ...

    def set(self, metric: Metric, value: float) -> None: ...
