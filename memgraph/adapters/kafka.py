"""The stream in and the way out, by Kafka's C client. No message content is ever logged.

The client works in threads of its own: it fetches ahead, keeps the membership alive and
connects again by itself. What it tells of brokers that are away goes to the log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)

from memgraph.domain.errors import StreamRefused, StreamUnavailable
from memgraph.sections import KafkaSettings
from memgraph.services.ports import Message, Partition, StreamListener, StreamRecord

_log = structlog.get_logger()

MOST_BETWEEN_POLLS_MS = 300_000
NEW_TOPICS_MS = 5_000
"""So often the client looks whether topics came to be or grew."""
FETCHED_AHEAD_KB = 32_768
"""Bound of what the client keeps for us, whatever the number of partitions."""
MOST_MESSAGE_BYTES = 64 * 1_024 * 1_024
"""The broker judges how large a message may be."""
DELIVERY_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0
ENDS_TIMEOUT_S = 1.0
"""How long the broker is asked where a paused partition ends."""
SAY_EVERY_S = 30.0

# Named by kind, because versions of brokers differ in which they answer.
_REFUSED = frozenset(
    {
        KafkaError._AUTHENTICATION,
        KafkaError._INVALID_ARG,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.INVALID_GROUP_ID,
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
    }
)
_TOO_LARGE = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_RECORD,
        KafkaError.TOPIC_EXCEPTION,
    }
)
_PASSING = frozenset({KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._PARTITION_EOF})
"""Told of topics that are not there yet, again and again."""


def open_stream(settings: KafkaSettings, brokers: str) -> KafkaEventStream:
    """A member of the configured group. It connects when it subscribes."""
    return KafkaEventStream(
        _connection(settings, brokers) | {"session.timeout.ms": settings.session_timeout_s * 1_000},
        settings.group,
    )


def open_publisher(settings: KafkaSettings, brokers: str) -> KafkaEventPublisher:
    """A way out to these brokers. It connects when something goes out."""
    return KafkaEventPublisher(_connection(settings, brokers))


def _connection(settings: KafkaSettings, brokers: str) -> dict[str, Any]:
    config: dict[str, Any] = {
        "bootstrap.servers": brokers,
        "client.id": "memgraph",
        "security.protocol": settings.protocol,
        # What it would log is told by its errors, which are said less often.
        "log_level": 0,
    }
    if settings.protocol.startswith("SASL"):
        config |= {
            "sasl.mechanism": settings.sasl_mechanism,
            "sasl.username": settings.user,
            "sasl.password": settings.password.get_secret_value(),
        }
    if settings.ca_file:
        config["ssl.ca.location"] = settings.ca_file
    return config


class KafkaEventStream:
    """A member of a consumer group that commits by itself only what it is told to."""

    def __init__(self, config: Mapping[str, Any], group: str) -> None:
        self._trouble = _Trouble()
        self._paused: set[Partition] = set()
        with _translated():
            self._consumer = Consumer(
                {
                    **config,
                    "group.id": group,
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "earliest",
                    "isolation.level": "read_committed",
                    "partition.assignment.strategy": "cooperative-sticky",
                    "max.poll.interval.ms": MOST_BETWEEN_POLLS_MS,
                    "topic.metadata.refresh.interval.ms": NEW_TOPICS_MS,
                    "queued.max.messages.kbytes": FETCHED_AHEAD_KB,
                    # The client waits a second before it fetches again into a full queue.
                    "fetch.queue.backoff.ms": 50,
                    "error_cb": self._trouble.note,
                }
            )

    def subscribe(self, topics: Sequence[str], listener: StreamListener) -> None:
        def on(tell: Callable[[Sequence[Partition]], None]) -> Callable[[Any, Any], None]:
            def call(_: Any, found: list[TopicPartition]) -> None:
                partitions = [(each.topic, each.partition) for each in found]
                tell(partitions)
                # The client would keep it in mind, and yield nothing when they come back.
                self.resume([each for each in partitions if each in self._paused])

            return call

        with _translated():
            self._consumer.subscribe(
                list(topics),
                on_assign=on(listener.assigned),
                on_revoke=on(listener.revoked),
                on_lost=on(listener.lost),
            )

    def poll(self, most: int, timeout_s: float) -> list[StreamRecord]:
        with _translated():
            messages = self._consumer.consume(most, timeout_s)
        self._trouble.check()
        records = []
        for message in messages:
            error = message.error()
            if error is None:
                records.append(_record(message))
            elif error.code() not in _PASSING:
                self._trouble.note(error)
                self._trouble.check()
        return records

    def pause(self, partitions: Sequence[Partition]) -> None:
        with _translated():
            self._consumer.pause([TopicPartition(*each) for each in partitions])
        self._paused.update(partitions)

    def resume(self, partitions: Sequence[Partition]) -> None:
        with _translated():
            self._consumer.resume([TopicPartition(*each) for each in partitions])
        self._paused.difference_update(partitions)

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        places = [TopicPartition(*each, offset) for each, offset in offsets.items()]
        with _translated():
            kept = self._consumer.commit(offsets=places, asynchronous=False)
        for place in kept or ():
            if place.error is not None:
                raise _error_of(place.error)

    def ends(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        found = {}
        for each in partitions:
            # What is fetched tells where its partition ends; of a paused one nothing is.
            is_paused = each in self._paused
            try:
                answer = self._consumer.get_watermark_offsets(
                    TopicPartition(*each), timeout=ENDS_TIMEOUT_S, cached=not is_paused
                )
            except KafkaException:
                continue
            if answer is not None and answer[1] >= 0:
                found[each] = answer[1]
        return found

    def close(self) -> None:
        self._consumer.close()


class KafkaEventPublisher:
    """An idempotent producer that waits for all replicas."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._trouble = _Trouble()
        with _translated():
            self._producer = Producer(
                {
                    **config,
                    "enable.idempotence": True,
                    "acks": "all",
                    "compression.type": "snappy",
                    "message.max.bytes": MOST_MESSAGE_BYTES,
                    "delivery.timeout.ms": int(DELIVERY_TIMEOUT_S * 1_000),
                    "linger.ms": 5,
                    "error_cb": self._trouble.note,
                }
            )

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        # Other threads may serve our reports as we serve theirs, so they are collected.
        reports: list[KafkaError | None] = []

        def settled(error: KafkaError | None, _: Any) -> None:
            reports.append(error)

        deadline = time.monotonic() + DELIVERY_TIMEOUT_S + CLOSE_TIMEOUT_S
        for key, value, headers in messages:
            self._produce(topic, key, value, headers, settled, deadline)
        while len(reports) < len(messages) and time.monotonic() < deadline:
            self._producer.poll(0.05)
        if failures := [error for error in reports if error is not None]:
            raise _error_of(failures[0])
        if len(reports) < len(messages):
            raise StreamUnavailable("the broker did not acknowledge in time", topic=topic)

    def _produce(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Any,
        settled: Callable[[KafkaError | None, Any], None],
        deadline: float,
    ) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, value, key, headers=list(headers), on_delivery=settled
                )
            except BufferError:
                if time.monotonic() > deadline:
                    raise StreamUnavailable(
                        "too much waits for the broker already", topic=topic
                    ) from None
                self._producer.poll(0.1)
            except KafkaException as error:
                raise _error_of(error.args[0]) from None
            else:
                return

    def close(self) -> None:
        # What is not acknowledged was reported to its caller; nobody waits for it.
        self._producer.purge()
        self._producer.flush(CLOSE_TIMEOUT_S)


