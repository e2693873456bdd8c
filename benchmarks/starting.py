"""P12: how soon `memgraph up` serves when everything is cached, and what then is resident."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.server import Bench, say
from benchmarks.table import Line

STARTS = 3
TARGET_S = 15.0
WORKER_MB = 200.0


def run(_: Bench) -> list[Line]:
    """Start a stack of its own a few times; the first time makes the store and does not count."""
    took: list[float] = []
    with tempfile.TemporaryDirectory(prefix="memgraph-bench-up-") as folder:
        for number in range(STARTS + 1):
            began = time.perf_counter()
            state = _memgraph("up", "--detach", "--json", "--data-dir", folder)
            seconds = time.perf_counter() - began
            say(f"memgraph up: {seconds:.1f} s")
            if number:
                took.append(seconds)
            pids: dict[str, int] = json.loads(state)["pids"]
            resident = {name: _resident_mb(pid) for name, pid in pids.items()}
            workers = [_resident_mb(pid) for pid in _children(pids["rest"])]
            _memgraph("down", "--data-dir", folder)
    listed = ", ".join(f"{name} {mb:.0f} MB" for name, mb in resident.items())
    return [
        Line(
            "P12",
            "memgraph up, warm, to serving",
            ours=median(took),
            unit="s",
            target=f"<= {TARGET_S:g} s",
            verdict=median(took) <= TARGET_S,
        ),
        Line(
            "P12",
            "an API worker, resident",
            ours=max(workers),
            unit="MB",
            target=f"<= {WORKER_MB:g} MB",
            verdict=max(workers) <= WORKER_MB,
        ),
        Line(
            "P12",
            "resident memory after start, workers aside",
            ours=sum(resident.values()),
            unit="MB",
            note=f"{listed}; with the default heap and page cache",
        ),
    ]


def _memgraph(*arguments: str) -> str:
    command = [sys.executable, "-m", "memgraph", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"memgraph {arguments[0]} failed:\n{done.stderr}")
    return done.stdout


def _children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _resident_mb(pid: int) -> float:
    status: Any = Path(f"/proc/{pid}/status").read_text().splitlines()
    line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024
