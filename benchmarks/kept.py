"""Processes of ours that are started again whenever they end."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

AGAIN_S = 0.2
"""From the end of a process to its next start, as supervisors wait."""
STOP_S = 60.0
STARTED_S = 120.0


class Kept:
    """A command that is started again whenever it ends, as a supervisor does."""

    def __init__(self, argv: Sequence[str], settings: Mapping[str, str], log: Path) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MEMGRAPH_")}
        self._argv = argv
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

    @property
    def pid(self) -> int:
        """Process id of the one that runs now."""
        return self._process.pid

    def wait_until_it_says(self, words: bytes) -> None:
        """Return when its log has these words."""
        give_up = time.monotonic() + STARTED_S
        while words not in self._log.read_bytes():
            if time.monotonic() > give_up:
                raise SystemExit(f"{' '.join(self._argv)} does not get on")
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
    """Keep a command of `memgraph` running."""
    process = Kept((sys.executable, "-m", "memgraph", *arguments), settings, log)
    try:
        yield process
    finally:
        process.stop()
