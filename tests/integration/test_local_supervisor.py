"""The supervisor of the local stack, in this process, with real servers and scripts."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from memgraph.domain.errors import StackError
from memgraph.local import StackState, find, last_failure, start, stop
from memgraph.local.ports import PortBook
from memgraph.local.process import Command
from memgraph.local.redis import RedisServer
from memgraph.local.state import Files, HeldLock, StackConfig, alive
from memgraph.local.supervisor import WATCH_S, StopSignals, Supervisor, main

PATIENCE_S = 60.0
UNTIL_TOLD = "until [ -e told ]; do sleep 0.02; done"
"""A part of a script that waits for ``tell``."""


def tell(data_dir: Path) -> None:
    """Have scripts that wait go on."""
    (data_dir / "told").touch()


def wait_for(is_so: Callable[[], object]) -> None:
    give_up = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.02)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty data directory."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@dataclass(frozen=True)
class Script:
    """A shell script in the place of a server; ready when its log holds a word."""

    data_dir: Path
    script: str
    name: str = "script"
    title: str = "Script"
    port_names: tuple[str, ...] = ()
    start_deadline_s: float = PATIENCE_S
    stop_grace_s: float = 1.0

    def fetch(self, on_progress: Callable[[str], None]) -> None:
        pass

    def prepare(self, ports: Mapping[str, int]) -> Command:
        if not self.script:
            raise StackError("no script")
        argv = ("/bin/sh", "-c", self.script, "sh", *map(str, ports.values()))
        return Command(argv, self.data_dir, self.data_dir / f"{self.name}.log")

    def ready(self, ports: Mapping[str, int]) -> bool:
        return "listening" in self.said()

    def said(self) -> str:
        return (self.data_dir / f"{self.name}.log").read_text()


class Thinker(Script):
    """A server that is never ready, looked at when it has said something."""

    def ready(self, ports: Mapping[str, int]) -> bool:
        wait_for(self.said)
        return False


class TestSupervisorItself:
    def run(
        self,
        data_dir: Path,
        *servers: Script | RedisServer,
        until: threading.Event | None = None,
        ports: PortBook | None = None,
        heard: Callable[[str], None] = lambda _: None,
    ) -> tuple[list[str], list[StackState]]:
        """Run the servers until they are ready, or until told to stop."""
        said: list[str] = []
        states: list[StackState] = []
        stopped = until or threading.Event()

        def on_ready(state: StackState) -> None:
            states.append(state)
            if until is None:
                stopped.set()

        def report(line: str) -> None:
            said.append(line)
            heard(line)

        config = StackConfig(data_dir, neo4j=False, redis=False)
        Supervisor(config, servers, report, ports).run(stopped, on_ready)
        return said, states

    def test_runs_until_it_is_told_to_stop(self, data_dir: Path) -> None:
        script = Script(data_dir, "echo listening; exec sleep 60")
        until = threading.Event()
        lived: list[bool] = []

        def end() -> None:
            wait_for(Files(data_dir).read_state)
            until.wait(3 * WATCH_S)
            lived.append(Files(data_dir).state.exists())
            until.set()

        ending = threading.Thread(target=end)
        ending.start()
        said, (state,) = self.run(data_dir, script, until=until)
        ending.join()
        assert lived == [True]
        assert state.pids["supervisor"] == os.getpid()
        assert not alive(state.pids["script"])
        assert not Files(data_dir).state.exists()
        assert said[0] == "Script: starting"
        assert said[1].startswith("Script: ready after")

    def test_goes_on_without_the_consumer(
        self, data_dir: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        other = Script(data_dir, "echo listening; exec sleep 60", name="other")
        consumer = Script(
            data_dir,
            f"echo listening; {UNTIL_TOLD}; echo too much is broken; exit 1",
            name="consumer",
        )
        until = threading.Event()
        seen: list[set[str]] = []

        def look() -> None:
            give_up = time.monotonic() + PATIENCE_S
            while time.monotonic() < give_up and not (seen and "consumer" not in seen[-1]):
                if (state := Files(data_dir).read_state()) is not None:
                    seen.append(set(state.pids))
                    tell(data_dir)
                time.sleep(0.02)
            until.set()

        looking = threading.Thread(target=look)
        looking.start()
        self.run(data_dir, other, consumer, until=until)
        looking.join()
        assert seen[0] == {"supervisor", "other", "consumer"}
        assert seen[-1] == {"supervisor", "other"}
        assert "too much is broken" in capfd.readouterr().err
        assert last_failure(data_dir) is None

    def test_stops_while_it_starts(self, data_dir: Path) -> None:
        until = threading.Event()
        until.set()
        _, states = self.run(data_dir, Script(data_dir, "exec sleep 60"), until=until)
        assert states == []

    def test_a_server_that_ends_at_once(self, data_dir: Path) -> None:
        other = Script(data_dir, "echo $$; exec sleep 60", name="other")
        with pytest.raises(StackError, match="Script did not start, exit code 3") as caught:
            broken = "until [ -s other.log ]; do sleep 0.02; done; echo out of ink; exit 3"
            self.run(data_dir, other, Script(data_dir, broken))
        assert "out of ink" in str(caught.value)
        assert "out of ink" in (last_failure(data_dir) or "")
        assert not alive(int((data_dir / "other.log").read_text()))

    def test_a_server_that_is_never_ready(self, data_dir: Path) -> None:
        script = Thinker(data_dir, "echo thinking; exec sleep 60", start_deadline_s=0.3)
        with pytest.raises(StackError, match=r"was not ready within 0 s[^$]*thinking"):
            self.run(data_dir, script)

    def test_a_slow_server_is_heard_of(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("memgraph.local.supervisor.SAY_EVERY_S", 0.0)
        script = Script(data_dir, f"{UNTIL_TOLD}; echo listening; exec sleep 60")

        def heard(line: str) -> None:
            if re.fullmatch(r"Script: starting, \d+ s", line):
                tell(data_dir)

        said, _ = self.run(data_dir, script, heard=heard)
        assert said[-1].startswith("Script: ready after")

    def test_a_server_that_dies_while_another_starts(self, data_dir: Path) -> None:
        dying = Script(data_dir, f"echo listening; {UNTIL_TOLD}; exit 5", name="dying")
        slow = Script(data_dir, "exec sleep 60")

        def heard(line: str) -> None:
            if "ready" in line:
                tell(data_dir)

        with pytest.raises(StackError, match="ended by itself, exit code 5"):
            self.run(data_dir, slow, dying, heard=heard)

    def test_a_server_that_cannot_be_prepared(self, data_dir: Path) -> None:
        with pytest.raises(StackError, match="no script"):
            self.run(data_dir, Script(data_dir, ""))
        assert last_failure(data_dir) == "no script"

    def test_another_port_when_the_first_cannot_be_bound(self, data_dir: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            (data_dir / "ports.json").write_text(json.dumps({"redis": port}))
            book = PortBook(data_dir, lambda port: True)
            server = RedisServer(data_dir)
            said, states = self.run(data_dir, server, ports=book)
        assert len(states) == 1
        assert str(port) in said[0]
        assert "starting on 127.0.0.1:" in said[1]
        assert str(port) not in said[1]

    def test_a_port_that_can_never_be_bound(self, data_dir: Path) -> None:
        script = Script(data_dir, "echo bind: Address already in use; exit 1", port_names=("a",))
        with pytest.raises(StackError, match="did not start"):
            self.run(data_dir, script)

    def test_redis_of_others_is_not_ours(self, data_dir: Path, tmp_path: Path) -> None:
        state = start(tmp_path / "other", neo4j=False, detach=False)
        port = int((state.redis or "").rpartition(":")[2].partition("/")[0])
        try:
            assert not RedisServer(data_dir).ready({"redis": port})
        finally:
            stop(tmp_path / "other")
        assert not RedisServer(data_dir).ready({"redis": port})


@pytest.fixture
def own_signals_and_output(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Put back what the supervisor changes in a process of its own."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    handlers = [signal.getsignal(number) for number in numbers]
    output = os.dup(1)
    mask = os.umask(0o022)
    yield
    os.umask(mask)
    os.dup2(output, 1)
    os.close(output)
    for number, handler in zip(numbers, handlers, strict=True):
        signal.signal(number, handler)


@pytest.mark.usefixtures("own_signals_and_output")
class TestMain:
    def config(self, data_dir: Path) -> str:
        return StackConfig(data_dir, neo4j=False).to_json()

    def test_runs_a_stack_until_a_signal(
        self, data_dir: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        found: list[StackState] = []

        def end() -> None:
            give_up = time.monotonic() + PATIENCE_S
            while not found and time.monotonic() < give_up:
                found.extend(filter(None, [find(data_dir)]))
                time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGTERM)

        thread = threading.Thread(target=end)
        thread.start()
        assert main(self.config(data_dir)) == 0
        thread.join()
        assert found[0].pids["supervisor"] == os.getpid()
        assert not alive(found[0].pids["redis"])
        assert find(data_dir) is None
        lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
        assert lines[-1] == {"ready": True}

    def test_one_supervisor_per_data_directory(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("memgraph.local.supervisor.LOCK_DEADLINE_S", 0.2)
        lock = HeldLock(Files(data_dir).lock)
        assert lock.try_acquire()
        assert main(self.config(data_dir)) == 3
        lock.release()
        assert "another stack runs" in capfd.readouterr().out

    def test_a_failed_start_is_said_and_logged(
        self, data_dir: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        (data_dir / "redis").mkdir()
        (data_dir / "redis" / "password").write_text("two words")
        assert main(self.config(data_dir)) == 1
        output = capfd.readouterr()
        assert "did not start" in json.loads(output.out.splitlines()[-1])["error"]
        assert "did not start" in output.err

    def test_an_unexpected_error_is_said_and_logged(
        self, data_dir: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        (data_dir / "redis").write_text("not a folder")
        assert main(self.config(data_dir)) == 1
        output = capfd.readouterr()
        assert "FileExistsError" in json.loads(output.out.splitlines()[-1])["error"]
        assert "Traceback" in output.err

    def test_stop_signals_come_at_once_and_stay(self) -> None:
        until = StopSignals(owner=0)
        assert not until.wait(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        begun = time.monotonic()
        assert until.wait(PATIENCE_S)
        assert until.wait(PATIENCE_S)
        assert time.monotonic() - begun < PATIENCE_S

    def test_an_owner_that_is_not_the_parent_is_a_reason_to_stop(self) -> None:
        assert StopSignals(owner=os.getpid()).wait(0.01)
