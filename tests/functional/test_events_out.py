"""Events out with real processes: a served API, relays that are killed, listeners."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import orjson
import pytest
from click.testing import CliRunner

from memgraph.adapters.feed import BEGINNING, RedisFeed
from memgraph.adapters.outlets import open_sinks
from memgraph.adapters.redis_link import RedisLink
from memgraph.bootstrap import build
from memgraph.cli import cli
from memgraph.domain.access import Role
from memgraph.domain.errors import StackError
from memgraph.domain.events import read_event
from memgraph.graph.outbox import Outbox
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.local.state import StackConfig
from memgraph.local.supervisor import services_of
from memgraph.services.ingest.graph_rows import to_mutation
from memgraph.settings import Neo4jSettings, Settings
from tests.support.events import at, event
from tests.support.redis_server import redis_for_tests

READY_S = 60.0


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_for_tests(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="module")
def environment(server: Neo4jSettings, redis_url: str) -> dict[str, str]:
    """Of the processes: the servers of the tests, little memory of their own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MEMGRAPH_")}
    return {
        **clean,
        "MEMGRAPH_NEO4J__URI": server.uri,
        "MEMGRAPH_NEO4J__USER": server.user,
        "MEMGRAPH_NEO4J__PASSWORD": server.password.get_secret_value(),
        "MEMGRAPH_REDIS__URL": redis_url,
        # Streams are counted per worker: with two of them it is chance which one says no.
        "MEMGRAPH_API__WORKERS": "1",
        "MEMGRAPH_API__EVENT_STREAMS": "3",
        "MEMGRAPH_OUTBOX__ENTRIES": "5",
        "MEMGRAPH_OUTBOX__POLL_S": "0.05",
    }


@dataclass(frozen=True)
class Served:
    base: str
    process: subprocess.Popen[bytes]


@pytest.fixture
def served(graph: Graph, environment: dict[str, str], tmp_path: Path) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (tmp_path / "rest.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "memgraph.wsgi"],
            env={**environment, "MEMGRAPH_API__PORT": str(port)},
            stdout=log,
            stderr=log,
        )
    base = f"http://127.0.0.1:{port}"
    give_up = time.monotonic() + READY_S
    while not _is_ready(base):
        assert time.monotonic() < give_up, (tmp_path / "rest.log").read_text()
        assert process.poll() is None, (tmp_path / "rest.log").read_text()
        time.sleep(0.1)
    yield Served(base, process)
    process.terminate()
    process.wait(READY_S)


