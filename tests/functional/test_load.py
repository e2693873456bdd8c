"""The load script on a stack of its own, for a moment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from memgraph.local import find

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_short_load_loses_nothing_and_is_refused_when_it_is_too_much(tmp_path: Path) -> None:
    options = {"clients": 4, "seconds": 2, "warm-up-seconds": 5, "spike-seconds": 2}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MEMGRAPH_")}
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.load", "--json", f"--data-dir={tmp_path}", *arguments],
        cwd=ROOT,
        env=clean,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    report = json.loads(ran.stdout or "{}")
    assert report, ran.stderr
    [level] = report["levels"]
    assert level["what"] == "4 clients"
    assert level["per_s"] > 0
    assert level["errors"] == {}
    assert 0 < level["p50_ms"] <= level["p95_ms"] <= level["p99_ms"]
    assert set(report["spike"]["errors"]) & {"429", "503"}
    assert report["recovery_s"] is not None
    assert report["acknowledged"] > 0
    assert report["lost"] == 0
    assert find(tmp_path) is None
