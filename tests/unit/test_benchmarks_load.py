"""The load script: what it sends, how it counts, what it calls a fault."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice, repeat

import pytest

from benchmarks.clients import Answer, Clients, Request, Target
from benchmarks.load import Level, Report, percentiles, render
from benchmarks.mix import WEIGHTS, Mix

TARGET = Target("http://127.0.0.1:1", "mg_secret")
LEVEL = Level("4 clients", 120.0, 10.0, 20.0, 30.0, {})
GOOD = Report(
    levels=[LEVEL],
    spike=replace(LEVEL, what="spike", errors={"429": 900}),
    offered_per_s=1_200.0,
    sent_per_s=1_190.0,
    refused_p95_ms=40.0,
    recovery_s=2.0,
    acknowledged=500,
    unsure=3,
    lost=0,
)


def answer(request: Request, status: int, ms: float = 1.0) -> Answer:
    return Answer(request, status, ms)


class TestMix:
    def test_the_same_seed_sends_the_same(self) -> None:
        def sent(seed: int) -> list[bytes]:
            return [r.data for r in islice(Mix(TARGET, seed, "run").source(), 50)]

        assert sent(7) == sent(7)
        assert sent(7) != sent(8)

    def test_clients_of_a_mix_never_share_an_id(self) -> None:
        mix = Mix(TARGET, 7, "run")
        ids = [r.about for _ in range(3) for r in islice(mix.source(), 100) if r.about]
        assert len(ids) == len(set(ids)) > 100

    def test_shares_are_those_declared(self) -> None:
        mix = Mix(TARGET, 7, "run")
        names: Counter[str] = Counter()
        for request in islice(mix.source(), 4_000):
            mix.note(answer(request, 201))
            names[request.name] += 1
        assert set(names) == set(WEIGHTS)
        for name, weight in WEIGHTS.items():
            assert names[name] / 4_000 == pytest.approx(weight / 100, abs=0.03)

    def test_reads_ask_only_for_what_was_acknowledged(self) -> None:
        mix = Mix(TARGET, 7, "run")
        source = mix.source()
        assert {r.name for r in islice(source, 100)} <= {"write a prompt", "query prompts"}
        mix.note(answer(Request("write a prompt", b"", "prompt run-0-p1"), 201))
        mix.note(answer(Request("write a prompt", b"", "prompt run-0-p2"), 429))
        reads = [r for r in islice(source, 200) if r.name == "read a prompt"]
        assert reads
        assert all(b"GET /api/v1/prompts/run-0-p1 " in r.data for r in reads)

    def test_writes_without_an_answer_are_unsure_and_refused_ones_are_not(self) -> None:
        mix = Mix(TARGET, 7, "run")
        for status in (0, 503, 429, 500):
            mix.note(answer(Request("write a prompt", b"", f"prompt p{status}"), status))
        assert mix.unsure == 2
        assert not mix.acknowledged["prompt"]


class TestFigures:
    def test_times_are_those_of_what_succeeded(self) -> None:
        request = Request("read", b"")
        answers = [answer(request, 200, float(ms)) for ms in range(1, 101)]
        answers += [answer(request, 429, 9_000.0)] * 7 + [answer(request, 0, 9_000.0)]
        level = Level.of("4 clients", answers, 10.0)
        assert level.per_s == 10.0
        assert (round(level.p50_ms), round(level.p95_ms), round(level.p99_ms)) == (50, 95, 99)
        assert level.errors == {"0": 1, "429": 7}

    @pytest.mark.parametrize("values", [[], [3.0]])
    def test_too_few_say_nothing(self, values: list[float]) -> None:
        assert percentiles(values) == (0.0, 0.0, 0.0)

    def test_a_good_run_has_no_faults(self) -> None:
        assert GOOD.faults == []
        assert render(GOOD).splitlines()[-1] == "as it should be"

    @pytest.mark.parametrize(
        ("changes", "fault"),
        [
            ({"levels": [replace(LEVEL, errors={"500": 1})]}, "errors under load: 500"),
            ({"spike": replace(LEVEL, errors={"0": 4, "429": 1})}, "errors in the spike: 0"),
            ({"spike": LEVEL}, "the spike was not refused"),
            ({"refused_p95_ms": 7_000.0}, "refusals take 7,000 ms"),
            ({"recovery_s": None}, "no recovery within 60 s"),
            ({"lost": 2}, "2 acknowledged writes are lost"),
        ],
    )
    def test_every_fault_is_said(self, changes: dict[str, object], fault: str) -> None:
        report = replace(GOOD, **changes)  # type: ignore[arg-type]
        assert report.faults == [fault]
        assert render(report).endswith(fault)

    def test_the_table_lines_up_and_never_shows_the_key(self) -> None:
        lines = render(GOOD).splitlines()
        assert lines[2].startswith("spike")
        assert lines[0].index("errors") == lines[2].index("429: 900")
        assert "mg_secret" not in repr(TARGET)


class _Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/breaks":
            self.close_connection = True
            return
        self.send_response(429 if self.path in ("/refuses", "/later") else 200)
        if self.path == "/later":
            self.send_header("Retry-After", "1")
        body = b"x" * 100_000 if self.path == "/long" else b"{}"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def target() -> Iterator[Target]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Service) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield Target(f"http://127.0.0.1:{server.server_address[1]}", "mg_secret")
        server.shutdown()
        thread.join()


class TestClients:
    def test_each_source_is_asked_until_it_ends(self, target: Target) -> None:
        seen: list[Answer] = []
        with Clients(target, seen.append) as clients:
            source = [target.request("GET", path) for path in ("/one", "/refuses", "/long")]
            answers = clients.run([iter(source), iter(source)], 60.0)
        assert sorted(a.status for a in answers) == [200, 200, 200, 200, 429, 429]
        assert answers == seen
        assert all(a.head.startswith(b"HTTP/1.1 ") for a in answers)

    def test_a_client_rests_as_long_as_it_is_told(self, target: Target) -> None:
        at: list[float] = []
        with Clients(target, lambda _: at.append(time.perf_counter())) as clients:
            source = [target.request("GET", path) for path in ("/later", "/one", "/one")]
            answers = clients.run([iter(source)], 60.0)
        assert [a.status for a in answers] == [429, 200, 200]
        # Not before; how much later is the machine's affair.
        assert at[1] - at[0] >= 0.99

    def test_bodies_longer_than_a_socket_takes_arrive(self, target: Target) -> None:
        with Clients(target) as clients:
            request = target.request("POST", "/", {"text": "x" * 8_000_000})
            [got] = clients.run([iter([request])], 60.0)
        assert got.status == 201

    def test_a_broken_connection_is_no_answer_and_the_next_one_connects(
        self, target: Target
    ) -> None:
        with Clients(target) as clients:
            source = [target.request("GET", path) for path in ("/one", "/breaks", "/one")]
            answers = clients.run([iter(source)], 60.0)
        assert [a.status for a in answers] == [200, 0, 200]

    def test_a_rate_is_offered_whatever_the_answers(self, target: Target) -> None:
        with Clients(target) as clients:
            answers = clients.offer(repeat(target.request("GET", "/one")), 50.0, 3.0, 8)
        assert 60 <= len(answers) <= 151
        assert all(a.ms >= a.sent_ms for a in answers)

    def test_nobody_there_is_no_answer(self) -> None:
        with Clients(TARGET) as clients:
            [got] = clients.run([iter([TARGET.request("GET", "/")])], 60.0)
        assert got.status == 0
