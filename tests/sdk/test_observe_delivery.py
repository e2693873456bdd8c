"""How observations come to the service: in the background, bounded, each once."""

from __future__ import annotations

import logging
import socket
import threading
import time
from email.utils import formatdate

import memgraph_sdk as sdk
import orjson
import pytest
from memgraph_sdk import Bounds, observe
from memgraph_sdk.encoding import repaired
from memgraph_sdk.ids import new_id

from tests.sdk.conftest import BOUNDS
from tests.sdk.door import Door, Reply, opened
from tests.sdk.observing import ask, eventually


def refused(status: int, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return status, named, {"status": status, "code": "some_code", "detail": "In words."}


class TestRequests:
    def test_who_sends_and_how(self, door: Door) -> None:
        sdk.configure(url=door.url, api_key="mg_key", bounds=Bounds(linger_s=60))
        for _ in range(20):
            ask("why")
        assert sdk.flush(60)
        (request,) = door.requests
        assert request["path"] == "/api/v1/events"
        assert request["authorization"] == "Bearer mg_key"
        assert request["content-encoding"] == "gzip"
        assert sdk.stats() == sdk.Stats(recorded=40, stored=40)

    def test_batches_are_bounded(self, door: Door) -> None:
        bounds = Bounds(linger_s=60, batch_events=6, batch_bytes=10_000)
        sdk.configure(url=door.url, api_key="k", bounds=bounds)
        for _ in range(20):
            ask("why")
        ask("x" * 8_000)
        ask("x" * 20_000)
        assert sdk.flush(60)
        counts = [len(orjson.loads(body)) for body in door.bodies]
        assert sum(counts) == 44
        assert max(counts) == 6
        assert all(len(b) < 10_100 or len(orjson.loads(b)) == 1 for b in door.bodies)

    def test_a_body_that_is_too_large_is_halved(self, observed: Door) -> None:
        observed.largest = 3
        for _ in range(5):
            ask("why")
        assert sdk.flush(60)
        assert sdk.stats().stored == len(observed.stored) == 10

    def test_events_wait_for_company(self, door: Door) -> None:
        sdk.configure(url=door.url, api_key="k", bounds=Bounds(linger_s=60))
        ask("why")
        time.sleep(0.05)
        assert sdk.stats().waiting == 2
        ask("how")
        assert sdk.flush(60)
        assert sdk.stats().stored == 4
        assert len(door.requests) == 1

    def test_events_wait_for_company_no_longer_than_allowed(self, observed: Door) -> None:
        ask("why")
        eventually(lambda: sdk.stats().stored == 2)

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
        assert sdk.flush(60)
        first, second = observed.bodies
        assert first == second
        assert sdk.stats() == sdk.Stats(recorded=2, stored=2)

    def test_an_answer_that_is_lost(self, observed: Door) -> None:
        observed.replies = [None]
        ask("why")
        assert sdk.flush(60)
        assert sdk.stats() == sdk.Stats(recorded=2, duplicate=2)
        assert len(observed.stored) == 2

    def test_the_wait_that_is_asked_for(self, observed: Door) -> None:
        observed.replies = [refused(429, Retry_After="1")]
        began = time.monotonic()
        ask("why")
        assert not sdk.flush(0.1)
        assert sdk.flush(60)
        assert time.monotonic() - began >= 1

    def test_a_time_that_has_passed(self, observed: Door) -> None:
        observed.replies = [refused(503, Retry_After=formatdate(0, usegmt=True))]
        ask("why")
        assert sdk.flush(60)
        assert sdk.stats().stored == 2

    def test_refusals_of_one_event(self, observed: Door) -> None:
        with observe(session="s", classification="secret") as call:
            call.prompt("why")
            call.response("because")
        ask("why")
        assert sdk.flush(60)
        assert sdk.stats() == sdk.Stats(recorded=4, stored=2, rejected=2)

    @pytest.mark.parametrize("status", [400, 401, 403, 404])
    def test_a_refusal_for_good(
        self, observed: Door, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        observed.replies = [refused(status)] * 2
        for _ in range(2):
            ask("why")
            assert sdk.flush(60)
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
            assert sdk.flush(60)
        assert sdk.stats() == sdk.Stats(recorded=4, stored=1, failed=3)

    def test_an_address_that_is_none(self, caplog: pytest.LogCaptureFixture) -> None:
        sdk.configure(url="no://where", api_key="mg_secret", bounds=BOUNDS)
        ask("why")
        assert sdk.flush(60)
        assert (sdk.stats().failed, sdk.stats().errors) == (2, 1)
        assert "mg_secret" not in caplog.text


class TestBounds:
    def test_a_server_that_is_away(self, nowhere: str, caplog: pytest.LogCaptureFixture) -> None:
        sdk.configure(url=nowhere, api_key="k", bounds=BOUNDS)
        for _ in range(100):
            ask("why")
        eventually(lambda: caplog.records)
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
            assert sdk.flush(60)
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
        door.is_open.clear()
        bounds = Bounds(linger_s=0.01, queue_events=4, batch_events=2)
        sdk.configure(url=door.url, api_key="k", bounds=bounds)
        ask("first")
        assert door.asked.wait(60)
        for n in range(5):
            ask(str(n))
        door.is_open.set()
        assert sdk.flush(60)
        assert [p["prompt"]["text"] for p in door.of("prompt")] == ["first", "4"]

    def test_bytes_are_bounded(self, nowhere: str) -> None:
        sdk.configure(url=nowhere, api_key="k", bounds=Bounds(linger_s=5, queue_bytes=50_000))
        for _ in range(20):
            ask("x" * 10_000)
        assert sdk.stats().dropped >= 30
        ask("x" * 60_000)
        assert sdk.stats().waiting <= 1

    def test_a_slow_server_does_not_slow_the_host(self, observed: Door) -> None:
        observed.is_open.clear()
        ask("first")
        assert observed.asked.wait(60)
        for _ in range(100):
            ask("why")
        assert sdk.stats().waiting == 202
        observed.is_open.set()
        assert sdk.flush(60)
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
        assert sdk.flush(60)
        assert sdk.stats().stored == len(observed.stored) == 800
