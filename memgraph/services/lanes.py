"""One partition on its way through a reader: what waits, what is at work, what is settled."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field

from memgraph.domain.errors import MemgraphError
from memgraph.services.ports import StreamRecord
from memgraph.services.stream_batches import Batch

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 30.0
BATCH_BYTES = 4_000_000
"""A batch is also full when its records are this large."""
WAITING_BATCHES = 8
"""A partition that has so much waiting is paused until most of it is settled."""
RESUME_BATCHES = 2


@dataclass(eq=False)
class Lane:
    """A partition that is ours. Whoever touches it holds the lock of its reader."""

    waiting: deque[StreamRecord] = field(default_factory=deque)
    waiting_bytes: int = 0
    batch: Batch | None = None
    """At work, or waiting for its next try."""
    batch_bytes: int = 0
    work: Future[None] | None = None
    settled: int | None = None
    """Where reading goes on after what is settled; all before it is."""
    committed: int | None = None
    is_paused: bool = False
    is_ours: bool = True
    retry_at: float = 0.0
    _failures: int = 0

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return self.waiting_bytes + self.batch_bytes

    def take(self, record: StreamRecord) -> None:
        """Put a record at the end."""
        if self.settled is None:
            self.settled = self.committed = record.offset
        self.waiting.append(record)
        self.waiting_bytes += record.size

    def next_records(self, most: int) -> Iterator[StreamRecord]:
        """Take the records of the next batch from those that wait."""
        self.batch_bytes = 0
        for _ in range(most):
            if not self.waiting or self.batch_bytes >= BATCH_BYTES:
                return
            record = self.waiting.popleft()
            self.waiting_bytes -= record.size
            self.batch_bytes += record.size
            yield record

    def finish(self) -> None:
        """The batch is settled."""
        if self.batch is not None:
            self.settled = self.batch.next_offset
        self.batch, self.batch_bytes = None, 0
        self._failures, self.retry_at = 0, 0.0

    def fail(self, error: MemgraphError, now: float) -> float:
        """The batch must be tried again; in how many seconds, growing and with jitter."""
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0**self._failures)
        said = error.facts.get("retry_after_s")
        if isinstance(said, int | float):
            wait_s = max(wait_s, float(said))
        wait_s *= random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        self._failures = min(self._failures + 1, 16)
        self.retry_at = now + wait_s
        return wait_s

    def drop(self) -> None:
        """It is no longer ours: forget what is not at work."""
        self.is_ours = False
        self.waiting.clear()
        self.waiting_bytes = 0

    def wants_pause(self, most: int, *, is_full: bool) -> bool:
        """Whether nothing more shall be read now. Far apart from when it shall, to be calm."""
        if self.retry_at or is_full:
            return True
        batches = RESUME_BATCHES if self.is_paused else WAITING_BATCHES
        return (
            len(self.waiting) >= batches * most or self.waiting_bytes >= batches * BATCH_BYTES // 2
        )
