"""Ingestion while things break: the graph ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from memgraph.bootstrap import build
from memgraph.local import start, stop
from memgraph.settings import Settings
from tests.functional.test_stack_commands import memgraph
from tests.support.events import START

pytestmark = pytest.mark.slow

EVENTS = 12_000


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    start(tmp_path / "stack", redis=False, browser=False)
    yield tmp_path / "stack"
    stop(tmp_path / "stack")


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Events in some two hundred sessions, so many that there is time to disturb."""
    path = tmp_path / "events.jsonl"
    rng = random.Random(7)
    lines = []
    for n in range(EVENTS):
        session, at = rng.randrange(200), START + timedelta(seconds=n)
        lines.append(
            json.dumps(
                {
                    "event_id": f"p{n}",
                    "timestamp": at.isoformat(),
                    "prompt": {"text": f"question {n} " * 20},
                    "session": {"id": f"s{session}", "userId": f"u{session % 17}"},
                    "model": {"id": "m"},
                }
            )
        )
    path.write_text("\n".join(lines))
    return path


def ingest(data_dir: Path, events: Path, tenant: str) -> subprocess.Popen[str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MEMGRAPH_")}
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "memgraph", "ingest", str(events), "--json"),
            *("--data-dir", str(data_dir), "--tenant", tenant, "--batch", "50"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean,
    )


def digest(data_dir: Path, tenant: str) -> str:
    return memgraph("digest", "--data-dir", data_dir, "--tenant", tenant).stdout.strip()


def wait_for_progress(data_dir: Path, tenant: str, running: subprocess.Popen[str]) -> None:
    """Return when something is stored and the command still runs."""
    with build(Settings(data_dir=data_dir)) as app:
        while app.reader.count(tenant)["nodes"].get("Prompt", 0) < 100:
            assert running.poll() is None, "the command ended before it could be disturbed"
            time.sleep(0.01)


def undisturbed(data_dir: Path, events: Path) -> str:
    assert memgraph("migrate", "--data-dir", data_dir).returncode == 0
    out, err = ingest(data_dir, events, "calm").communicate(timeout=300)
    assert json.loads(out)["stored"] == EVENTS, err
    return digest(data_dir, "calm")


def test_neo4j_stopped_in_the_middle_is_waited_for(data_dir: Path, events: Path) -> None:
    expected = undisturbed(data_dir, events)
    running = ingest(data_dir, events, "stopped")
    wait_for_progress(data_dir, "stopped", running)
    assert stop(data_dir)
    time.sleep(5)
    assert running.poll() is None
    start(data_dir, redis=False, browser=False)
    out, err = running.communicate(timeout=300)
    assert running.returncode == 0, err
    assert "waiting up to" in err
    told = json.loads(out)
    # A batch whose commit answer was lost is written again and may count as known.
    assert told["stored"] + told["duplicate"] == told["received"] == EVENTS
    assert digest(data_dir, "stopped") == expected


def test_killed_in_the_middle_and_started_again(data_dir: Path, events: Path) -> None:
    expected = undisturbed(data_dir, events)
    for _ in range(3):
        running = ingest(data_dir, events, "killed")
        time.sleep(random.Random(3).uniform(1.5, 3))
        running.send_signal(signal.SIGKILL)
        running.communicate()
    out, err = ingest(data_dir, events, "killed").communicate(timeout=300)
    told = json.loads(out)
    assert told["received"] == told["stored"] + told["duplicate"] == EVENTS, err
    assert digest(data_dir, "killed") == expected
