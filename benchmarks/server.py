"""The server under test: a local stack of its own, and what ran where."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import neo4j
from pydantic import SecretStr

from benchmarks.replay import Replay
from memgraph.bootstrap import App, build
from memgraph.graph import migrations
from memgraph.local import StackState, find, start, stop
from memgraph.settings import Neo4jSettings, Settings

HEAP_MB = 3_072
PAGE_CACHE_MB = 1_024


@dataclass(frozen=True, eq=False)
class Bench:
    """What every benchmark gets."""

    app: App
    data_dir: Path
    replay: Replay
    nodes: int
    seed: int

    @property
    def random(self) -> Random:
        """A fresh source of randomness, the same in each run."""
        return Random(self.seed)


def say(text: str) -> None:
    """Say on standard error what takes time."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


@contextmanager
def serving(data_dir: Path) -> Iterator[App]:
    """Run a migrated Neo4j in a data directory. One that runs there already is used and left."""
    running = find(data_dir)
    stack = running or start(
        data_dir,
        browser=False,
        detach=False,
        heap_mb=HEAP_MB,
        page_cache_mb=PAGE_CACHE_MB,
        on_progress=say,
    )
    try:
        with _connect(stack) as app:
            migrations.apply(app.graph, app.model, migrations.migrations_directory())
            yield app
    finally:
        if running is None:
            stop(data_dir)


@contextmanager
def connected(data_dir: Path) -> Iterator[App]:
    """Use the stack that runs in a data directory, from another process."""
    stack = find(data_dir)
    if stack is None:
        raise SystemExit(f"no stack runs in {data_dir}")
    with _connect(stack) as app:
        yield app


def _connect(stack: StackState) -> App:
    settings = Settings(data_dir=stack.data_dir)
    server = Neo4jSettings(
        uri=stack.bolt, user=stack.neo4j_user, password=SecretStr(stack.neo4j_password)
    )
    return build(settings.model_copy(update={"neo4j": server}))


def settle(app: App) -> None:
    """Wait until the full-text indexes have what was committed."""
    app.graph.run("CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()")


def cpu_seconds(bench: Bench) -> float:
    """Processor time used so far by this process and the server (Linux)."""
    stack = find(bench.data_dir)
    if stack is None:
        raise SystemExit(f"no stack runs in {bench.data_dir}")
    stat = Path(f"/proc/{stack.pids['neo4j']}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


def environment(app: App) -> dict[str, Any]:
    """The machine and the versions that figures belong to."""
    components = app.graph.read(
        "CALL dbms.components() YIELD name, versions, edition "
        "WHERE name = 'Neo4j Kernel' RETURN versions[0] AS version, edition"
    )[0]
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages * size / 2**30, 1),
        "load_1_min": round(os.getloadavg()[0], 1),
        "neo4j": f"{components['version']} {components['edition']}",
        "heap_mb": HEAP_MB,
        "page_cache_mb": PAGE_CACHE_MB,
        "driver": neo4j.__version__,
        "python": platform.python_version(),
    }
