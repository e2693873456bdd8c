"""Start, find and stop the local stack of a data directory.

A supervisor process per data directory owns the servers (``supervisor.py``); what is here
runs in the caller. Several data directories run side by side.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from memgraph.domain.errors import StackError
from memgraph.local.process import log_tail
from memgraph.local.state import Files, HeldLock, StackConfig, StackState, alive
from memgraph.local.supervisor import servers_of, services_of

START_DEADLINE_S = 240.0
"""Time for all servers to be ready; each has a shorter one of its own. Downloads do not count."""
STOP_DEADLINE_S = 105.0
"""Longer than the REST service and then Neo4j may take."""
SAY_EVERY_S = 5.0
SILENCE_S = 6.5
"""Time without a word of the supervisor until something is said for it."""

_owner_pipes: dict[Path, int] = {}
"""Our ends of the pipes that supervisors of ``detach=False`` watch: they stop when it closes."""
_owner_pipes_lock = threading.Lock()


def default_data_dir() -> Path:
    """Return the data directory of this user."""
    return platformdirs.user_data_path("memgraph")


def start(
    data_dir: Path,
    *,
    neo4j: bool = True,
    kafka: bool = False,
    redis: bool = True,
    browser: bool = True,
    detach: bool = True,
    heap_mb: int = 512,
    page_cache_mb: int = 128,
    rest_port: int = 0,
    rest_grace_s: int = 20,
    embeddings: bool = False,
    settings_file: Path | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> StackState:
    """Start the stack of a data directory and return when all its servers answer.

    With ``rest_port`` the REST service runs too, on that port or another if it is taken, with
    the settings of the environment and of ``settings_file``; with ``kafka`` also a reader of
    its topics, with ``embeddings`` a worker that makes vectors. A stack that runs already is
    returned as it is when it has the services asked for; otherwise StackError. With ``detach``
    it outlives this process; without, it stops when this process ends in whatever way.
    StackError quotes the end of a server's log.
    """
    data_dir = data_dir.expanduser().resolve()
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = StackConfig(
        data_dir,
        neo4j=neo4j,
        redis=redis,
        kafka=kafka,
        browser=browser and neo4j,
        heap_mb=heap_mb,
        page_cache_mb=page_cache_mb,
        owner=0 if detach else os.getpid(),
        rest_port=rest_port,
        rest_grace_s=rest_grace_s,
        embeddings=embeddings,
        settings_file=str(settings_file.resolve()) if settings_file else "",
    )
    files = Files(data_dir)
    with _starting(files, on_progress):
        running = _settled(files)
        if running is not None:
            return _checked(running, config)
        for server in (*servers_of(config), *services_of(config)):
            server.fetch(on_progress)
        return _launch(config, files, on_progress)


def prepare(*, kafka: bool = False, on_progress: Callable[[str], None] = lambda _: None) -> None:
    """Fetch all jars and make Neo4j start fast, once per user; later starts save the time.

    For a set-up step. Nothing depends on it: ``start`` fetches what it needs.
    """
    from memgraph.local.faststart import train

    for server in servers_of(StackConfig(default_data_dir(), kafka=kafka)):
        server.fetch(on_progress)
    train(on_progress)


def find(data_dir: Path) -> StackState | None:
    """Return the stack that runs in a data directory, ready to use; else None."""
    files = Files(data_dir.expanduser().resolve())
    pid = files.supervisor_pid()
    state = files.read_state() if pid is not None else None
    return state if state is not None and state.pids.get("supervisor") == pid else None


def last_failure(data_dir: Path) -> str | None:
    """Return why the stack of a data directory ended by itself; None when it did not."""
    return Files(data_dir.expanduser().resolve()).read_failure()


def stop(data_dir: Path) -> bool:
    """Stop the stack of a data directory and wait for its end; False when none runs.

    A supervisor that does not end in time is killed, and its servers with it.
    """
    files = Files(data_dir.expanduser().resolve())
    pid = files.supervisor_pid()
    if pid is None:
        _close_owner_pipe(files.data_dir)
        return False
    state = files.read_state()
    pids = {pid, *(state.pids.values() if state is not None else ())} - {0}
    _end_supervisor(files, pid)
    _close_owner_pipe(files.data_dir)
    give_up = time.monotonic() + STOP_DEADLINE_S
    while any(alive(each) for each in pids):
        if time.monotonic() > give_up:
            raise StackError(f"processes of the stack in {files.data_dir} do not end", pids=pids)
        time.sleep(0.05)
    return True


def _end_supervisor(files: Files, pid: int) -> None:
    """Ask it to stop; kill it when it does not give its lock back in time."""
    give_up = time.monotonic() + STOP_DEADLINE_S
    _signal(pid, signal.SIGTERM)
    while files.supervisor_pid() is not None and time.monotonic() < give_up:
        alive(pid)  # reaps it when it is a child of ours
        time.sleep(0.05)
    if files.supervisor_pid() is not None:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if pid:
            os.kill(pid, number)


@contextmanager
def _starting(files: Files, on_progress: Callable[[str], None]) -> Iterator[None]:
    """Let one caller at a time start this data directory."""
    lock = HeldLock(files.start_lock)
    try:
        said = -SAY_EVERY_S
        while not lock.try_acquire():
            if time.monotonic() - said >= SAY_EVERY_S:
                said = time.monotonic()
                on_progress("waiting for another process that starts this stack")
            time.sleep(0.05)
        yield
    finally:
        lock.release()


def _settled(files: Files) -> StackState | None:
    """Return the running stack, None when none runs; waits while one starts or stops."""
    give_up = time.monotonic() + START_DEADLINE_S
    while files.supervisor_pid() is not None:
        state = find(files.data_dir)
        if state is not None and state.is_complete:
            return state
        if time.monotonic() > give_up:
            raise StackError(f"the stack in {files.data_dir} neither starts nor ends")
        time.sleep(0.05)
    return None


def _checked(running: StackState, config: StackConfig) -> StackState:
    """Return it when it has what is asked for."""
    has = {
        "neo4j": bool(running.bolt),
        "redis": running.redis is not None,
        "kafka": running.kafka is not None,
        "browser": running.browser is not None,
        "rest_port": running.rest is not None,
    }
    missing = [
        name.removesuffix("_port")
        for name, there in has.items()
        if getattr(config, name) and not there
    ]
    if missing:
        raise StackError(
            f"the stack in {running.data_dir} runs without {', '.join(missing)}; "
            "stop it, then start it with them",
            missing=missing,
        )
    return running


@dataclass(frozen=True)
class _Spawned:
    pid: int
    messages: int
    """Read end of its standard output: JSON lines."""


def _spawn(config: StackConfig, files: Files) -> _Spawned:
    """Start the supervisor in its own session."""
    messages, stdout = os.pipe()
    if config.owner:
        stdin, ours = os.pipe()
    else:
        stdin, ours = os.open(os.devnull, os.O_RDONLY), -1
    stderr = os.open(files.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-P", "-m", "memgraph.local", config.to_json()],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, stdin, 0),
                (os.POSIX_SPAWN_DUP2, stdout, 1),
                (os.POSIX_SPAWN_DUP2, stderr, 2),
            ],
        )
    except OSError:
        os.close(messages)
        if ours >= 0:
            os.close(ours)
        raise
    finally:
        for fd in (stdin, stdout, stderr):
            os.close(fd)
    if ours >= 0:
        with _owner_pipes_lock:
            _owner_pipes[config.data_dir] = ours
    return _Spawned(pid, messages)


def _launch(config: StackConfig, files: Files, on_progress: Callable[[str], None]) -> StackState:
    _close_owner_pipe(config.data_dir)
    spawned = _spawn(config, files)
    try:
        return _follow(spawned, files, on_progress)
    except BaseException:
        _signal(spawned.pid, signal.SIGTERM)
        _wait_for(spawned.pid)
        _close_owner_pipe(config.data_dir)
        raise
    finally:
        os.close(spawned.messages)


def _follow(spawned: _Spawned, files: Files, on_progress: Callable[[str], None]) -> StackState:
    """Pass on what the supervisor says until the stack is ready or failed."""
    for message in _messages(spawned):
        if "progress" in message:
            on_progress(str(message["progress"]))
        elif "error" in message:
            raise StackError(str(message["error"]))
        elif state := find(files.data_dir):
            return state
    raise StackError(
        f"the supervisor of {files.data_dir} ended early. The end of {files.log}:\n"
        f"{log_tail(files.log)}"
    )


def _wait_for(pid: int) -> None:
    """Wait for the end of our child; kill it when that takes too long."""
    give_up = time.monotonic() + STOP_DEADLINE_S
    while alive(pid):
        if time.monotonic() > give_up:
            _signal(pid, signal.SIGKILL)
        time.sleep(0.05)


def _messages(spawned: _Spawned) -> Iterator[dict[str, object]]:
    """Yield what the supervisor says until it closes its output. StackError after the deadline."""
    begun = time.monotonic()
    buffer = b""
    while True:
        readable, _, _ = select.select([spawned.messages], [], [], SILENCE_S)
        if not readable:
            waited = time.monotonic() - begun
            if waited > START_DEADLINE_S:
                raise StackError(f"the stack was not ready within {START_DEADLINE_S:.0f} s")
            yield {"progress": f"still starting, {waited:.0f} s"}
            continue
        chunk = os.read(spawned.messages, 65536)
        if not chunk:
            return
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _close_owner_pipe(data_dir: Path) -> None:
    with _owner_pipes_lock:
        fd = _owner_pipes.pop(data_dir, None)
    if fd is not None:
        os.close(fd)
