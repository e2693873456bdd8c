"""What became of a run of chaos: what topics hold, and whether changes were told in order."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.chaos_events import REST, Event, told_of
from memgraph.services.stream_batches import COPIES

SILENCE_S = 60.0
LOOK_EVERY_S = 0.5
MOST_VALUE_BYTES = 4_000_000


@dataclass(slots=True)
class Life:
    """What is known of when an event was committed."""

    sent_at: float = math.inf
    """Not before this."""
    answered_at: float = math.inf
    """Not after this."""
    place: tuple[str, int, int] | None = None
    """Topic, partition and offset: a partition is written in its order."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the relay published of a tenant."""

    expected: int
    records: int
    missing: int
    unknown: int
    disordered: int
    """Events that came before one of the same key that was committed earlier."""

    @property
    def is_good(self) -> bool:
        return not (self.missing or self.unknown or self.disordered)


def wait_until(is_done: Callable[[], bool], give_up_s: float, what: str) -> None:
    """Return when it is done; what is away now may come back."""
    give_up = time.monotonic() + give_up_s
    while not is_done():
        if time.monotonic() > give_up:
            raise SystemExit(f"{what} took more than {give_up_s:.0f} s")
        time.sleep(LOOK_EVERY_S)


def is_read(brokers: str, group: str, topics: Sequence[str]) -> bool:
    """Whether a group has committed the end of each partition of the topics."""
    with closing(_reader(brokers, group)) as reader:
        try:
            places = [each for topic in topics for each in _partitions(reader, topic)]
            return all(
                _end(reader, each) in (0, each.offset) for each in reader.committed(places, 10)
            )
        except KafkaException:
            return False


def read_topic(brokers: str, topic: str) -> Iterator[Any]:
    """All messages of a topic, in the order of each partition."""
    with closing(_reader(brokers, "chaos-check")) as reader:
        open_ = _partitions(reader, topic)
        reader.assign([TopicPartition(topic, each.partition, OFFSET_BEGINNING) for each in open_])
        left = len(open_)
        while left:
            message = reader.poll(SILENCE_S)
            if message is None:
                raise SystemExit(f"{topic} cannot be read to its end")
            if (error := message.error()) is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                left -= 1


def _reader(brokers: str, group: str) -> Consumer:
    return Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": group,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.message.max.bytes": MOST_VALUE_BYTES,
            "log_level": 0,
        }
    )


def _partitions(reader: Consumer, topic: str) -> list[TopicPartition]:
    found = reader.list_topics(topic, timeout=10).topics[topic].partitions
    return [TopicPartition(topic, number) for number in found]


def _end(reader: Consumer, place: TopicPartition) -> int:
    _, end = reader.get_watermark_offsets(place, timeout=10)
    return int(end)


def note_places(brokers: str, events: Sequence[Event], lives: Mapping[str, Life]) -> None:
    """Note where in its topic each event stands first."""
    by_payload = {event.payload: event.event_id for event in events if event.topic != REST}
    for topic in {event.topic for event in events if event.topic != REST}:
        for message in read_topic(brokers, topic):
            life = lives[by_payload[message.value()]]
            if life.place is None:
                life.place = (topic, message.partition(), message.offset())


def count_missing_copies(brokers: str, events: Sequence[Event], topic: str) -> int:
    """Broken events of a topic that are not in the topic of its dead letters."""
    copied = {message.value() for message in read_topic(brokers, topic + COPIES)}
    return sum(e.payload not in copied for e in events if e.topic == topic and e.is_broken)


def check_told(
    brokers: str, topic: str, tenant_id: str, events: Sequence[Event], lives: Mapping[str, Life]
) -> Told:
    """Compare what was published with what had to be, whose lives are known."""
    causes = {
        id_: event.event_id
        for event in events
        if not event.is_broken
        for id_ in told_of(tenant_id, event)
    }
    seen: set[str] = set()
    keys: dict[bytes, _Order] = defaultdict(_Order)
    records = unknown = disordered = 0
    for message in read_topic(brokers, topic):
        id_ = orjson.loads(message.value())["id"]
        records += 1
        if id_ not in causes:
            unknown += 1
        elif id_ not in seen:
            seen.add(id_)
            disordered += not keys[message.key()].takes(lives[causes[id_]])
    return Told(len(causes), records, len(causes) - len(seen), unknown, disordered)


@dataclass(slots=True)
class _Order:
    """What was told of a key so far."""

    latest: float = -math.inf
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)

    def takes(self, life: Life) -> bool:
        """Whether an event may come now; it counts from here on."""
        is_good = life.answered_at >= self.latest
        self.latest = max(self.latest, life.sent_at)
        if life.place is not None:
            topic, partition, offset = life.place
            is_good &= offset >= self.offsets.get((topic, partition), 0)
            self.offsets[topic, partition] = max(offset, self.offsets.get((topic, partition), 0))
        return is_good
