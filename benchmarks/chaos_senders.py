"""Who sends in a run of chaos: careful clients of REST and producers of topics."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import httpx2

from benchmarks.chaos_check import Life
from benchmarks.chaos_events import Event
from benchmarks.chaos_faults import Pace
from benchmarks.clients import Target
from memgraph.adapters.kafka import open_publisher
from memgraph.domain.errors import StreamUnavailable
from memgraph.sections import KafkaSettings
from memgraph.services.ports import EventPublisher

SENDERS, PRODUCERS = 4, 2
GIVE_UP_S = 900.0
AGAIN_S = 0.5


@dataclass
class Senders:
    """Send everything until it is acknowledged."""

    target: Target
    brokers: str
    bodies: Sequence[Sequence[Event]]
    """What goes by REST."""
    shipments: Sequence[Sequence[Event]]
    """What goes by topics."""
    pace: Pace
    lives: Mapping[str, Life]
    sent_again: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Return when all of it is acknowledged."""
        with (
            closing(open_publisher(KafkaSettings(), self.brokers)) as publisher,
            ThreadPoolExecutor(SENDERS) as senders,
            ThreadPoolExecutor(PRODUCERS) as producers,
        ):
            posts = [senders.submit(self._post, n) for n in range(len(self.bodies))]
            ships = [producers.submit(self._ship, publisher, n) for n in range(len(self.shipments))]
            for done in (*posts, *ships):
                done.result()

    def _post(self, number: int) -> None:
        events = self.bodies[number]
        self.pace.wait(number, len(self.bodies))
        body = b"[" + b",".join(event.payload for event in events) + b"]"
        headers = {"Authorization": f"Bearer {self.target.key}", "Content-Type": "application/json"}
        address = f"{self.target.url}/api/v1/events"

        def is_answered() -> bool:
            try:
                answer = httpx2.post(address, content=body, headers=headers, timeout=60)
            except httpx2.HTTPError:
                return False
            return answer.status_code in (200, 207)

        self._began(events)
        self._insist(is_answered)
        answered_at = time.monotonic()
        for event in events:
            self.lives[event.event_id].answered_at = answered_at

    def _ship(self, publisher: EventPublisher, number: int) -> None:
        self.pace.wait(number, len(self.shipments))
        by_topic: dict[str, list[Any]] = defaultdict(list)
        for event in self.shipments[number]:
            by_topic[event.topic].append((event.session_id.encode(), event.payload, ()))
        self._began(self.shipments[number])
        for topic, messages in by_topic.items():
            self._insist(partial(_is_published, publisher, topic, messages))

    def _began(self, events: Sequence[Event]) -> None:
        at = time.monotonic()
        for event in events:
            self.lives[event.event_id].sent_at = at

    def _insist(self, is_done: Callable[[], bool]) -> None:
        give_up = time.monotonic() + GIVE_UP_S
        while not is_done():
            if time.monotonic() > give_up:
                raise SystemExit("what was sent was not acknowledged in time")
            with self._lock:
                self.sent_again += 1
            time.sleep(AGAIN_S)


def _is_published(publisher: EventPublisher, topic: str, messages: Sequence[Any]) -> bool:
    try:
        publisher.publish(topic, messages)
    except StreamUnavailable:
        return False
    return True
