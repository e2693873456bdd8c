"""Read topics into the graph: nothing is dropped, and what is committed there is in the graph.

One thread polls, so that the membership stays whatever the graph does; a few write.
A partition has one batch at work at a time, so its records are written in their order,
and its offset is committed after the batch that ends there. What is under pressure is
paused: the stream keeps it.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

import structlog

from memgraph import metrics
from memgraph.domain.errors import MemgraphError, StreamUnavailable, TooManyInvalid
from memgraph.domain.mutations import Totals
from memgraph.services.lanes import Lane
from memgraph.services.ports import EventStream, Meters, Partition, StreamRecord
from memgraph.services.stream_batches import Batch, Settling
from memgraph.settings import Settings

_log = structlog.get_logger()

POLL_S = 0.1
"""Longest wait for more records, so also the least latency under a light load."""
COMMIT_EVERY_S = 0.5
"""What a reader that is killed has written twice at most, in time."""
COMMIT_AGAIN_S = 5.0
TELL_EVERY_S = 2.0
JUDGED = 1_000
"""Last records of a topic that its share of invalid ones is taken of."""
LEAST_JUDGED = 200


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a reader stands."""

    totals: Totals
    partitions: int
    paused: int
    lag: int
    trouble: str = ""
    """What the last try of a paused partition failed with."""


OnProgress = Callable[[Progress], None]


