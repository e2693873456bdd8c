"""How observations come to the service: in the background, bounded, each once."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import memgraph_sdk as sdk
import orjson
import pytest
from memgraph_sdk import Bounds, observe, observing
from memgraph_sdk.delivery import Delivery
from memgraph_sdk.encoding import repaired
from memgraph_sdk.ids import new_id
from memgraph_sdk.recorder import THREAD_NAME, Recorder

from tests.sdk.conftest import BOUNDS
from tests.sdk.door import Door, Reply, opened

SDK = Path(__file__).parents[2] / "sdk"


@observe
def ask(question: str) -> str:
    """Answer nothing in particular."""
    return "It depends."


def refused(status: int, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, {"status": status, "code": "some_code", "detail": "In words."}


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == THREAD_NAME]


@pytest.fixture
def nowhere() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
    sdk.configure(enabled=False)


class TestRequests:
    def test_who_sends_and_how(self, observed: Door) -> None:
        for _ in range(20):
            ask("why")
        assert sdk.flush(5)
        (request,) = observed.requests
        assert request["path"] == "/api/v1/events"
        assert request["authorization"] == "Bearer mg_key"
        assert request["content-encoding"] == "gzip"
        assert sdk.stats() == sdk.Stats(recorded=40, stored=40)

    def test_batches_are_bounded(self, door: Door) -> None:
        bounds = Bounds(linger_s=0.02, batch_events=6, batch_bytes=10_000)
        sdk.configure(url=door.url, api_key="k", bounds=bounds)
        for _ in range(20):
            ask("why")
        ask("x" * 8_000)
        ask("x" * 20_000)
        assert sdk.flush(5)
        counts = [len(orjson.loads(body)) for body in door.bodies]
        assert sum(counts) == 44
        assert max(counts) == 6
        assert all(len(b) < 10_100 or len(orjson.loads(b)) == 1 for b in door.bodies)

    def test_a_body_that_is_too_large_is_halved(self, observed: Door) -> None:
        observed.largest = 3
        for _ in range(5):
            ask("why")
        assert sdk.flush(5)
        assert sdk.stats().stored == len(observed.stored) == 10

    def test_events_wait_for_company(self, door: Door) -> None:
        sdk.configure(url=door.url, api_key="k", bounds=Bounds(linger_s=0.2))
        ask("why")
        time.sleep(0.05)
        assert sdk.stats().waiting == 2
        ask("how")
        eventually(lambda: sdk.stats().stored == 4)
        assert len(door.requests) == 1

    def test_ids_sort_by_time(self) -> None:
        first = new_id()
        time.sleep(0.002)
        assert first < new_id()
        assert len(first) == 36
        assert first[14] == "7"

    def test_only_what_needs_it_is_repaired(self) -> None:
        fine = orjson.dumps({"text": "fine [as] {it} is"})
        assert repaired(fine) is fine
        assert repaired(b'{"text":"\\\\u0000"}') == b'{"text":"\\\\u0000"}'
        assert repaired(b'{"a\\u0000":["\\u0000",18446744073709551616,true]}') == orjson.dumps(
            {"a\ufffd": ["\ufffd", "18446744073709551616", True]}
        )


class TestRetries:
    @pytest.mark.parametrize("status", [429, 500, 502, 503])
    def test_what_may_pass_is_sent_again(self, observed: Door, status: int) -> None:
        observed.replies = [refused(status, Retry_After="0")]
        ask("why")
        assert sdk.flush(5)
        first, second = observed.bodies
        assert first == second
        assert sdk.stats() == sdk.Stats(recorded=2, stored=2)

    def test_an_answer_that_is_lost(self, observed: Door) -> None:
        observed.replies = [None]
        ask("why")
        assert sdk.flush(5)
        assert sdk.stats() == sdk.Stats(recorded=2, duplicate=2)
        assert len(observed.stored) == 2

    def test_the_wait_that_is_asked_for(self, observed: Door) -> None:
        observed.replies = [refused(429, Retry_After="1")]
        began = time.monotonic()
        ask("why")
        assert not sdk.flush(0.5)
        assert sdk.flush(5)
        assert time.monotonic() - began >= 1

    def test_a_time_that_has_passed(self, observed: Door) -> None:
        observed.replies = [refused(503, Retry_After=formatdate(0, usegmt=True))]
        ask("why")
        assert sdk.flush(5)
        assert sdk.stats().stored == 2

    def test_refusals_of_one_event(self, observed: Door) -> None:
        with observe(session="s", classification="secret") as call:
            call.prompt("why")
            call.response("because")
        ask("why")
        assert sdk.flush(5)
        assert sdk.stats() == sdk.Stats(recorded=4, stored=2, rejected=2)

    @pytest.mark.parametrize("status", [400, 401, 403, 404])
    def test_a_refusal_for_good(
        self, observed: Door, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        observed.replies = [refused(status)] * 2
        for _ in range(2):
            ask("why")
            assert sdk.flush(5)
        assert sdk.stats() == sdk.Stats(recorded=4, failed=4)
        (record,) = caplog.records
        assert record.levelno == logging.WARNING

    def test_an_inner_error_that_does_not_pass(self, observed: Door) -> None:
        observed.replies = [refused(500)] * 5
        ask("why")
        # Whoever flushes does not wait for the next attempt.
        eventually(lambda: sdk.flush(0.05))
        assert observed.replies == []
        assert sdk.stats() == sdk.Stats(recorded=2, failed=2)

    def test_an_answer_of_something_else(self, observed: Door) -> None:
        observed.replies = [(200, {}, {"stored": 1}), (200, {}, {"stored": "many"})]
        for _ in range(2):
            ask("why")
            assert sdk.flush(5)
        assert sdk.stats() == sdk.Stats(recorded=4, stored=1, failed=3)

    def test_an_address_that_is_none(self, caplog: pytest.LogCaptureFixture) -> None:
        sdk.configure(url="no://where", api_key="mg_secret", bounds=BOUNDS)
        ask("why")
        assert sdk.flush(5)
        assert (sdk.stats().failed, sdk.stats().errors) == (2, 1)
        assert "mg_secret" not in caplog.text


class TestBounds:
    def test_a_server_that_is_away(self, nowhere: str, caplog: pytest.LogCaptureFixture) -> None:
        sdk.configure(url=nowhere, api_key="k", bounds=BOUNDS)
        began = time.monotonic()
        for _ in range(100):
            ask("why")
        assert time.monotonic() - began < 1
        assert not sdk.flush(0.2)
        assert sdk.stats() == sdk.Stats(recorded=200, waiting=200)
        (record,) = caplog.records
        assert record.message == "events cannot be delivered yet: Unavailable"

    def test_it_goes_on_when_the_server_is_back(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        sdk.configure(url=f"http://127.0.0.1:{port}", api_key="k", bounds=BOUNDS)
        ask("why")
        assert not sdk.flush(0.1)
        with opened(Door(), port) as door:
            assert sdk.flush(5)
            assert len(door.stored) == 2

    def test_a_full_queue_drops_the_oldest(
        self, nowhere: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        bounds = Bounds(linger_s=0.01, queue_events=10, batch_events=2)
        sdk.configure(url=nowhere, api_key="k", bounds=bounds)
        for n in range(50):
            ask(f"canary {n}")
        told = sdk.stats()
        assert (told.recorded, told.waiting, told.dropped) == (100, 10, 90)
        assert "events are dropped: the queue is full" in caplog.text
        assert "canary" not in caplog.text

    def test_the_newest_are_kept(self, door: Door) -> None:
        door.delay_s = 0.3
        bounds = Bounds(linger_s=0.01, queue_events=4, batch_events=2)
        sdk.configure(url=door.url, api_key="k", bounds=bounds)
        ask("first")
        eventually(lambda: sdk.stats().waiting == 2)
        time.sleep(0.1)
        for n in range(5):
            ask(str(n))
        assert sdk.flush(5)
        assert [p["prompt"]["text"] for p in door.of("prompt")] == ["first", "4"]

    def test_bytes_are_bounded(self, nowhere: str) -> None:
        sdk.configure(url=nowhere, api_key="k", bounds=Bounds(linger_s=5, queue_bytes=50_000))
        for _ in range(20):
            ask("x" * 10_000)
        assert sdk.stats().dropped >= 30
        ask("x" * 60_000)
        assert sdk.stats().waiting <= 1

    def test_a_slow_server_does_not_slow_the_host(self, observed: Door) -> None:
        observed.delay_s = 0.3
        ask("first")
        time.sleep(0.05)
        began = time.monotonic()
        for _ in range(100):
            ask("why")
        assert time.monotonic() - began < 0.25
        assert sdk.flush(5)
        assert sdk.stats().stored == 202

    def test_many_threads(self, observed: Door) -> None:
        def work() -> None:
            for _ in range(50):
                ask("why")

        workers = [threading.Thread(target=work) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert sdk.flush(10)
        assert sdk.stats().stored == len(observed.stored) == 800


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
        assert sdk.flush(5)
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
            assert time.monotonic() - began < 1
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
        thread.join(5)
        assert not thread.is_alive()


def run(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program of a host."""
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script],
        env={**os.environ, "PYTHONPATH": str(SDK), **environment},
        capture_output=True,
        text=True,
        timeout=30,
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
        began = time.monotonic()
        done = run(script)
        assert time.monotonic() - began < 10
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
                assert memgraph_sdk.flush(5)
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
        process.join(10)
        assert process.exitcode == 0
        assert sdk.flush(5)
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
