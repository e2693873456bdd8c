"""The service under test: a server process of its own beside the Neo4j of a data directory."""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.clients import Target
from benchmarks.kept import Kept
from memgraph.bootstrap import App
from memgraph.domain.access import Role
from memgraph.local.ports import LOOPBACK, any_free

READY_S = 60.0
UNLIMITED = {
    f"MEMGRAPH_LIMITS__{name}": "1000000"
    for who in ("CLIENT", "TENANT", "ADDRESS")
    for name in (f"{who}_PER_S", f"{who}_BURST")
}
"""One machine stands for many callers here, and it is not rates that are measured."""


@dataclass(frozen=True)
class Service:
    """A running service."""

    target: Target
    process: Kept
    """Started again when it ends: it does so itself when a worker dies twice within seconds."""

    @property
    def workers(self) -> list[int]:
        """Process ids of what answers requests (Linux); none between an end and a new start."""
        pid = self.process.pid
        try:
            found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except FileNotFoundError:
            return []
        return [int(child) for child in found]


@contextmanager
def service(
    app: App, data_dir: Path, tenant: str, environment: Mapping[str, str] | None = None
) -> Iterator[Service]:
    """Serve the graph of a running stack with the default settings but for ``environment``.

    The key may do everything in the tenant and is revoked afterwards.
    """
    port = any_free(())
    settings = {
        "MEMGRAPH_DATA_DIR": str(data_dir),
        "MEMGRAPH_API__PORT": str(port),
        **UNLIMITED,
        **(environment or {}),
    }
    access = app.services.access
    info, key = access.create_key(tenant, name="benchmark", roles=[Role.ADMIN])
    log = data_dir / "service.log"
    process = Kept((sys.executable, "-m", "memgraph.wsgi"), settings, log)
    try:
        target = Target(f"http://{LOOPBACK}:{port}", key)
        _wait(target, log)
        yield Service(target, process)
    finally:
        process.stop()
        access.revoke_key(tenant, info["key_id"])


def resident_mb(pid: int) -> float:
    """Memory of a process (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def is_ready(url: str) -> bool:
    """Whether a service says that it can do its work."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/healthz/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _wait(target: Target, log: Path) -> None:
    give_up = time.monotonic() + READY_S
    while not is_ready(target.url):
        if time.monotonic() > give_up:
            raise SystemExit(f"the service does not start; what it says is in {log}")
        time.sleep(0.1)
