"""What runs beside the service: a broker of its own, and processes that are started again."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.server import say
from memgraph.local import start, stop
from memgraph.local.ports import LOOPBACK
from memgraph.services.stream_batches import COPIES

COMMAND = (sys.executable, "-m", "memgraph")
PARTITIONS = 4
AGAIN_S = 0.2
"""From the end of a process to its next start, as supervisors wait."""
STOP_S = 60.0
STARTED_S = 120.0
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


class Kept:
    """A command of ours that is started again whenever it ends, as a supervisor does."""

    def __init__(self, arguments: Sequence[str], settings: Mapping[str, str], log: Path) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MEMGRAPH_")}
        self._argv = [*COMMAND, *arguments]
        self._environment = {**clean, **settings}
        self._log = log
        self._stopping = threading.Event()
        self._process = self._start()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(self._argv, env=self._environment, stdout=log, stderr=log)

    def _watch(self) -> None:
        while True:
            self._process.wait()
            if self._stopping.wait(AGAIN_S):
                return
            self._process = self._start()

    def wait_until_it_says(self, words: bytes) -> None:
        """Return when its log has these words."""
        give_up = time.monotonic() + STARTED_S
        while words not in self._log.read_bytes():
            if time.monotonic() > give_up:
                raise SystemExit(f"{' '.join(self._argv[len(COMMAND) :])} does not get on")
            time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, whatever it does at this moment."""
        self._process.kill()

    def stop(self) -> None:
        """Ask it to end, and wait for that."""
        self._stopping.set()
        # What is being started at this moment has to be asked, too.
        give_up = time.monotonic() + STOP_S
        while self._thread.is_alive():
            self._process.terminate()
            self._thread.join(1.0)
            if time.monotonic() > give_up:
                self._process.kill()


@contextmanager
def kept(arguments: Sequence[str], settings: Mapping[str, str], log: Path) -> Iterator[Kept]:
    """Keep a command running."""
    process = Kept(arguments, settings, log)
    try:
        yield process
    finally:
        process.stop()