class Consumer:
    """A reader of a group. ``run`` is called once."""

    def __init__(
        self,
        stream: EventStream,
        settling: Settling,
        settings: Settings,
        meters: Meters,
        on_progress: OnProgress = lambda _: None,
    ) -> None:
        self._stream = stream
        self._settling = settling
        self._kafka = settings.kafka
        self._ingest = settings.ingest
        self._meters = meters
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._lanes: dict[Partition, Lane] = {}
        self._totals = Totals()
        self._judged: dict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=JUDGED))
        self._broken: BaseException | None = None
        self._trouble = ""
        self._commit_at = self._tell_at = 0.0

    def run(self, stop: threading.Event) -> Totals:
        """Read until told to stop; what is at work then is finished and committed.

        Raises TooManyInvalid, StreamRefused, and what the pipeline cannot go on from.
        """
        with ThreadPoolExecutor(self._ingest.writers, thread_name_prefix="memgraph-writer") as pool:
            self._pool = pool
            try:
                self._stream.subscribe(self._kafka.topics, self)
                while not stop.is_set() and self._broken is None:
                    self._step()
            finally:
                self._leave()
        if self._broken is not None:
            raise self._broken
        return self._totals

    def assigned(self, partitions: Sequence[Partition]) -> None:
        """Begin with partitions that came."""
        self._meters.count(metrics.KAFKA_REBALANCES)
        with self._lock:
            self._lanes.update({each: Lane() for each in partitions})
        _log.info("partitions came", count=len(partitions))

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Finish what is at work of partitions that go, and commit it."""
        self._meters.count(metrics.KAFKA_REBALANCES)
        self._finish(partitions)
        with self._lock:
            for each in partitions:
                self._lanes.pop(each, None)
        _log.info("partitions went", count=len(partitions))

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Forget partitions that somebody else reads already; repeats are duplicates there."""
        self._meters.count(metrics.KAFKA_REBALANCES)
        with self._lock:
            for each in partitions:
                if (lane := self._lanes.pop(each, None)) is not None:
                    lane.drop()
        _log.warning("partitions were lost", count=len(partitions))

    def _step(self) -> None:
        records = self._stream.poll(self._ingest.batch, POLL_S)
        now = time.monotonic()
        with self._lock:
            self._take(records)
            for lane in self._lanes.values():
                self._start(lane, now)
        self._balance()
        if now >= self._commit_at:
            self._commit_at = now + (COMMIT_EVERY_S if self._commit() else COMMIT_AGAIN_S)
        if now >= self._tell_at:
            self._tell_at = now + TELL_EVERY_S
            self._tell()

    def _take(self, records: Sequence[StreamRecord]) -> None:
        for record in records:
            lane = self._lanes.get((record.topic, record.partition))
            if lane is not None:  # else it went meanwhile, and its next reader gets it
                lane.take(record)
        for topic, amount in Counter(record.topic for record in records).items():
            self._meters.count(metrics.KAFKA_RECORDS, amount, topic=topic)

    def _start(self, lane: Lane, now: float) -> None:
        """Give a lane's next batch to a writer, if it is time."""
        if not lane.is_ours or (lane.work is not None and not lane.work.done()):
            return
        if lane.batch is None:
            if not lane.waiting:
                return
            lane.batch = self._settling.batch(list(lane.next_records(self._ingest.batch)))
        elif now < lane.retry_at:
            return
        lane.work = self._pool.submit(self._work, lane)

    def _work(self, lane: Lane) -> None:
        batch = lane.batch
        if batch is None:
            raise AssertionError("a lane at work has a batch")
        try:
            self._settling.write(batch)
            self._judge(batch)
            self._settling.copy(batch)
        except MemgraphError as error:
            self._failed(lane, error)
            return
        except BaseException as error:  # the thread that polls raises it
            self._broken = error
            raise
        self._meters.count(metrics.KAFKA_BATCHES, topic=batch.topic)
        with self._lock:
            self._totals += batch.totals
            self._trouble = ""
            lane.finish()
            # Its own successor, at the end of the queue: nobody waits for the next poll.
            lane.work = None
            if self._broken is None:
                self._start(lane, time.monotonic())

    def _failed(self, lane: Lane, error: MemgraphError) -> None:
        with self._lock:
            lane.work = None
            if not error.retryable:
                self._broken = error
                return
            wait_s = lane.fail(error, time.monotonic())
            self._trouble = error.message
        _log.warning("a batch is tried again", code=error.code, wait_s=round(wait_s, 2))

    def _judge(self, batch: Batch) -> None:
        """Raise TooManyInvalid when the topic's last records are mostly broken.

        Before the copies and the commit, so that a reader that is started again stops here
        again, and nothing grows.
        """
        with self._lock:
            judged = self._judged[batch.topic]
            if not batch.is_judged:
                judged.extend(batch.invalid)
                batch.is_judged = True
            broken, most = sum(judged), self._kafka.max_invalid_ratio
            if len(judged) < LEAST_JUDGED or broken <= most * len(judged):
                return
        raise TooManyInvalid(
            f"{broken} of the last {len(judged)} records of {batch.topic} break the rules of "
            f"events, more than kafka.max_invalid_ratio allows ({most:g}); see `memgraph dlq list "
            f"--source {batch.topic}`, mend what writes them or raise the ratio",
            topic=batch.topic,
            invalid=broken,
            of=len(judged),
        )

    def _balance(self) -> None:
        """Pause what is under pressure, resume what is not any more."""
        with self._lock:
            is_full = sum(lane.size for lane in self._lanes.values()) >= self._ingest.buffer_bytes
            changed: dict[bool, list[Partition]] = {True: [], False: []}
            for partition, lane in self._lanes.items():
                wanted = lane.wants_pause(self._ingest.batch, is_full=is_full)
                if wanted is not lane.is_paused:
                    lane.is_paused = wanted
                    changed[wanted].append(partition)
        if changed[True]:
            self._stream.pause(changed[True])
        if changed[False]:
            self._stream.resume(changed[False])

    def _commit(self) -> bool:
        """Keep what is settled; False when the broker did not."""
        with self._lock:
            open_ = {
                partition: lane.settled
                for partition, lane in self._lanes.items()
                if lane.settled is not None and lane.settled != lane.committed
            }
        if not open_:
            return True
        try:
            self._stream.commit(open_)
        except StreamUnavailable as error:
            # The next one says it too. Until then a replay would find duplicates.
            _log.warning("offsets were not committed", **error.facts)
            return False
        with self._lock:
            for partition, offset in open_.items():
                if (lane := self._lanes.get(partition)) is not None:
                    lane.committed = offset
        return True

    def _finish(self, partitions: Sequence[Partition]) -> None:
        """Let go of what waits, wait for what is at work, commit what is settled."""
        with self._lock:
            lanes = [self._lanes[each] for each in partitions if each in self._lanes]
            for lane in lanes:
                lane.drop()
            at_work = [
                lane.work for lane in lanes if lane.work is not None and not lane.work.cancel()
            ]
        _, abandoned = wait(at_work, self._kafka.finish_s)
        if abandoned:
            _log.warning("batches were abandoned; they will be read again", count=len(abandoned))
        self._commit()

    def _leave(self) -> None:
        """Finish and leave the group, so that others need not wait for our end."""
        self._finish(list(self._lanes))
        with self._lock:
            self._lanes.clear()
        self._tell()
        self._stream.close()

    def _tell(self) -> None:
        with self._lock:
            paused = sum(lane.is_paused for lane in self._lanes.values())
            settled = {partition: lane.settled for partition, lane in self._lanes.items()}
            totals, trouble = self._totals, self._trouble
        lag = dict.fromkeys(self._kafka.topics, 0)
        for (topic, number), end in self._stream.ends(list(settled)).items():
            if (at := settled[topic, number]) is not None:
                lag[topic] = lag.get(topic, 0) + max(0, end - at)
        for topic, records in lag.items():
            self._meters.set(metrics.KAFKA_LAG, records, topic=topic)
        self._meters.set(metrics.KAFKA_PAUSED, paused)
        self._on_progress(Progress(totals, len(settled), paused, sum(lag.values()), trouble))
