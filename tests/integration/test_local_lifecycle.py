"""The life of a local stack with real processes: who starts it, who ends it, what is said."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from redis import Redis

from memgraph.domain.errors import StackError
from memgraph.local import StackState, find, last_failure, stack, start, stop
from memgraph.local.state import Files, HeldLock, alive

DEADLINE_S = 60.0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < give_up, what
        time.sleep(0.02)


def wait_gone(pids: Mapping[str, int]) -> None:
    wait_for(lambda: not any(map(alive, pids.values())), f"{dict(pids)} still there")


@pytest.fixture
def data_dir(tmp_path: Path) -> Iterator[Path]:
    """A data directory whose stack, if any is left, is stopped."""
    folder = tmp_path / "data"
    folder.mkdir()
    yield folder
    stop(folder)


def start_redis(data_dir: Path, *, detach: bool = False) -> StackState:
    return start(data_dir, neo4j=False, detach=detach)


def ping(state: StackState) -> bool:
    with Redis.from_url(state.redis or "") as client:
        return bool(client.ping())


STARTER = """
import sys
from pathlib import Path
from memgraph.local import start
state = start(Path(sys.argv[1]), neo4j=False, detach=sys.argv[2] == "detach")
print(state.to_json().replace("\\n", ""), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def starter(data_dir: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a Python process that starts a stack, prints its state and waits for its stdin."""
    children: list[subprocess.Popen[str]] = []

    def run(mode: str) -> subprocess.Popen[str]:
        child = subprocess.Popen(
            [sys.executable, "-c", STARTER, str(data_dir), mode],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        children.append(child)
        return child

    yield run
    for child in children:
        child.kill()
        child.communicate()


def state_of(child: subprocess.Popen[str]) -> StackState:
    assert child.stdout is not None
    return StackState.from_json(child.stdout.readline())


class TestStartAndStop:
    def test_redis_answers_to_its_password_and_stop_leaves_nothing(self, data_dir: Path) -> None:
        said: list[str] = []
        state = start(data_dir, neo4j=False, detach=False, on_progress=said.append)
        assert ping(state)
        assert (state.bolt, state.neo4j_password, state.browser) == ("", "", None)
        assert any("ready" in line for line in said)
        assert find(data_dir) == state
        assert stat.S_IMODE((data_dir / "redis" / "redis.log").stat().st_mode) == 0o600
        assert stop(data_dir) is True
        assert not any(map(alive, state.pids.values()))
        assert find(data_dir) is None
        assert last_failure(data_dir) is None
        assert stop(data_dir) is False

    def test_what_redis_kept_is_there_after_a_restart(self, data_dir: Path) -> None:
        state = start_redis(data_dir)
        with Redis.from_url(state.redis or "") as client:
            client.rpush("queue", "task")
        stop(data_dir)
        again = start_redis(data_dir)
        assert again.redis == state.redis
        assert again.pids != state.pids
        with Redis.from_url(again.redis or "", decode_responses=True) as client:
            assert client.lrange("queue", 0, -1) == ["task"]

    def test_two_data_directories_side_by_side(self, data_dir: Path, tmp_path: Path) -> None:
        first, second = start_redis(data_dir), start_redis(tmp_path / "other")
        try:
            assert first.redis != second.redis
            assert not set(first.pids.values()) & set(second.pids.values())
        finally:
            stop(tmp_path / "other")
        assert ping(first)

    def test_concurrent_starts_give_one_stack(
        self, data_dir: Path, starter: Callable[[str], subprocess.Popen[str]]
    ) -> None:
        states = [state_of(child) for child in [starter("detach") for _ in range(3)]]
        assert states[0] == states[1] == states[2] == find(data_dir)

    def test_a_waiting_start_says_so(self, data_dir: Path) -> None:
        lock = HeldLock(data_dir / "start.lock")
        assert lock.try_acquire()
        said: list[str] = []

        def progress(line: str) -> None:
            said.append(line)
            if len(said) == 1:
                lock.release()

        start(data_dir, neo4j=False, detach=False, on_progress=progress)
        assert "waiting for another process" in said[0]

    def test_a_running_stack_without_a_service_asked_for_is_an_error(self, data_dir: Path) -> None:
        state = start_redis(data_dir)
        with pytest.raises(StackError, match="runs without neo4j, browser"):
            start(data_dir)
        assert find(data_dir) == state

    def test_start_waits_for_a_stack_that_is_stopping(self, data_dir: Path) -> None:
        files = Files(data_dir)
        leaving = HeldLock(files.lock)
        assert leaving.try_acquire()
        timer = threading.Timer(0.3, leaving.release)
        timer.start()
        assert ping(start_redis(data_dir))
        timer.join()

    def test_start_gives_up_on_a_stack_that_stays_half_started(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(stack, "START_DEADLINE_S", 0.1)
        lock = HeldLock(Files(data_dir).lock)
        assert lock.try_acquire()
        try:
            with pytest.raises(StackError, match="neither starts nor ends"):
                start_redis(data_dir)
        finally:
            lock.release()


class TestEnds:
    def test_detached_outlives_its_starter(
        self, data_dir: Path, starter: Callable[[str], subprocess.Popen[str]]
    ) -> None:
        child = starter("detach")
        state = state_of(child)
        child.kill()
        child.wait()
        time.sleep(0.6)
        assert find(data_dir) == state
        assert ping(state)
        assert stop(data_dir) is True
        wait_gone(state.pids)

    @pytest.mark.parametrize("end", ["normally", "SIGKILL"])
    def test_owned_ends_with_its_starter(
        self, data_dir: Path, starter: Callable[[str], subprocess.Popen[str]], end: str
    ) -> None:
        child = starter("owned")
        state = state_of(child)
        assert ping(state)
        if end == "SIGKILL":
            child.kill()
        else:
            child.communicate("")
        child.wait()
        wait_gone(state.pids)
        assert find(data_dir) is None
        assert last_failure(data_dir) is None

    def test_owned_ends_although_a_child_of_its_starter_holds_the_pipe(
        self, data_dir: Path
    ) -> None:
        code = (
            "import os, sys, time\nfrom pathlib import Path\nfrom memgraph.local import start\n"
            "state = start(Path(sys.argv[1]), neo4j=False, detach=False)\n"
            "if (pid := os.fork()) == 0:\n    os.close(1)\n    time.sleep(300)\n    os._exit(0)\n"
            "print(pid, state.to_json().replace('\\n', ''), flush=True)\n"
            "time.sleep(300)\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, str(data_dir)], stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            pid, _, state = child.stdout.readline().partition(" ")
            child.kill()
        try:
            wait_gone(StackState.from_json(state).pids)
            assert alive(int(pid))
        finally:
            os.kill(int(pid), signal.SIGKILL)

    def test_a_killed_supervisor_leaves_no_server(self, data_dir: Path) -> None:
        state = start_redis(data_dir, detach=True)
        os.kill(state.pids["supervisor"], signal.SIGKILL)
        wait_gone(state.pids)
        assert find(data_dir) is None
        assert "was killed" in (last_failure(data_dir) or "")
        again = start_redis(data_dir)
        assert ping(again)
        assert last_failure(data_dir) is None

    def test_a_server_that_dies_is_reported_with_the_end_of_its_log(self, data_dir: Path) -> None:
        state = start_redis(data_dir, detach=True)
        os.kill(state.pids["redis"], signal.SIGKILL)
        wait_gone(state.pids)
        assert find(data_dir) is None
        failure = last_failure(data_dir) or ""
        assert "Redis ended by itself, signal SIGKILL" in failure
        assert "Ready to accept connections" in failure
        assert str(data_dir / "redis" / "redis.log") in failure
        facts = json.loads((data_dir / "failure.json").read_text())
        assert (facts["server"], facts["exit_code"]) == ("redis", -9)
        start_redis(data_dir)
        assert last_failure(data_dir) is None

    def test_a_supervisor_that_does_not_react_is_killed(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        state = start_redis(data_dir, detach=True)
        os.kill(state.pids["supervisor"], signal.SIGSTOP)
        monkeypatch.setattr(stack, "STOP_DEADLINE_S", 0.5)
        assert stop(data_dir) is True
        wait_gone(state.pids)


class TestFailedStarts:
    def test_a_file_in_the_way_is_told(self, data_dir: Path) -> None:
        (data_dir / "redis").write_text("not a folder")
        with pytest.raises(StackError, match="FileExistsError"):
            start_redis(data_dir)
        assert "FileExistsError" in (last_failure(data_dir) or "")
        assert find(data_dir) is None

    def test_a_supervisor_that_says_nothing_is_quoted(
        self, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = tmp_path / "python"
        script.write_text("#!/bin/sh\necho broken >&2\n")
        script.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(script))
        with pytest.raises(StackError, match="broken"):
            start_redis(data_dir)

    def test_a_supervisor_that_never_says_anything_is_killed(
        self, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script = tmp_path / "python"
        script.write_text("#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n")
        script.chmod(0o700)
        monkeypatch.setattr(sys, "executable", str(script))
        monkeypatch.setattr(stack, "SILENCE_S", 0.3)
        monkeypatch.setattr(stack, "START_DEADLINE_S", 0.5)
        monkeypatch.setattr(stack, "STOP_DEADLINE_S", 0.5)
        said: list[str] = []
        with pytest.raises(StackError, match="not ready within"):
            start(data_dir, neo4j=False, on_progress=said.append)
        assert said == ["still starting, 0 s"]

    def test_an_interrupted_start_leaves_nothing(self, data_dir: Path) -> None:
        def interrupt(line: str) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            start(data_dir, neo4j=False, on_progress=interrupt)
        assert Files(data_dir).supervisor_pid() is None
        assert find(data_dir) is None

    def test_no_interpreter_no_pipe_left_open(
        self, data_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "executable", str(data_dir / "no"))
        before = len(list(Path("/proc/self/fd").iterdir()))
        with pytest.raises(FileNotFoundError):
            start_redis(data_dir)
        assert len(list(Path("/proc/self/fd").iterdir())) == before
