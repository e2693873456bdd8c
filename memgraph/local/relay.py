"""The relay that delivers events, run by this very installation."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from memgraph.local.process import Command, environment_of

# The driver loads what it finds for data frames: 50 MB that a relay never uses.
_RUN = """\
import sys
sys.modules.update(dict.fromkeys(("numpy", "pandas", "pyarrow")))
from memgraph.cli import main
main()"""


@dataclass(frozen=True)
class RelayProcess:
    """The relay of one data directory. It finds the servers by that directory."""

    data_dir: Path
    settings_file: str

    name: ClassVar[str] = "relay"
    title: ClassVar[str] = "event relay"
    port_names: ClassVar[tuple[str, ...]] = ()
    start_deadline_s: ClassVar[float] = 60.0
    stop_grace_s: ClassVar[float] = 10.0
    """When it is killed, what it delivered and did not remove is delivered again."""

    def fetch(self, on_progress: Callable[[str], None]) -> None:
        """Do nothing: it is installed."""

    def prepare(self, ports: Mapping[str, int]) -> Command:
        """Say where it shall look."""
        arguments = ("--config", self.settings_file) if self.settings_file else ()
        return Command(
            (sys.executable, "-P", "-c", _RUN, "relay", *arguments),
            cwd=Path.cwd(),
            log=self.data_dir / self.name / "relay.log",
            env=environment_of(self.data_dir),
        )

    def ready(self, ports: Mapping[str, int]) -> bool:
        """Answer that it may be left alone: nobody waits for it, and it waits for the others."""
        return True
