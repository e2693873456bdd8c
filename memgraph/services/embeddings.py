"""Give prompts their vectors: later than the write, and once for each text."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from memgraph.domain.errors import EmbedderRefused, MemgraphError
from memgraph.graph.embedding import EmbeddingQueue, Pending
from memgraph.metrics import EMBEDDED_TEXTS
from memgraph.services.metering import NullMeters
from memgraph.services.ports import MOST_CHARACTERS, Embedder, Meters, VectorSegments

_TEXTS_AT_ONCE = 256
"""Texts that are in memory together."""
_LONGEST_PAUSE_S = 60.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Embedded:
    """What became of some prompts of the queue."""

    prompts: int = 0
    computed: int = 0
    """Texts that the model turned into vectors."""
    reused: int = 0
    """Texts whose vector was known."""
    refused: int = 0
    """Texts that the model does not take."""

    def __add__(self, other: Embedded) -> Embedded:
        return Embedded(
            self.prompts + other.prompts,
            self.computed + other.computed,
            self.reused + other.reused,
            self.refused + other.refused,
        )


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Work off the queue with one model. Any number of workers may run, in any process.

    A vector is kept in the segments before the prompt leaves the queue, so whatever
    is interrupted goes on with the vectors that were made.
    """

    queue: EmbeddingQueue
    embedder: Embedder
    segments: VectorSegments
    list_tenants: Callable[[], Iterable[str]]
    """Tenants to work for."""
    on_changed: Callable[[str], None] = lambda _: None
    """Told each tenant some of whose prompts changed."""
    meters: Meters = field(default_factory=NullMeters)

    def run_once(self, tenant_id: str, limit: int) -> Embedded:
        """Take up to ``limit`` prompts of a tenant from the queue.

        Two round trips and a transaction. Raises EmbedderUnavailable and
        GraphUnavailable; then they wait on.
        """
        pending = self.queue.list_pending(tenant_id, limit)
        if not pending:
            return Embedded()
        wanted = {one.text_sha256: one for one in pending}
        known = self.segments.get(wanted)
        missing = [one for text, one in wanted.items() if text not in known]
        for first in range(0, len(missing), _TEXTS_AT_ONCE):
            self._compute(tenant_id, missing[first : first + _TEXTS_AT_ONCE])
        found = self.segments.get(wanted)
        vectors = {text: vector.tolist() for text, vector in found.items()}
        try:
            self.queue.finish(tenant_id, pending, self.embedder.model_id, vectors)
        finally:
            self.on_changed(tenant_id)
        refused = len(wanted) - len(found)
        done = Embedded(
            prompts=len(pending),
            computed=len(missing) - refused,
            reused=len(wanted) - len(missing),
            refused=refused,
        )
        self._count(done)
        return done

    def run_all(self, limit: int) -> Embedded:
        """The same for every tenant in turn."""
        done = Embedded()
        for tenant_id in self.list_tenants():
            done += self.run_once(tenant_id, limit)
        return done

    def drain(self, limit: int) -> Embedded:
        """The same until no prompt waits, ``limit`` of a tenant at a time."""
        done = Embedded()
        while (more := self.run_all(limit)).prompts:
            done += more
        return done

    def work(self, limit: int, poll_s: float, stop: threading.Event) -> None:
        """Go on until ``stop`` is set. What may come back is waited for, longer each time."""
        pause_s = poll_s
        while not stop.is_set():
            try:
                done = self.run_all(limit)
            except MemgraphError as error:
                if not error.retryable:
                    raise
                _log.warning("embedding waits", code=error.code)
                stop.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s = poll_s
            if not done.prompts:
                stop.wait(poll_s)

    def close(self) -> None:
        self.embedder.close()

    def _compute(self, tenant_id: str, missing: Sequence[Pending]) -> None:
        prompt_ids = [one.prompt_id for one in missing]
        texts = self.queue.read_texts(tenant_id, prompt_ids, MOST_CHARACTERS)
        self._embed(sorted(texts.items()))

    def _embed(self, texts: Sequence[tuple[str, str]]) -> None:
        """Keep the vectors of texts. What is refused is halved until the culprit is alone."""
        if not texts:
            return
        try:
            vectors = self.embedder.embed([text for _, text in texts])
        except EmbedderRefused:
            if len(texts) > 1:
                self._embed(texts[: len(texts) // 2])
                self._embed(texts[len(texts) // 2 :])
            return
        # The index of vectors takes none without a direction.
        told = [i for i, vector in enumerate(vectors) if vector.any()]
        self.segments.append([texts[i][0] for i in told], vectors[told])

    def _count(self, done: Embedded) -> None:
        for outcome in ("computed", "reused", "refused"):
            if count := getattr(done, outcome):
                self.meters.count(EMBEDDED_TEXTS, count, outcome=outcome)
