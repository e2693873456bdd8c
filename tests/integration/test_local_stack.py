"""The whole local stack: Neo4j with its Browser and Redis, started from packages alone."""

from __future__ import annotations

import json
import queue
import socket
import stat
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from neo4j import Driver, GraphDatabase
from neo4j.exceptions import AuthError
from redis import Redis

from memgraph.domain.errors import StackError
from memgraph.local import StackState, find, last_failure, start, stop
from memgraph.local.faststart import train
from memgraph.local.neo4j import Neo4jServer
from memgraph.local.ports import PortBook
from memgraph.local.state import StackConfig, alive
from memgraph.local.supervisor import Supervisor, servers_of


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data directory of a running stack."""
    folder = tmp_path_factory.mktemp("stack")
    start(folder, detach=False, heap_mb=256, page_cache_mb=32)
    yield folder
    stop(folder)


@pytest.fixture
def state(data_dir: Path) -> StackState:
    """A running stack."""
    found = find(data_dir)
    assert found is not None
    return found


def connect(state: StackState, password: str | None = None) -> Driver:
    auth = (state.neo4j_user, password or state.neo4j_password)
    return GraphDatabase.driver(state.bolt, auth=auth)


def test_bolt_answers_to_the_generated_password_only(state: StackState) -> None:
    with connect(state) as driver:
        rows = driver.execute_query("CALL dbms.components() YIELD edition, versions").records
        assert rows[0]["edition"] == "community"
    with connect(state, "neo4j") as driver, pytest.raises(AuthError):
        driver.verify_connectivity()


def test_settings_of_the_server(state: StackState) -> None:
    with connect(state) as driver:
        rows = driver.execute_query("SHOW SETTINGS YIELD name, value RETURN name, value").records
    value = {row["name"]: row["value"] for row in rows}
    assert value["db.query.default_language"] == "CYPHER_25"
    assert value["dbms.usage_report.enabled"] == "false"
    assert value["server.fleet_discovery.enabled"] == "false"
    assert value["db.logs.query.enabled"] == "OFF"
    assert value["server.memory.pagecache.size"] == "32.00MiB"
    assert value["server.bolt.listen_address"] == state.bolt.removeprefix("bolt://")


def test_the_browser_is_served(state: StackState) -> None:
    assert state.browser is not None
    with urllib.request.urlopen(state.browser, timeout=60) as page:
        assert page.headers.get_content_type() == "text/html"
        assert b"Neo4j Browser" in page.read()


def test_redis_answers_to_its_password_only(state: StackState) -> None:
    assert state.redis is not None
    with Redis.from_url(state.redis) as client:
        assert client.ping()
        assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_secrets_are_private(state: StackState) -> None:
    for name in ("state.json", "neo4j/password", "redis/password", "redis/redis.conf"):
        assert stat.S_IMODE((state.data_dir / name).stat().st_mode) == 0o600


def test_a_second_start_is_the_same_stack(state: StackState) -> None:
    said: list[str] = []
    assert start(state.data_dir, on_progress=said.append) == state
    assert said == []


def test_all_processes_are_named(state: StackState) -> None:
    assert set(state.pids) == {"supervisor", "neo4j", "redis"}
    assert all(map(alive, state.pids.values()))


@contextmanager
def supervised(config: StackConfig) -> Iterator[StackState]:
    """Run a supervisor in a thread of this process."""
    until, ready = threading.Event(), queue.Queue[StackState | BaseException]()

    def run() -> None:
        try:
            Supervisor(config, servers_of(config), lambda _: None).run(until, ready.put)
        except BaseException as error:  # noqa: BLE001 - raised in the test
            ready.put(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        state = ready.get(timeout=120)
        if isinstance(state, BaseException):
            raise state
        yield state
    finally:
        until.set()
        thread.join()


def test_data_password_and_ports_stay(tmp_path: Path) -> None:
    config = StackConfig(tmp_path, redis=False, heap_mb=256, page_cache_mb=32)
    # As after a first start that was killed before it set the password.
    password = Neo4jServer(tmp_path).password()
    with supervised(config) as state, connect(state) as driver:
        assert state.neo4j_password == password
        driver.execute_query("CREATE (:Kept)")
    assert not alive(state.pids["neo4j"])
    with supervised(replace(config, browser=False)) as again, connect(again) as driver:
        assert (again.bolt, again.neo4j_password) == (state.bolt, password)
        assert (state.browser is None, again.browser is None) == (False, True)
        assert driver.execute_query("MATCH (n:Kept) RETURN count(n) AS n").records[0]["n"] == 1


def a_server_that_claims_to_have_started(data_dir: Path) -> Neo4jServer:
    server = Neo4jServer(data_dir)
    server.log.parent.mkdir(parents=True)
    server.log.write_text("Started.")
    return server


def test_a_lost_password_is_told(state: StackState, tmp_path: Path) -> None:
    server = a_server_that_claims_to_have_started(tmp_path)
    bolt = int(state.bolt.rpartition(":")[2])
    give_up = time.monotonic() + 60
    with pytest.raises(StackError, match="does not accept the password"):
        # False while the server is locked for seconds after wrong passwords of other tests.
        while not server.ready({"bolt": bolt}):
            assert time.monotonic() < give_up
            time.sleep(0.5)


def test_nothing_is_asked_before_the_log_says_started(tmp_path: Path) -> None:
    server = a_server_that_claims_to_have_started(tmp_path)
    server.log.write_text("Starting...")
    assert not server.ready({"bolt": 1})
    assert not server.password_path.exists()


def test_a_port_that_does_not_answer_yet_is_not_ready(tmp_path: Path) -> None:
    server = a_server_that_claims_to_have_started(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        assert not server.ready({"bolt": taken.getsockname()[1]})


def test_configuration_files(tmp_path: Path) -> None:
    command = Neo4jServer(tmp_path, heap_mb=300, page_cache_mb=40, browser=False).prepare(
        {"bolt": 1234}
    )
    conf = (tmp_path / "neo4j" / "conf" / "neo4j.conf").read_text().splitlines()
    assert "server.bolt.listen_address=127.0.0.1:1234" in conf
    assert "server.http.enabled=false" in conf
    assert "dbms.security.auth_enabled=true" in conf
    assert not [line for line in conf if "http.listen" in line or "0.0.0.0" in line]
    arguments = Path(command.argv[1].removeprefix("@")).read_text()
    assert '"-Xms300m"\n"-Xmx300m"\n' in arguments
    assert "neo4j-browser" not in arguments


def test_a_neo4j_that_cannot_start_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="Invalid maximum heap size") as caught:
        start(tmp_path, heap_mb=0, detach=False)
    assert f"{Neo4jServer.title} did not start, exit code 1" in str(caught.value)
    assert str(tmp_path / "neo4j" / "logs" / "console.log") in str(caught.value)
    assert last_failure(tmp_path) == caught.value.message
    assert find(tmp_path) is None


@pytest.mark.slow
def test_other_ports_when_neo4j_cannot_bind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (tmp_path / "ports.json").write_text(json.dumps({"bolt": port}))
        config = StackConfig(tmp_path, redis=False, heap_mb=256, page_cache_mb=32)
        until, states = threading.Event(), []
        book = PortBook(tmp_path, lambda _: True)
        said: list[str] = []

        def on_ready(state: StackState) -> None:
            states.append(state)
            until.set()

        Supervisor(config, servers_of(config), said.append, book).run(until, on_ready)
    assert str(port) in said[0]
    assert len(states) == 1
    assert str(port) not in states[0].bolt


@pytest.mark.slow
def test_a_cache_of_classes_is_made_once_and_used(tmp_path: Path) -> None:
    said: list[str] = []
    cache = train(said.append, tmp_path)
    assert cache.stat().st_size > 50 << 20
    assert "writing its cache" in said[-1]
    said.clear()
    assert train(said.append, tmp_path) == cache
    assert said == []
