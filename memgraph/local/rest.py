"""The REST service on loopback, served by this very installation."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from memgraph.local.ports import LOOPBACK
from memgraph.local.process import Command, environment_of

ANSWER_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class RestServer:
    """The service of one data directory. It finds the other servers by that directory."""

    data_dir: Path
    settings_file: str
    grace_s: int

    name: ClassVar[str] = "rest"
    title: ClassVar[str] = "REST service"
    port_names: ClassVar[tuple[str, ...]] = ("rest",)
    start_deadline_s: ClassVar[float] = 120.0
    """It brings the schema up to date first."""

    @property
    def stop_grace_s(self) -> float:
        """What its workers get, and a little for itself."""
        return self.grace_s + 5.0

    def fetch(self, on_progress: Callable[[str], None]) -> None:
        """Do nothing: it is installed."""

    def prepare(self, ports: Mapping[str, int]) -> Command:
        """Say where it shall listen."""
        address = {"MEMGRAPH_API__HOST": LOOPBACK, "MEMGRAPH_API__PORT": str(ports["rest"])}
        arguments = (self.settings_file,) if self.settings_file else ()
        return Command(
            (sys.executable, "-P", "-m", "memgraph.wsgi", *arguments),
            cwd=Path.cwd(),
            log=self.data_dir / self.name / "rest.log",
            env=environment_of(self.data_dir, **address),
        )

    def ready(self, ports: Mapping[str, int]) -> bool:
        """Answer whether it says so itself."""
        connection = http.client.HTTPConnection(LOOPBACK, ports["rest"], ANSWER_TIMEOUT_S)
        try:
            connection.request("GET", "/healthz/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
