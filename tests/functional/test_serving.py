"""The service as `memgraph up` serves it: a server process with two workers, over sockets."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from benchmarks.service import UNLIMITED

UP_TIMEOUT_S = 400
MOST_WORKER_MB = 200
CLIENTS = 32


def memgraph(*arguments: object, data_dir: Path) -> Any:
    """What a command prints as JSON."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MEMGRAPH_")}
    ran = subprocess.run(
        [sys.executable, "-m", "memgraph", *map(str, arguments), "--json", "--data-dir", data_dir],
        capture_output=True,
        text=True,
        timeout=UP_TIMEOUT_S,
        # One machine stands for many callers: reads of a test must not meet the rate of one.
        env={**clean, "MEMGRAPH_API__WORKERS": "2", **UNLIMITED},
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@dataclass
class Stack:
    """A running stack and the key that was shown when it came to be."""

    data_dir: Path
    told: dict[str, Any]
    key: str

    @property
    def base(self) -> str:
        return str(self.told["rest"])

    def client(self, **more: Any) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx2.Client(base_url=self.base, headers=headers, timeout=60, **more)

    def workers(self) -> list[int]:
        """Process ids of the workers that live."""
        server = self.told["pids"]["rest"]
        found = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        return [int(pid) for pid in found if _state(int(pid)) not in "ZX"]

    def up(self, *arguments: object) -> None:
        self.told = memgraph("up", "--detach", *arguments, data_dir=self.data_dir)

    def down(self) -> None:
        memgraph("down", data_dir=self.data_dir)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    data_dir = tmp_path_factory.mktemp("serving")
    told = memgraph("up", "--detach", data_dir=data_dir)
    stack = Stack(data_dir, told, told["api_key"])
    yield stack
    stack.down()


@dataclass
class Load:
    """Clients that record prompts until told to stop, or until the service is gone."""

    stack: Stack
    acknowledged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._send, args=(n,)) for n in range(CLIENTS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Wait until so many more are acknowledged."""
        enough = len(self.acknowledged) + more
        give_up = time.monotonic() + 60
        while len(self.acknowledged) < enough and time.monotonic() < give_up:
            time.sleep(0.02)
        assert len(self.acknowledged) >= enough

    def _send(self, number: int) -> None:
        with self.stack.client() as client:
            sent = 0
            while not self.stopped.is_set():
                sent += 1
                id_ = f"{id(self)}-{number}-{sent}"
                body = {"id": id_, "prompt": {"text": "Where is it? " * 20}}
                try:
                    answer = client.post(f"/api/v1/sessions/s-{number}/prompts", json=body)
                except httpx2.HTTPError as error:
                    self.refused.append(type(error).__name__)
                    self.stopped.wait(0.05)
                    continue
                if answer.is_success:
                    self.acknowledged.append(id_)
                    continue
                self.refused.append(str(answer.status_code))
                self.stopped.wait(0.05)

    def lost(self) -> list[str]:
        """What was acknowledged and is not there."""
        with self.stack.client() as client:
            return [
                id_
                for id_ in self.acknowledged
                if client.get(f"/api/v1/prompts/{id_}").status_code != 200
            ]


def figures(client: httpx2.Client) -> dict[str, float]:
    text = client.get("/metrics").text
    found = re.findall(r"^(llm_memory_graph_.+) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def requests_of(operation: str, client: httpx2.Client) -> float:
    start = "llm_memory_graph_http_requests_total{"
    told = figures(client).items()
    return sum(v for n, v in told if n.startswith(start) and f'operation="{operation}"' in n)


def test_an_idle_worker_is_small(stack: Stack) -> None:
    # The first of these tests: with its first text a worker loads what tells languages apart.
    give_up = time.monotonic() + 60
    while len(stack.workers()) < 2 and time.monotonic() < give_up:
        time.sleep(0.1)
    sizes = [_resident_mb(pid) for pid in stack.workers()]
    print(f"resident memory of workers: {', '.join(f'{s:.0f} MB' for s in sizes)}")
    assert len(sizes) == 2
    assert max(sizes) < MOST_WORKER_MB


def test_the_key_is_shown_once_and_kept_nowhere(stack: Stack) -> None:
    assert stack.key.startswith("mg_")
    again = memgraph("up", "--detach", data_dir=stack.data_dir)
    assert "api_key" not in again
    assert again["rest"] == stack.base
    secret = stack.key.rpartition(".")[2].encode()
    kept = [p for p in stack.data_dir.rglob("*") if p.is_file() and secret in p.read_bytes()]
    assert kept == []


def test_status_says_where_everything_is(stack: Stack) -> None:
    told = memgraph("status", data_dir=stack.data_dir)
    assert told["docs"] == f"{told['rest']}/docs"
    assert set(told["pids"]) == {"supervisor", "neo4j", "redis", "rest", "relay", "embedder"}
    with stack.client() as client:
        assert client.get("/healthz/ready").json() == {"status": "ok"}
        assert httpx2.get(f"{stack.base}/api/v1/sessions/none").status_code == 401


def test_prompts_get_vectors_without_another_command(stack: Stack) -> None:
    embedder = memgraph("status", data_dir=stack.data_dir)["pids"]["embedder"]
    print(f"resident memory of the embedder: {_resident_mb(embedder):.0f} MB before its first text")
    asked = {"id": "p-vector", "prompt": {"text": "Where does my parcel wait?"}}
    with stack.client() as client:
        assert client.post("/api/v1/sessions/s-vector/prompts", json=asked).is_success
        give_up = time.monotonic() + 60
        while "embedding_model" not in client.get("/api/v1/prompts/p-vector").json():
            log = stack.data_dir / "embedder" / "embedder.log"
            assert time.monotonic() < give_up, log.read_text()
            time.sleep(0.1)
    print(f"and {_resident_mb(embedder):.0f} MB after it")


@pytest.mark.parametrize(
    "id_", ["a/b", "ünï 👩‍👩‍👧", "x?y#z", "a%2Fb", "a//b", "a/", "%", "a@b;c+d"]
)
def test_ids_of_callers_come_back(stack: Stack, id_: str) -> None:
    with stack.client() as client:
        body = {"id": id_, "prompt": {"text": "x"}, "timestamp": "2026-01-01T00:00:00Z"}
        assert client.post("/api/v1/sessions/s/prompts", json=body).is_success
        read = client.get(f"/api/v1/prompts/{quote(id_, safe='')}")
        assert (read.status_code, read.json()["prompt_id"]) == (200, id_)


@pytest.mark.parametrize("path", ["a%00b", "%00", "%FF", "%C3%28", "%ED%A0%80"])
def test_odd_bytes_in_a_path_are_no_fault_of_ours(stack: Stack, path: str) -> None:
    address = httpx2.URL(stack.base)
    with socket.create_connection((address.host, address.port or 80)) as connection:
        connection.sendall(
            f"GET /api/v1/prompts/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
            f"Authorization: Bearer {stack.key}\r\n\r\n".encode()
        )
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.split()[1] in (b"400", b"404", b"422")
    assert b"application/problem+json" in answer


class TestDocs:
    def test_the_page_needs_nothing_from_elsewhere(self, stack: Stack) -> None:
        with stack.client() as client:
            page = client.get("/docs").text
            named = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
            assert len(named) >= 4
            for address in named:
                assert address.startswith("/"), address
                assert client.get(address).status_code == 200

    def test_every_example_is_accepted_when_pasted(self, stack: Stack) -> None:
        with stack.client() as client:
            document = client.get("/openapi.json").json()
            tried = 0
            for path, operations in document["paths"].items():
                content = operations.get("post", {}).get("requestBody", {}).get("content", {})
                example = content.get("application/json", {}).get("example")
                if example is None or "{" in path:
                    continue
                tried += 1
                answer = client.post(path, json=example)
                assert answer.status_code in (200, 201, 404), (path, answer.text)
            assert tried >= 2


def test_figures_are_those_of_all_workers(stack: Stack) -> None:
    asked = 40
    with stack.client() as client:
        before = requests_of("read_liveness", client)
    for _ in range(asked):  # each on a connection of its own, so that both workers get some
        assert httpx2.get(f"{stack.base}/healthz/live").status_code == 200
    with stack.client() as client:
        seen = {requests_of("read_liveness", client) - before for _ in range(8)}
    assert seen == {asked}


def _state(pid: int) -> str:
    """One letter of proc(5), X for a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "X"


def _resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024


def test_a_killed_worker_loses_nothing_that_was_acknowledged(stack: Stack) -> None:
    with Load(stack) as load:
        load.wait_for(50)
        os.kill(stack.workers()[0], signal.SIGKILL)
        load.wait_for(50)
        give_up = time.monotonic() + 60
        while len(stack.workers()) < 2:
            assert time.monotonic() < give_up, "no other worker came"
            time.sleep(0.1)
        load.wait_for(50)
    assert load.lost() == []
    # The gauges of the worker that is gone are gone with it, and those of the new one are
    # there although it may not have had a request.
    give_up = time.monotonic() + 60
    with stack.client() as client:
        while (told := figures(client)["llm_memory_graph_permits_limit"]) != 2 * 100:
            assert time.monotonic() < give_up, told
            time.sleep(0.1)
        assert client.get("/healthz/ready").status_code == 200


def test_down_under_load_loses_nothing_and_up_is_quick(stack: Stack) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with Load(stack) as load:
            load.wait_for(100)
            stack.down()
            load.stopped.set()
        began = time.monotonic()
        stack.up("--port", taken.getsockname()[1])
        print(
            f"memgraph up, warm, with {len(load.acknowledged)} prompts: "
            f"{time.monotonic() - began:.1f} s"
        )
        assert not stack.base.endswith(f":{taken.getsockname()[1]}")
    assert load.lost() == []
    # What was not acknowledged was not begun, or its connection was never made.
    refusals = {"ConnectError", "RemoteProtocolError", "ReadError", "503"}
    assert set(load.refused) <= refusals
    log = (stack.data_dir / "rest" / "rest.log.1").read_text()
    assert "failed" not in {json.loads(line)["event"] for line in log.splitlines()}


def test_no_log_holds_what_was_sent(stack: Stack) -> None:
    canary = "zwitscher-canary"
    with stack.client() as client:
        client.post(f"/api/v1/sessions/{canary}/prompts", json={"prompt": {"text": canary}})
        client.get(f"/api/v1/{canary}?x={canary}")
        assert canary not in client.get("/metrics").text
    for log in [stack.data_dir / "supervisor.log", *(stack.data_dir / "rest").glob("*.log*")]:
        assert canary not in log.read_text()
        assert stack.key not in log.read_text()
