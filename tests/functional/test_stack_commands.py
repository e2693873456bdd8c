"""up, demo, status and down as a user runs them, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

TIMEOUT_S = 400


def memgraph(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MEMGRAPH_")}
    return subprocess.run(
        [sys.executable, "-m", "memgraph", *(str(a) for a in arguments)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        env={**clean, "COLUMNS": "160", **environment},
        check=False,
    )


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


def test_the_demo_starts_everything_and_a_second_one_changes_nothing(data_dir: Path) -> None:
    try:
        first = memgraph("demo", "--data-dir", data_dir)
        assert first.returncode == 0, first.stderr
        for part in (
            "Sleeping bag for Lapland",
            "follows s-0004-p2",
            "tpl-support-base@1.1.0",
            "983 received, 983 stored",
            "/browser/",
            "MATCH path",
        ):
            assert part in first.stdout
        again = memgraph("demo", "--json", MEMGRAPH_DATA_DIR=str(data_dir))
        assert again.returncode == 0, again.stderr
        told = json.loads(again.stdout)
        assert told["ingest"]["duplicate"] == told["ingest"]["received"] == 983
        assert set(told["stack"]) >= {"rest", "docs", "bolt", "browser", "pids"}

        status = memgraph("status", "--json", "--data-dir", data_dir)
        assert json.loads(status.stdout)["pids"] == told["stack"]["pids"]
        with urllib.request.urlopen(told["stack"]["browser"], timeout=20) as page:
            assert b"<html" in page.read().lower()
    finally:
        down = memgraph("down", "--data-dir", data_dir)
    assert down.stdout.strip() == "stopped"
    assert memgraph("down", "--data-dir", data_dir).stdout.strip() == "nothing was running"
    gone = memgraph("status", "--data-dir", data_dir)
    assert gone.returncode == 1
    assert "memgraph up" in gone.stderr


def test_wrong_usage_ends_with_2() -> None:
    assert memgraph("ingest").returncode == 2
    assert memgraph("no-such-command").returncode == 2


def test_help_of_the_whole() -> None:
    shown = memgraph("--help")
    assert shown.returncode == 0
    assert "memgraph demo" in shown.stdout
