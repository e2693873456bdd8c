"""What a data directory says of its stack: configuration, state, failure, locks.

Files: ``lock`` (held by the supervisor while it lives, with its process id), ``start.lock``
(held by a caller of ``start``), ``state.json`` (written when all servers are ready, removed
before they stop), ``failure.json`` (why the stack ended by itself).
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class StackConfig:
    """What to start; travels to the supervisor as JSON. ``owner`` is a process id or 0."""

    data_dir: Path
    neo4j: bool = True
    redis: bool = True
    kafka: bool = False
    browser: bool = True
    heap_mb: int = 512
    page_cache_mb: int = 128
    owner: int = 0
    rest_port: int = 0
    """Port of the REST service if it is free; 0: no service."""
    rest_grace_s: int = 20
    embeddings: bool = False
    """Whether a worker gives prompts their vectors, beside the service."""
    settings_file: str = ""
    """What the service reads its settings from, besides the environment."""

    def to_json(self) -> str:
        """Return it on one line."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read ``to_json``."""
        raw = json.loads(text)
        return cls(**{**raw, "data_dir": Path(raw["data_dir"])})


@dataclass(frozen=True)
class StackState:
    """A running stack. A stack without Neo4j has empty ``bolt``, user and password."""

    data_dir: Path
    bolt: str
    browser: str | None
    neo4j_user: str
    neo4j_password: str = field(repr=False)
    redis: str | None = field(repr=False)  # its address holds a password
    kafka: str | None
    pids: dict[str, int]
    started_at: datetime
    rest: str | None = None
    is_complete: bool = True
    """False while what builds upon the other servers still starts."""

    @property
    def docs(self) -> str | None:
        """Address of the API's documentation."""
        return f"{self.rest}/docs" if self.rest else None

    def to_json(self) -> str:
        """Return it as indented JSON."""
        return json.dumps(asdict(self), default=str, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read ``to_json``; ValueError, KeyError or TypeError when it is something else."""
        raw: dict[str, Any] = json.loads(text)
        values = {f.name: raw[f.name] for f in fields(cls) if f.name in raw}
        values["data_dir"] = Path(values["data_dir"])
        values["started_at"] = datetime.fromisoformat(values["started_at"])
        return cls(**values)


def now() -> datetime:
    """Return the time in UTC, whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


class Files:
    """The files of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self.lock = data_dir / "lock"
        self.start_lock = data_dir / "start.lock"
        self.state = data_dir / "state.json"
        self.failure = data_dir / "failure.json"
        self.log = data_dir / "supervisor.log"

    def write_state(self, state: StackState) -> None:
        """Write ``state.json``, mode 0600, at once."""
        write_private(self.state, state.to_json())

    def read_state(self) -> StackState | None:
        """Return what ``state.json`` says, running or not; None when there is none."""
        try:
            return StackState.from_json(self.state.read_text())
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None

    def write_failure(self, server: str, exit_code: int | None, text: str) -> None:
        """Write ``failure.json``."""
        facts = {"server": server, "exit_code": exit_code, "at": now().isoformat(), "text": text}
        write_private(self.failure, json.dumps(facts, indent=1) + "\n")

    def read_failure(self) -> str | None:
        """Return why the stack ended by itself; None when it runs or was stopped."""
        try:
            return str(json.loads(self.failure.read_text())["text"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            pass
        if self.state.exists() and self.supervisor_pid() is None:
            return f"the stack in {self.data_dir} was killed, or the machine restarted"
        return None

    def supervisor_pid(self) -> int | None:
        """Return the process that holds ``lock``; None when nobody does. 0: not yet written."""
        try:
            with self.lock.open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(file.read() or 0)
        except FileNotFoundError:
            pass
        return None


class HeldLock:
    """An exclusive flock on a file until ``release`` or the end of this process."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def try_acquire(self) -> bool:
        """Take it unless another open file holds it."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def sign(self, pid: int) -> None:
        """Write who holds it."""
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, str(pid).encode(), 0)

    def release(self) -> None:
        """Give it back."""
        os.close(self._fd)


def write_private(path: Path, text: str) -> None:
    """Replace a file at once; only its owner can read it; on disk before it has its name."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def alive(pid: int) -> bool:
    """Say whether a process exists; one that ended and was not waited for does not."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Say whether it only waits to be reaped, by another parent (Linux)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] == "Z"
