"""Commands of this very installation that work in the background, and nobody waits for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from memgraph.local.process import Command, environment_of

# The driver loads what it finds for data frames: 50 MB that these never use.
_RUN = """\
import sys
sys.modules.update(dict.fromkeys({unused!r}))
from memgraph.cli import main
main()"""


@dataclass(frozen=True)
class BackgroundProcess:
    """A command over one data directory. It finds the servers by that directory."""

    data_dir: Path
    settings_file: str

    name: ClassVar[str]
    title: ClassVar[str]
    command: ClassVar[tuple[str, ...]]
    unused: ClassVar[tuple[str, ...]] = ("pandas", "pyarrow")
    """Modules that are not to be loaded."""
    port_names: ClassVar[tuple[str, ...]] = ()
    start_deadline_s: ClassVar[float] = 60.0
    stop_grace_s: ClassVar[float] = 10.0
    """When it is killed, what it had not finished is done again."""

    def fetch(self, on_progress: Callable[[str], None]) -> None:
        """Do nothing: it is installed."""

    def prepare(self, ports: Mapping[str, int]) -> Command:
        """Say where it shall look."""
        arguments = ("--config", self.settings_file) if self.settings_file else ()
        run = _RUN.format(unused=self.unused)
        return Command(
            (sys.executable, "-P", "-c", run, *self.command, *arguments),
            cwd=Path.cwd(),
            log=self.data_dir / self.name / f"{self.name}.log",
            env=environment_of(self.data_dir),
        )

    def ready(self, ports: Mapping[str, int]) -> bool:
        """Answer that it may be left alone: it waits for the others by itself."""
        return True


class RelayProcess(BackgroundProcess):
    """The relay that delivers events."""

    name = "relay"
    title = "event relay"
    command = ("relay",)
    unused = ("numpy", *BackgroundProcess.unused)


class EmbedderProcess(BackgroundProcess):
    """The worker that gives prompts their vectors."""

    name = "embedder"
    title = "embeddings worker"
    command = ("embed", "--all-tenants", "--follow")
