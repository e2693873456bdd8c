"""Jobs as an operator and the clock run them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker

from memgraph.domain.errors import InvalidInput, Unbalanced
from memgraph.graph.credentials import CredentialStore
from memgraph.graph.session import Graph
from memgraph.local.ports import any_free
from tasks.app import make_app
from tests.functional.conftest import Run
from tests.support.events import at, event
from tests.support.redis_server import redis_for_tests

DEADLINE_S = 120
"""The check looks at every tenant that earlier runs left on a server."""


def wait_until(condition: Callable[[], Any]) -> Any:
    give_up = time.monotonic() + DEADLINE_S
    while not (answer := condition()):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    return answer


@pytest.fixture
def loaded(run: Run, tmp_path: Path) -> None:
    """A tenant with one source whose sums add up."""
    path = tmp_path / "day.jsonl"
    said = {"prompt": {"text": "hello"}, "session": {"id": "s"}, "model": {"id": "m"}}
    path.write_bytes(event(event_id="p", timestamp=at(0), **said))
    assert run("ingest", path, "--format", "events").code == 0


@pytest.fixture
def alone(tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests have tenants whose sums are wrong on purpose."""
    monkeypatch.setattr(CredentialStore, "list_tenants", lambda *_, **__: [{"tenant_id": tenant}])


@pytest.fixture
def lost(graph: Graph, tenant: str, loaded: None) -> Iterator[None]:
    """One event of the source was received and is nowhere."""
    change = "MATCH (s:IngestSource {tenant_id: $tenant}) SET s.received = s.received + $more"
    graph.run(change, tenant=tenant, more=1)
    yield
    graph.run(change, tenant=tenant, more=-1)


@pytest.fixture
def queue(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A queue of this test in a real Redis, and the environment of a worker."""
    with redis_for_tests(tmp_path / "redis") as url:
        monkeypatch.setenv("MEMGRAPH_REDIS__URL", url)
        monkeypatch.setenv("MEMGRAPH_DATA_DIR", str(tmp_path))
        yield f"memgraph-{uuid.uuid4()}"


@pytest.mark.usefixtures("alone", "loaded")
class TestByHand:
    def test_all_adds_up(self, run: Run) -> None:
        assert run("jobs", "run", "check_balance").json == {"sources": 1}

    @pytest.mark.usefixtures("lost")
    def test_what_was_lost_is_told(self, run: Run) -> None:
        told = run("jobs", "run", "check_balance")
        assert (told.code, type(told.error)) == (1, Unbalanced)

    def test_jobs_are_listed(self, run: Run) -> None:
        assert "check_balance" in run("jobs", "list").out
        [row] = [r for r in run("jobs", "list", "--json").json if r["name"] == "check_balance"]
        assert row["schedule"] == "10 3 * * *"
        assert isinstance(run("jobs", "run", "nothing").error, InvalidInput)


@pytest.mark.usefixtures("alone", "lost", "log")
def test_a_task_runs_the_job(queue: str, capfd: pytest.CaptureFixture[str], tenant: str) -> None:
    app = make_app()
    app.conf.task_default_queue = queue
    with start_worker(app, pool="solo", perform_ping_check=False, queues=[queue]):
        app.send_task("check_balance", queue=queue)
        wait_until(lambda: tenant in capfd.readouterr().err)


def test_a_worker_shows_what_its_processes_count(queue: str, loaded: None, tmp_path: Path) -> None:
    port = any_free(())
    options = ("-B", "-Q", queue, "--without-gossip", "--without-mingle")
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tasks.app", "worker", *options],
            env={**os.environ, "MEMGRAPH_JOBS__METRICS_PORT": str(port)},
            stdout=log,
            stderr=log,
        )

    def figures() -> str:
        assert worker.poll() is None, (tmp_path / "log").read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    try:
        make_app().send_task("check_balance", queue=queue)
        wait_until(lambda: 'job_runs_total{job="check_balance"' in figures())
        wait_until(lambda: "ingest_unbalanced_sources" in figures())
        wait_until(lambda: list((tmp_path / "jobs").glob("schedule*")))
    finally:
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(DEADLINE_S) == 0
