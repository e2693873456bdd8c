"""A broker in memory with its groups, and real ones for tests."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from confluent_kafka.admin import AdminClient, NewTopic

from memgraph.adapters.kafka import open_stream
from memgraph.domain.errors import StreamRefused, StreamUnavailable
from memgraph.local import find, start, stop
from memgraph.sections import KafkaSettings
from memgraph.services.ports import Message, Partition, StreamListener, StreamRecord
from memgraph.settings import Settings

READ_S = 60.0


@contextmanager
def kafka_for_tests(data_dir: Path) -> Iterator[str]:
    """The brokers of ``MEMGRAPH_TEST_KAFKA_BROKERS``, of the running stack, or of a new process."""
    running = find(Settings().data_dir)
    brokers = os.environ.get("MEMGRAPH_TEST_KAFKA_BROKERS") or (running.kafka if running else None)
    if brokers:
        yield brokers
        return
    stack = start(data_dir, neo4j=False, redis=False, kafka=True, detach=False, on_progress=print)
    assert stack.kafka
    yield stack.kafka
    stop(data_dir)


def make_topics(brokers: str, *names: str, partitions: int = 3) -> None:
    """Make topics of a real broker."""
    admin = AdminClient({"bootstrap.servers": brokers})
    made = admin.create_topics([NewTopic(name, partitions, 1) for name in names])
    for future in made.values():
        future.result(30)


def records_of(brokers: str, topic: str, count: int) -> list[StreamRecord]:
    """The first records of a topic of a real broker, as many as are expected or more."""
    return read_until(brokers, topic, lambda records: len(records) >= count)


def read_until(
    brokers: str, topic: str, is_enough: Callable[[list[StreamRecord]], bool]
) -> list[StreamRecord]:
    """What a topic of a real broker holds from its start on, until it is enough."""
    with closing(open_stream(KafkaSettings(group=f"look-{uuid.uuid4()}"), brokers)) as stream:
        stream.subscribe([topic], Heard())
        deadline = time.monotonic() + READ_S
        records: list[StreamRecord] = []
        while not is_enough(records):
            assert time.monotonic() < deadline, f"only {len(records)} came"
            records += stream.poll(100, 0.2)
        return records


@dataclass
class InMemoryBroker:
    """Topics with partitions, groups with their offsets and members. Also a publisher."""

    partitions: int = 3
    most_bytes: int = 1_000_000
    is_away: bool = False
    logs: dict[Partition, list[StreamRecord]] = field(default_factory=dict)
    offsets: dict[tuple[str, Partition], int] = field(default_factory=dict)
    members: dict[str, list[InMemoryEventStream]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        if self.is_away:
            raise StreamUnavailable("away")
        for key, value, headers in messages:
            if len(value or b"") > self.most_bytes:
                raise StreamRefused("too large")
            with self.lock:
                for number in range(self.partitions):
                    self.logs.setdefault((topic, number), [])
                partition = (topic, crc32(key or b"") % self.partitions)
                log = self.logs[partition]
                log.append(
                    StreamRecord(
                        *partition, len(log), key, value, tuple(headers), 1_700_000_000_000
                    )
                )

    def values(self, topic: str) -> list[bytes | None]:
        """What a topic holds, partition by partition."""
        return [r.value for (name, _), log in self.logs.items() if name == topic for r in log]

    def close(self) -> None:
        return None


@dataclass
class InMemoryEventStream:
    """A member that hears of partitions when it polls, as members do."""

    broker: InMemoryBroker
    group: str
    topics: tuple[str, ...] = ()
    listener: StreamListener | None = None
    own: dict[Partition, int] = field(default_factory=dict)
    """Partitions that are ours, with what comes next."""
    paused: set[Partition] = field(default_factory=set)
    commits: list[Mapping[Partition, int]] = field(default_factory=list)
    polls: int = 0

    def subscribe(self, topics: Sequence[str], listener: StreamListener) -> None:
        self.topics, self.listener = tuple(topics), listener
        with self.broker.lock:
            self.broker.members.setdefault(self.group, []).append(self)

    def poll(self, most: int, timeout_s: float) -> list[StreamRecord]:
        deadline = time.monotonic() + timeout_s
        self.polls += 1
        while True:
            self._rebalance()
            records = self._next(most)
            if records or time.monotonic() >= deadline:
                return records
            time.sleep(0.002)

    def _next(self, most: int) -> list[StreamRecord]:
        records: list[StreamRecord] = []
        with self.broker.lock:
            for partition, at in self.own.items():
                if partition not in self.paused:
                    found = self.broker.logs[partition][at : at + most - len(records)]
                    self.own[partition] = at + len(found)
                    records += found
        return records

    def _share(self) -> set[Partition]:
        members = self.broker.members[self.group]
        wanted = sorted(p for p in self.broker.logs if p[0] in self.topics)
        return set(wanted[members.index(self) :: len(members)])

    def _rebalance(self) -> None:
        assert self.listener is not None
        with self.broker.lock:
            share = self._share()
            gone = sorted(self.own.keys() - share)
            taken = {p for m in self.broker.members[self.group] if m is not self for p in m.own}
            came = sorted(share - self.own.keys() - taken)
        if gone:
            self.listener.revoked(gone)
            with self.broker.lock:
                for each in gone:
                    del self.own[each]
                self.paused.difference_update(gone)
        if came:
            with self.broker.lock:
                for each in came:
                    self.own[each] = self.broker.offsets.get((self.group, each), 0)
            self.listener.assigned(came)

    def pause(self, partitions: Sequence[Partition]) -> None:
        self.paused.update(partitions)

    def resume(self, partitions: Sequence[Partition]) -> None:
        self.paused.difference_update(partitions)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        if self.broker.is_away:
            raise StreamUnavailable("away")
        self.commits.append(dict(offsets))
        with self.broker.lock:
            self.broker.offsets.update({(self.group, p): at for p, at in offsets.items()})

    def ends(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        return {each: len(self.broker.logs[each]) for each in partitions}

    def close(self) -> None:
        if self.listener is not None:
            if self.own:
                self.listener.revoked(sorted(self.own))
            with self.broker.lock:
                self.own.clear()
                self.broker.members[self.group].remove(self)


@dataclass
class Heard:
    """A listener that remembers what is ours."""

    own: set[Partition] = field(default_factory=set)
    said: list[tuple[str, frozenset[Partition]]] = field(default_factory=list)

    def assigned(self, partitions: Sequence[Partition]) -> None:
        self.own.update(partitions)
        self.said.append(("assigned", frozenset(partitions)))

    def revoked(self, partitions: Sequence[Partition]) -> None:
        self.own.difference_update(partitions)
        self.said.append(("revoked", frozenset(partitions)))

    def lost(self, partitions: Sequence[Partition]) -> None:
        self.own.difference_update(partitions)
        self.said.append(("lost", frozenset(partitions)))
