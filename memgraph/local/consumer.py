"""The reader of Kafka's topics, run by this very installation."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from memgraph.domain.errors import StackError
from memgraph.local.process import Command, environment_of

READING = b"reading "
"""What it says first when it reads."""


@dataclass(frozen=True)
class ConsumerProcess:
    """The reader of one data directory. It finds the servers by that directory."""

    data_dir: Path
    settings_file: str

    name: ClassVar[str] = "consumer"
    title: ClassVar[str] = "Kafka consumer"
    port_names: ClassVar[tuple[str, ...]] = ()
    start_deadline_s: ClassVar[float] = 120.0
    """The schema is brought up to date meanwhile."""
    stop_grace_s: ClassVar[float] = 20.0
    """When it is killed, what it had begun is read again and found to be known."""

    @property
    def log(self) -> Path:
        """What it says."""
        return self.data_dir / self.name / "consumer.log"

    def fetch(self, on_progress: Callable[[str], None]) -> None:
        """Raise StackError when the client is not installed."""
        if importlib.util.find_spec("confluent_kafka") is None:
            raise StackError(
                'reading Kafka needs an extra: pip install "llm-memory-graph[kafka,local]"'
            )

    def prepare(self, ports: Mapping[str, int]) -> Command:
        """Say what it shall read."""
        arguments = ("--config", self.settings_file) if self.settings_file else ()
        return Command(
            (sys.executable, "-P", "-m", "memgraph", "consume", *arguments),
            cwd=Path.cwd(),
            log=self.log,
            env=environment_of(self.data_dir),
        )

    def ready(self, ports: Mapping[str, int]) -> bool:
        """Answer whether it says that it reads."""
        return READING in self.log.read_bytes()