def _is_ready(base: str) -> bool:
    try:
        return httpx2.get(f"{base}/healthz/ready", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False


@contextmanager
def relay(environment: dict[str, str], tenant: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "memgraph", "relay", "--tenant", tenant], env=environment
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(READY_S)


@pytest.fixture
def key(environment: dict[str, str], server: Neo4jSettings, tenant: str, redis_url: str) -> str:
    with build(Settings(neo4j=server)) as app:
        _, key = app.services.access.create_key(tenant, name="t", roles=[Role.ADMIN])
        return key


def write(writer: Writer, tenant: str, *ids: str) -> None:
    events = [
        event(event_id=i, timestamp=at(n), prompt={"text": "hi"}, session={"id": "s"})
        for n, i in enumerate(ids)
    ]
    writer.write(tenant, [to_mutation(read_event(e), e) for e in events])


def write_pairs(writer: Writer, tenant: str, ids: list[str]) -> None:
    for first in range(0, len(ids), 2):
        write(writer, tenant, *ids[first : first + 2])


def listen(client: httpx2.Client, count: int, **more: str) -> tuple[list[str], str]:
    """The ids of so many nodes as they are told of, and the last place."""
    found: list[str] = []
    place = ""
    with client.stream("GET", "/api/v1/events/stream", params=more) as answer:
        assert answer.status_code == 200
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                place = value
            elif name == "data":
                found.append(orjson.loads(value)["node_id"])
                if len(found) == count:
                    break
    return found, place


def test_a_listener_hears_what_is_written_and_comes_back(
    served: Served, environment: dict[str, str], writer: Writer, tenant: str, key: str
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    with (
        relay(environment, tenant),
        httpx2.Client(base_url=served.base, headers=headers, timeout=READY_S) as client,
    ):
        write(writer, tenant, "p0", "p1")
        found, place = listen(client, 2, after="0-0")
        assert found == ["p0", "p1"]
        write(writer, tenant, "p2")
        write(writer, tenant, "p3")
        found, _ = listen(client, 2, after=place)
        assert found == ["p2", "p3"]


def test_streams_leave_the_threads_to_others_and_end_with_the_service(
    served: Served, tenant: str, key: str
) -> None:
    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=served.base, headers=headers, timeout=READY_S) as client:
        path = "/api/v1/events/stream"
        open_ = [client.send(client.build_request("GET", path), stream=True) for _ in range(3)]
        assert {answer.status_code for answer in open_} == {200}
        assert client.get(path).status_code == 503
        assert client.get("/api/v1/sessions").status_code == 200
        served.process.send_signal(signal.SIGTERM)
        for answer in open_:
            # To its end: no line that is cut off, no broken connection.
            assert b"".join(answer.iter_bytes()).startswith(b"retry: ")
        assert served.process.wait(60) == 0


def test_relays_that_are_killed_lose_nothing(
    environment: dict[str, str], writer: Writer, graph: Graph, tenant: str, redis_url: str
) -> None:
    """Killed while they deliver; the next one begins when the last is taken for dead."""
    ids = [f"p{n}" for n in range(160)]
    link = RedisLink(redis_url)
    feed = RedisFeed(link, most=100_000, keep_s=600)
    for first in range(0, 120, 40):
        write_pairs(writer, tenant, ids[first : first + 40])
        before = feed.end(tenant)
        with relay(environment, tenant) as killed:
            give_up = time.monotonic() + READY_S
            while feed.end(tenant) == before and time.monotonic() < give_up:
                if not Outbox(graph).list_entries(tenant, 0, 1):
                    break
                time.sleep(0.002)
            killed.kill()
        # By the clock of the server it died long ago.
        graph.run(
            "MATCH (j:JobRun {tenant_id: '', job: 'relay', slot: 'events'}) "
            "SET j.heartbeat_at = datetime() - duration('PT1H')"
        )
    # Something is left for the last one: it is at work when nothing is, and ends as told.
    write_pairs(writer, tenant, ids[120:])
    with relay(environment, tenant) as last:
        give_up = time.monotonic() + READY_S
        while Outbox(graph).list_entries(tenant, 0, 1) and time.monotonic() < give_up:
            time.sleep(0.02)
        last.send_signal(signal.SIGTERM)
        assert last.wait(READY_S) == 0
    bodies = [orjson.loads(fed.body) for fed in feed.read(tenant, BEGINNING, 10_000)]
    first_told = list(dict.fromkeys(body["node_id"] for body in bodies))
    assert first_told == ids
    assert len({body["id"] for body in bodies}) == len(ids)
    assert not Outbox(graph).list_entries(tenant, 0, 1)
    link.close()


def test_one_round_leaves_the_lease_to_the_next(
    environment: dict[str, str], writer: Writer, tenant: str
) -> None:
    command = [sys.executable, "-m", "memgraph", "relay", "--tenant", tenant, "--once", "--json"]
    for n in range(2):
        write(writer, tenant, f"p{n}")
        ran = subprocess.run(command, env=environment, capture_output=True, check=True, timeout=300)
        assert orjson.loads(ran.stdout) == {"delivered": 1}


def test_the_command_says_what_it_did(
    environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    writer: Writer,
    graph: Graph,
    tenant: str,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MEMGRAPH_TEST_NEO4J_URI", raising=False)
    write(writer, tenant, "p0", "p1")
    ran = CliRunner().invoke(cli, ["relay", "--once", "--tenant", tenant])
    assert (ran.exit_code, ran.output) == (0, "2 events delivered\n")
    assert not Outbox(graph).list_entries(tenant, 0, 1)


@pytest.mark.parametrize(
    ("redis", "brokers", "names"),
    [("", "", []), ("redis://x", "", ["redis"]), ("redis://x", "x:1", ["redis", "kafka"])],
)
def test_sinks_are_those_whose_addresses_are_known(
    redis: str, brokers: str, names: list[str]
) -> None:
    # None of them connects before something goes out.
    with open_sinks(Settings(), redis, brokers) as sinks:
        assert [sink.name for sink in sinks] == names


def test_kafka_without_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "memgraph.adapters.kafka", None)
    with pytest.raises(StackError, match="kafka"), open_sinks(Settings(), "", "x:1"):
        pass


def test_the_stack_runs_a_relay_that_finds_it(tmp_path: Path) -> None:
    config = StackConfig(tmp_path, rest_port=8080, settings_file="settings.toml")
    (process,) = (s for s in services_of(config) if s.name == "relay")
    process.fetch(print)
    command = process.prepare({})
    assert command.env["MEMGRAPH_DATA_DIR"] == str(tmp_path)
    assert command.argv[-3:] == ("relay", "--config", "settings.toml")
    assert process.ready({})
    ran = subprocess.run(
        [*command.argv[:-2], "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "--once" in ran.stdout
    assert not [s for s in services_of(StackConfig(tmp_path)) if s.name == "relay"]
