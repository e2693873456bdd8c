"""What services need of the world outside the graph. `memgraph.adapters` implements it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from memgraph.metrics import Metric

if TYPE_CHECKING:
    # A plain install has no numpy: only who makes vectors imports it.
    import numpy as np
    from numpy.typing import NDArray


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

    def set(self, metric: Metric, value: float, **labels: str) -> None: ...


MOST_CHARACTERS = 32_768
"""Of a text that a model reads: the beginning speaks for the rest and holds nobody up."""


class Embedder(Protocol):
    """A model that turns texts into vectors. Threads may share it."""

    @property
    def model_id(self) -> str:
        """Vectors are compared only with those of the same id."""
        ...

    @property
    def dimensions(self) -> int: ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, of length one; all zero for a text that says the model nothing.

        Raises EmbedderUnavailable, and EmbedderRefused when some text is the fault.
        """
        ...

    def close(self) -> None: ...


class VectorSegments(Protocol):
    """Vectors of one model by the SHA-256 (hex) of their texts. Threads may share it."""

    @property
    def count(self) -> int:
        """Texts with a vector, as far as this process has seen."""
        ...

    def append(self, keys: Sequence[str], vectors: NDArray[np.float32]) -> int:
        """Keep the vectors of keys that have none yet; how many those were. Durable on return."""
        ...

    def get(self, keys: Iterable[str]) -> Mapping[str, NDArray[np.float32]]:
        """The vectors of those keys that have one, rounded to half precision."""
        ...

    def iter_batches(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float16]]]:
        """All of them, in the order in which they were kept: keys (n, 32), vectors (n, d)."""
        ...


@dataclass(frozen=True, slots=True)
class TokenCount:
    """Tokens of a text; an estimate where the model's own vocabulary is not known."""

    tokens: int
    is_estimate: bool


class CountsTokens(Protocol):
    """Counts as models do. Threads may share it."""

    def encoding_of(self, model_id: str | None) -> str:
        """What counts the texts of a model: models of one name get equal counts."""
        ...

    def count(self, text: str, model_id: str | None) -> TokenCount: ...


class DetectsLanguage(Protocol):
    """Tells languages apart. Threads may share it."""

    def detect(self, text: str) -> str | None:
        """ISO 639-1 code; None when the text is too short or it is not certain."""
        ...


class FindsNames(Protocol):
    """Finds names of people. Threads may share it."""

    def find(self, text: str) -> Sequence[tuple[int, int]]:
        """Start and end of each name, sorted and without overlaps; whatever the text, linear."""
        ...


Partition = tuple[str, int]
"""Topic and number of one ordered log of a stream."""
Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record of a partition. A record without value deletes its key in a compacted topic."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int | None = None

    @property
    def size(self) -> int:
        """Bytes that it keeps in memory, about."""
        return 200 + len(self.key or b"") + len(self.value or b"")


AsJson = Callable[[bytes], bytes]
"""Makes JSON of what a record holds; JSON stays as it is. Threads share it.

Raises InvalidInput for what cannot be read, StreamUnavailable when asking again may help,
StreamRefused when it does not.
"""


class StreamListener(Protocol):
    """Hears of partitions that come and go, inside ``poll`` and ``close``."""

    def assigned(self, partitions: Sequence[Partition]) -> None: ...

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """They are still ours until this returns: the last moment to commit."""
        ...

    def lost(self, partitions: Sequence[Partition]) -> None:
        """They are somebody else's already."""
        ...


class EventStream(Protocol):
    """A member of a consumer group. One thread uses it."""

    def subscribe(self, topics: Sequence[str], listener: StreamListener) -> None:
        """Join the group. Topics that are not there yet are taken up when they come to be."""
        ...

    def poll(self, most: int, timeout_s: float) -> list[StreamRecord]:
        """The next records, in the order of their partitions, after ``timeout_s`` at most.

        A member that does not poll loses its partitions. A broker that is away yields
        nothing. Raises StreamRefused when the member may not read.
        """
        ...

    def pause(self, partitions: Sequence[Partition]) -> None:
        """Yield nothing more of them until ``resume``; they stay ours."""
        ...

    def resume(self, partitions: Sequence[Partition]) -> None: ...

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Keep where the group goes on reading. Raises StreamUnavailable when it is not kept."""
        ...

    def ends(self, partitions: Sequence[Partition]) -> Mapping[Partition, int]:
        """The offset that each one's next record will have, where the broker said so lately."""
        ...

    def close(self) -> None:
        """Leave the group."""
        ...


Message = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers of a record that goes out."""


class EventPublisher(Protocol):
    """Appends to topics. Threads may share it."""

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Append in this order; all of it is acknowledged on return, repeats are possible.

        Raises StreamUnavailable, then some may be appended, and StreamRefused, then the
        same messages are refused again.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class OutgoingEvent:
    """A change as consumers get it."""

    id: str
    """The same whenever the same change is delivered."""
    key: str
    """Events of one key are in order."""
    kind: str
    node_type: str
    session_id: str | None
    body: bytes


class EventSink(Protocol):
    """Takes events out of the outbox."""

    @property
    def name(self) -> str:
        """For logs and figures."""
        ...

    def deliver(self, tenant_id: str, events: Sequence[OutgoingEvent]) -> None:
        """Take events of a tenant in this order; all of them are kept on return.

        What was taken before may come again. Raises StreamUnavailable, then all of them
        come again.
        """
        ...


@dataclass(frozen=True, slots=True)
class FedEvent:
    """An event that a feed kept, with its place in the feed."""

    place: str
    kind: str
    node_type: str
    session_id: str | None
    body: bytes


class EventFeed(Protocol):
    """The latest events of each tenant. Threads may share it."""

    def end(self, tenant_id: str) -> str:
        """The place after which nothing has come yet. Raises StreamUnavailable."""
        ...

    def read(self, tenant_id: str, after: str, most: int) -> list[FedEvent]:
        """The oldest events that are kept after a place. Raises StreamUnavailable."""
        ...

    def is_complete(self, tenant_id: str, after: str) -> bool:
        """Whether all that came after a place is certainly kept. Raises StreamUnavailable."""
        ...
