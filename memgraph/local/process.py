"""One server process: start it, watch it, stop it, quote its log."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

LOG_LINES = 30
"""Lines of a log that an error quotes."""
LOG_TAIL_BYTES = 16_384
_TETHER = Path(__file__).with_name("tether.py")


@dataclass(frozen=True)
class Command:
    """A command line with its working directory, its log and additions to the environment."""

    argv: tuple[str, ...]
    cwd: Path
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)


def environment_of(data_dir: Path, **more: str) -> dict[str, str]:
    """What a process of ours is told so that it finds the servers of a data directory.

    The environment's other settings stay as they are.
    """
    none = dict.fromkeys(("MEMGRAPH_NEO4J__URI", "MEMGRAPH_KAFKA__BROKERS"), "")
    return {"MEMGRAPH_DATA_DIR": str(data_dir), **none, **more}


class Server(Protocol):
    """What the supervisor must know of a server."""

    @property
    def name(self) -> str:
        """Name in messages, in ``StackState.pids`` and of its folder in the data directory."""

    @property
    def title(self) -> str:
        """Product and version for progress lines."""

    @property
    def port_names(self) -> tuple[str, ...]:
        """Names of the ports it listens on; keys of ``ports`` below."""

    @property
    def start_deadline_s(self) -> float:
        """Time from its start until it must be ready."""

    @property
    def stop_grace_s(self) -> float:
        """Time between SIGTERM and SIGKILL."""

    def fetch(self, on_progress: Callable[[str], None]) -> None:
        """Get what is missing on this machine; may take minutes."""

    def prepare(self, ports: Mapping[str, int]) -> Command:
        """Write its configuration and return its command line."""

    def ready(self, ports: Mapping[str, int]) -> bool:
        """Try once whether it answers; False means not yet. StackError: it never will."""


def _tethered(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Let the kernel kill the process when this one dies (Linux)."""
    if sys.platform != "linux":
        return argv
    return (sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *argv)


class ServerProcess:
    """A running command in its own process group, its output in its log.

    The log of the run before is kept as ``<log>.1``. On Linux the process is killed by
    the kernel when the thread that created this object ends.
    """

    def __init__(self, command: Command) -> None:
        self.log = command.log
        command.log.parent.mkdir(parents=True, exist_ok=True)
        if command.log.exists():
            command.log.replace(command.log.with_name(command.log.name + ".1"))
        with command.log.open("wb") as log:
            self._popen = subprocess.Popen(
                _tethered(command.argv),
                cwd=command.cwd,
                env={**os.environ, **command.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._popen.pid

    def exit_code(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        return self._popen.poll()

    def terminate(self) -> None:
        """Ask it to stop; does not wait."""
        if self.exit_code() is None:
            self._popen.terminate()

    def wait(self, grace_s: float) -> int:
        """Wait for its end, kill it after ``grace_s``, return the exit code."""
        try:
            return self._popen.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            return self._popen.wait()


def log_tail(log: Path, lines: int = LOG_LINES) -> str:
    """Return the last lines of a log; empty when there is none."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def describe_exit(code: int) -> str:
    """Say an exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