class _Trouble:
    """What the client's threads tell: refusals are raised by who asks, the rest is logged."""

    def __init__(self) -> None:
        self._refusal: StreamRefused | None = None
        self._said: dict[int, float] = {}

    def note(self, error: KafkaError) -> None:
        if isinstance(found := _error_of(error), StreamRefused):
            self._refusal = found
            return
        now = time.monotonic()
        if now - self._said.get(error.code(), -SAY_EVERY_S) >= SAY_EVERY_S:
            self._said[error.code()] = now
            _log.warning("the broker of events does not answer well", kind=error.name())

    def check(self) -> None:
        if self._refusal is not None:
            raise self._refusal


class _translated:  # noqa: N801 - reads as a word in a with statement
    """Turn what the client raises into our errors."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KafkaException):
            raise _error_of(error.args[0]) from None


def _error_of(error: KafkaError) -> StreamRefused | StreamUnavailable:
    # The client's own words may name brokers and topics, never content.
    if error.code() in _REFUSED or error.fatal():
        return StreamRefused(f"the broker of events refuses us: {error.name()}", kind=error.name())
    if error.code() in _TOO_LARGE:
        return StreamRefused(
            f"the broker of events does not take a message: {error.name()}", kind=error.name()
        )
    return StreamUnavailable(
        f"the broker of events does not answer: {error.name()}", kind=error.name()
    )


def _record(message: Any) -> StreamRecord:
    _, timestamp_ms = message.timestamp()
    return StreamRecord(
        message.topic(),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        message.headers() or (),
        timestamp_ms if timestamp_ms >= 0 else None,
    )
