"""The broker of a run of chaos, in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.server import say
from memgraph.local import start, stop
from memgraph.local.ports import LOOPBACK
from memgraph.services.stream_batches import COPIES

PARTITIONS = 4
METADATA_S = 30.0


@dataclass(frozen=True)
class Broker:
    """A broker in a folder of its own, so that it can be away alone."""

    folder: Path
    address: str

    def stop(self) -> None:
        stop(self.folder)

    def start(self) -> None:
        address = _start_broker(self.folder)
        if address != self.address:
            raise SystemExit(f"the broker came back at another port of {LOOPBACK}")


@contextmanager
def broker(folder: Path, topics: Sequence[str], events_topic: str) -> Iterator[Broker]:
    """Run a broker with these topics, those of their copies, and that of the events out."""
    found = Broker(folder, _start_broker(folder))
    try:
        names = [*topics, *(name + COPIES for name in topics), events_topic]
        admin = AdminClient({"bootstrap.servers": found.address, "log_level": 0})
        made = admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names])
        for future in made.values():
            future.result(METADATA_S)
        yield found
    finally:
        stop(folder)


def _start_broker(folder: Path) -> str:
    stack = start(folder, neo4j=False, redis=False, kafka=True, detach=False, on_progress=say)
    return stack.kafka or ""
