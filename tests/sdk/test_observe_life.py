"""When observing begins and ends: with the program, its threads and its children."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import memgraph_sdk as sdk
import pytest
from memgraph_sdk import Bounds, observe, observing
from memgraph_sdk.delivery import Delivery
from memgraph_sdk.recorder import THREAD_NAME, Recorder

from tests.sdk.conftest import BOUNDS
from tests.sdk.door import Door
from tests.sdk.observing import ask, eventually

SDK = Path(__file__).parents[2] / "sdk"


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


class TestLife:
    def test_the_environment_is_read_once(
        self, door: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(observing._State, "is_settled", False)
        monkeypatch.setenv("MEMGRAPH_URL", door.url)
        monkeypatch.setenv("MEMGRAPH_API_KEY", "mg_env")
        ask("why")
        monkeypatch.delenv("MEMGRAPH_URL")
        ask("how")
        assert sdk.flush(60)
        assert sdk.stats().stored == 4
        assert door.requests[0]["authorization"] == "Bearer mg_env"

    def test_without_an_address_nothing_is_recorded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("MEMGRAPH_URL", raising=False)
        sdk.configure(api_key="k")
        ask("why")
        assert sdk.stats() == sdk.Stats()

    def test_a_program_on_its_way_out_starts_no_thread(
        self, observed: Door, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def start(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", start)
        assert ask("why") == "It depends."
        assert sdk.stats() == sdk.Stats(recorded=2, dropped=2)

    def test_the_end_comes_once(self, nowhere: str) -> None:
        bounds = Bounds(linger_s=0.02, exit_timeout_s=0.2)
        recorder = Recorder(lambda: Delivery(nowhere, "k", 1), bounds)
        for _ in range(3):
            recorder.put([b"{}"])
            began = time.monotonic()
            recorder._leave()
            assert time.monotonic() - began < 60
        told = recorder.stats()
        assert told.recorded == told.dropped + told.waiting == 3

    def test_an_observation_that_cannot_begin(self, observed: Door) -> None:
        assert observe(kind="mood")(lambda question: "because")("why") == "because"  # type: ignore[call-overload]
        assert sdk.stats().errors == 1

    def test_nothing_is_done_before_the_first_event(self) -> None:
        before = len(threads())
        sdk.configure(url="http://127.0.0.1:9", api_key="k")
        assert len(threads()) == before
        assert sdk.flush(0)
        assert sdk.stats() == sdk.Stats()

    def test_the_thread_does_not_hold_the_program(self, observed: Door) -> None:
        ask("why")
        assert threads()
        assert all(thread.daemon for thread in threads())

    def test_switched_off(self, observed: Door) -> None:
        sdk.configure(enabled=False)
        assert ask("why") == "It depends."
        observer = observe()
        with observer, observer as call:
            call.prompt("why")
            call.error(ValueError())
            assert sdk.current_call().session_id
        assert list(observe(lambda q: iter("ab"))("x")) == ["a", "b"]
        assert sdk.flush(0)
        assert sdk.stats() == sdk.Stats()

    def test_what_was_recorded_before_is_still_delivered(self, observed: Door) -> None:
        ask("why")
        sdk.configure(enabled=False)
        eventually(lambda: len(observed.stored) == 2)

    def test_a_call_that_outlives_its_configuration(self, observed: Door) -> None:
        with observe() as call:
            ask("how")
            call.prompt("why")
            sdk.configure(enabled=False)
        eventually(lambda: len(observed.stored) == 2)

    def test_a_retired_recorder_gives_up(self, nowhere: str) -> None:
        sdk.configure(url=nowhere, api_key="k", bounds=BOUNDS)
        ask("why")
        (thread,) = threads()[-1:]
        sdk.configure(enabled=False)
        thread.join(60)
        assert not thread.is_alive()


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of a host."""
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": str(SDK), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


HOST = """
import memgraph_sdk

@memgraph_sdk.observe
def ask(question):
    return "canary-4711 of the response"
"""


class TestPrograms:
    def test_the_end_of_a_program_delivers(self, door: Door) -> None:
        script = HOST + 'ask("canary-4711")'
        done = run(script, MEMGRAPH_URL=door.url, MEMGRAPH_API_KEY="mg_env")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert len(door.stored) == 2
        assert door.requests[0]["authorization"] == "Bearer mg_env"

    def test_an_unhandled_error_delivers_too(self, door: Door) -> None:
        script = HOST + 'ask("why"); raise SystemExit(3)'
        done = run(script, MEMGRAPH_URL=door.url, MEMGRAPH_API_KEY="k")
        assert done.returncode == 3
        assert len(door.stored) == 2

    def test_the_end_waits_for_a_bounded_time(self, nowhere: str) -> None:
        script = HOST + textwrap.dedent(
            f"""
            bounds = memgraph_sdk.Bounds(exit_timeout_s=0.5)
            memgraph_sdk.configure(url={nowhere!r}, api_key="k", bounds=bounds)
            ask("canary-4711")
            """
        )
        done = run(script)
        assert done.returncode == 0
        assert "canary" not in done.stderr
        assert "Traceback" not in done.stderr

    def test_without_configuration_nothing_happens(self) -> None:
        script = HOST + textwrap.dedent(
            """
            import threading
            ask("why")
            assert threading.active_count() == 1
            assert memgraph_sdk.stats() == memgraph_sdk.Stats()
            """
        )
        done = run(script, MEMGRAPH_URL="", MEMGRAPH_API_KEY="")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_forked_children_send_their_own(self, door: Door) -> None:
        script = HOST + textwrap.dedent(
            """
            import os, sys
            memgraph_sdk.flush(0)
            ask("of the parent")
            if (child := os.fork()) == 0:
                assert memgraph_sdk.stats() == memgraph_sdk.Stats()
                ask("of the child")
                assert memgraph_sdk.flush(60)
                assert memgraph_sdk.stats().stored == 2
                os._exit(7)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            ask("of the parent again")
            """
        )
        done = run(script, MEMGRAPH_URL=door.url, MEMGRAPH_API_KEY="k")
        assert done.returncode == 0, done.stderr
        texts = sorted(p["prompt"]["text"] for p in door.of("prompt"))
        assert texts == ["of the child", "of the parent", "of the parent again"]

    def test_processes_of_multiprocessing_deliver(self, observed: Door) -> None:
        ask("of the parent")
        process = multiprocessing.get_context("fork").Process(target=ask, args=("of the child",))
        process.start()
        process.join(60)
        assert process.exitcode == 0
        assert sdk.flush(60)
        texts = sorted(p["prompt"]["text"] for p in observed.of("prompt"))
        assert texts == ["of the child", "of the parent"]

    def test_a_program_that_is_killed_leaves_what_was_sent(self, door: Door) -> None:
        script = HOST + textwrap.dedent(
            """
            import os, signal
            ask("why")
            memgraph_sdk.flush(5)
            ask("how")
            os.kill(os.getpid(), signal.SIGKILL)
            """
        )
        done = run(script, MEMGRAPH_URL=door.url, MEMGRAPH_API_KEY="k")
        assert done.returncode == -signal.SIGKILL
        assert len(door.stored) == 2
