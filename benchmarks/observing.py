"""What `@observe` takes of the host's thread: ``PYTHONPATH=sdk python -m benchmarks.observing``.

Each call records a prompt and a response, or a tool invocation, and a server process of its own
takes what comes in, so that the sending thread is at work as well. Needs no Neo4j.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from statistics import median, quantiles

import memgraph_sdk as sdk

QUESTION = "Where is my parcel? " * 10
ANSWER = "It arrives on Monday. " * 10
ROUNDS = 5


class _Door(BaseHTTPRequestHandler):
    """Takes every body; reading them is not what is measured."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _serve(told: Connection) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Door)
    told.send(server.server_port)
    server.serve_forever()


def _answer(question: str) -> str:
    return ANSWER


@sdk.observe(model="auster-mini")
def _observed(question: str) -> str:
    return ANSWER


@sdk.observe(kind="tool")
def _tool(question: str) -> str:
    return ANSWER


def _block(question: str) -> str:
    with sdk.observe(session="s", model="auster-mini") as call:
        call.prompt(question)
        call.response(ANSWER)
        call.tokens(50, 50)
    return ANSWER


CALLS: dict[str, Callable[[str], str]] = {"function": _observed, "block": _block, "tool": _tool}


def microseconds(function: Callable[[str], str], calls: int) -> list[float]:
    """Time of each call, µs."""
    took = []
    for _ in range(calls):
        began = time.perf_counter_ns()
        function(QUESTION)
        took.append((time.perf_counter_ns() - began) / 1_000)
    return took


def _row(name: str, function: Callable[[str], str], calls: int) -> dict[str, float | str]:
    rounds = []
    for _ in range(ROUNDS):
        rounds.append(microseconds(function, calls))
        # What waits is no part of the next round, and the queue is never full.
        sdk.flush(30)
    cuts = [quantiles(took, n=100) for took in rounds]
    return {
        "what": name,
        "p50_us": round(median(cut[49] for cut in cuts), 1),
        "p95_us": round(median(cut[94] for cut in cuts), 1),
        "p99_us": round(median(cut[98] for cut in cuts), 1),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000, help="of a round")
    calls = parser.parse_args().calls
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    sdk.configure(enabled=False)
    rows = [_row("not observed", _answer, calls)]
    rows += [_row(f"{name}, switched off", call, calls) for name, call in CALLS.items()]
    sdk.configure(url=url, api_key="mg_bench")
    rows += [_row(name, call, calls) for name, call in CALLS.items()]
    rows.append(_row("function, no content", sdk.observe(capture_content=False)(_answer), calls))
    told = sdk.stats()
    server.terminate()
    facts = {"python": platform.python_version(), "calls": calls, "rounds": ROUNDS}
    print(json.dumps({**facts, "rows": rows, "dropped": told.dropped}, indent=1))
    return int(told.dropped + told.errors > 0)


if __name__ == "__main__":
    sys.exit(main())
