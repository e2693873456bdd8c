"""The process that owns the servers of one data directory.

It holds the flock of the data directory, starts the servers, says when all are ready,
watches them, and stops them all when it is told to, when its owner ends, or when one of
them dies. Nothing survives it: the kernel kills the servers with it (Linux).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Protocol

from memgraph.domain.errors import StackError
from memgraph.local.background import EmbedderProcess, RelayProcess
from memgraph.local.consumer import ConsumerProcess
from memgraph.local.kafka import KafkaServer
from memgraph.local.neo4j import USER, Neo4jServer
from memgraph.local.ports import LOOPBACK, PortBook
from memgraph.local.process import Server, ServerProcess, describe_exit, log_tail
from memgraph.local.redis import RedisServer
from memgraph.local.rest import RestServer
from memgraph.local.state import Files, HeldLock, StackConfig, StackState, now

POLL_S = 0.1
WATCH_S = 0.25
SAY_EVERY_S = 5.0
BIND_ATTEMPTS = 4
LOCK_DEADLINE_S = 5.0
REST = RestServer.name
EXPENDABLE = frozenset({ConsumerProcess.name, EmbedderProcess.name, RelayProcess.name})
"""What may end without the rest: what it would have done waits for the next one."""
_BIND_FAILED = re.compile("address already in use|BindException|failed to bind", re.IGNORECASE)


class Until(Protocol):
    """Says when to stop."""

    def wait(self, timeout: float) -> bool:
        """Wait; True as soon as the stack shall stop."""


def servers_of(config: StackConfig) -> list[Server]:
    """Return the servers of a configuration, Kafka last: it is formatted first."""
    servers: list[Server] = []
    if config.neo4j:
        servers.append(
            Neo4jServer(config.data_dir, config.heap_mb, config.page_cache_mb, config.browser)
        )
    if config.redis:
        servers.append(RedisServer(config.data_dir))
    if config.kafka:
        servers.append(KafkaServer(config.data_dir))
    return servers


def services_of(config: StackConfig) -> list[Server]:
    """Return what needs all the servers: started after them, stopped before them."""
    if not config.rest_port:
        return []
    services: list[Server] = [
        RestServer(config.data_dir, config.settings_file, config.rest_grace_s),
        RelayProcess(config.data_dir, config.settings_file),
    ]
    if config.embeddings:
        services.append(EmbedderProcess(config.data_dir, config.settings_file))
    if config.kafka:
        services.append(ConsumerProcess(config.data_dir, config.settings_file))
    return services


@dataclass
class Running:
    """A server that was started."""

    server: Server
    ports: Mapping[str, int]
    process: ServerProcess
    started: float = field(default_factory=time.monotonic)
    attempts: int = 1
    ready: bool = False

    def trouble(self, what: str) -> StackError:
        """Return an error that quotes the end of its log."""
        log = self.process.log
        return StackError(
            f"{self.server.title} {what}. The end of {log}:\n{log_tail(log)}",
            server=self.server.name,
            exit_code=self.process.exit_code(),
        )


class Supervisor:
    """Starts, watches and stops servers; ``report`` gets a line when something happens.

    ``services`` find the servers in the state of the data directory.
    """

    def __init__(
        self,
        config: StackConfig,
        servers: Sequence[Server],
        report: Callable[[str], None],
        ports: PortBook | None = None,
        services: Sequence[Server] = (),
    ) -> None:
        self._config = config
        self._servers = servers
        self._services = services
        self._report = report
        self._files = Files(config.data_dir)
        self._ports = ports or PortBook(config.data_dir, asked={REST: config.rest_port})
        self._running: list[Running] = []

    def run(self, until: Until, on_ready: Callable[[StackState], None]) -> None:
        """Run the servers until told to stop. StackError when one fails; all are stopped then."""
        try:
            if self._start_all(until):
                on_ready(self._write_state(is_complete=True))
                while not until.wait(WATCH_S):
                    self._check_alive()
        except StackError as error:
            code = error.facts.get("exit_code")
            self._files.write_failure(
                str(error.facts.get("server", "")),
                code if isinstance(code, int) else None,
                error.message,
            )
            raise
        finally:
            self._files.state.unlink(missing_ok=True)
            self._stop()

    def _start_all(self, until: Until) -> bool:
        """Start the servers, then the services; False when told to stop before all are ready."""
        if not self._start(self._servers, until):
            return False
        if self._services:
            self._write_state(is_complete=False)
        return self._start(self._services, until)

    def _write_state(self, *, is_complete: bool) -> StackState:
        """Write down what runs."""
        state = self._state(is_complete)
        self._files.write_state(state)
        return state

    def _start(self, servers: Sequence[Server], until: Until) -> bool:
        for server in servers:
            self._running.append(self._launch(server))
        said = time.monotonic()
        while waiting := [each for each in self._running if not each.ready]:
            for each in waiting:
                self._advance(each)
            self._check_alive()
            if time.monotonic() - said > SAY_EVERY_S:
                said = time.monotonic()
                for each in (each for each in waiting if not each.ready):
                    self._report(f"{each.server.title}: starting, {said - each.started:.0f} s")
            if until.wait(POLL_S):
                return False
        return True

    def _launch(self, server: Server, *, fresh_ports: bool = False) -> Running:
        ports = self._ports.choose(server.port_names, fresh=fresh_ports)
        listed = ", ".join(f"{LOOPBACK}:{port}" for port in ports.values())
        self._report(f"{server.title}: starting" + (f" on {listed}" if listed else ""))
        return Running(server, ports, ServerProcess(server.prepare(ports)))

    def _advance(self, each: Running) -> None:
        """Try once whether a server is ready; start it again on other ports if it must be."""
        code = each.process.exit_code()
        if code is None:
            ready = each.server.ready(each.ports) and each.process.exit_code() is None
            took = time.monotonic() - each.started
            if ready:
                each.ready = True
                self._report(f"{each.server.title}: ready after {took:.1f} s")
            elif took > each.server.start_deadline_s:
                raise each.trouble(f"was not ready within {each.server.start_deadline_s:.0f} s")
        elif each.attempts < BIND_ATTEMPTS and _BIND_FAILED.search(log_tail(each.process.log, 200)):
            again = self._launch(each.server, fresh_ports=True)
            each.ports, each.process, each.started = again.ports, again.process, again.started
            each.attempts += 1
        else:
            raise each.trouble(f"did not start, {describe_exit(code)}")

    def _check_alive(self) -> None:
        for each in list(self._running):
            code = each.process.exit_code()
            if each.ready and code is not None:
                trouble = each.trouble(f"ended by itself, {describe_exit(code)}")
                if each.server.name not in EXPENDABLE:
                    raise trouble
                self._let_go(each, trouble)

    def _let_go(self, each: Running, trouble: StackError) -> None:
        """Go on without it; its log says why, and the state no longer names it."""
        self._running.remove(each)
        sys.stderr.write(f"{now().isoformat()} {trouble.message}\n")
        sys.stderr.flush()
        self._write_state(is_complete=all(other.ready for other in self._running))

    def _stop(self) -> None:
        """Stop the services, then the servers they may still need."""
        of_services = [each for each in self._running if each.server in self._services]
        self._end(of_services)
        self._end([each for each in self._running if each not in of_services])

    def _end(self, running: Sequence[Running]) -> None:
        """Stop all at once; the first to be started gets all of its grace."""
        for each in running:
            each.process.terminate()
        begun = time.monotonic()
        for each in running:
            grace = each.server.stop_grace_s - (time.monotonic() - begun)
            each.process.wait(max(grace, 0.0))

    def _state(self, is_complete: bool) -> StackState:
        ports = {name: port for each in self._running for name, port in each.ports.items()}
        neo4j = next((s for s in self._servers if isinstance(s, Neo4jServer)), None)
        redis = next((s for s in self._servers if isinstance(s, RedisServer)), None)
        http, kafka = ports.get("http"), ports.get("kafka")
        return StackState(
            data_dir=self._config.data_dir,
            bolt=f"bolt://{LOOPBACK}:{ports['bolt']}" if neo4j else "",
            browser=f"http://{LOOPBACK}:{http}/browser/" if http else None,
            neo4j_user=USER if neo4j else "",
            neo4j_password=neo4j.password() if neo4j else "",
            redis=redis.url(ports) if redis else None,
            kafka=f"{LOOPBACK}:{kafka}" if kafka else None,
            pids={"supervisor": os.getpid()}
            | {each.server.name: each.process.pid for each in self._running},
            started_at=now(),
            rest=f"http://{LOOPBACK}:{ports[REST]}" if REST in ports else None,
            is_complete=is_complete,
        )


class StopSignals:
    """SIGTERM, SIGINT, the end of the owner's pipe on stdin, or the owner's death."""

    def __init__(self, owner: int) -> None:
        self._owner = owner
        self._stopped = False
        self._wakeup, self._signalled = os.pipe()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._stopped = True
        os.write(self._signalled, b"!")

    def wait(self, timeout: float) -> bool:
        """Wait; True as soon as the stack shall stop."""
        if not self._stopped:
            watched = [self._wakeup, *([0] if self._owner else [])]
            readable, _, _ = select.select(watched, [], [], timeout)
            # A child that the owner forked may keep the pipe open, so its id is looked at too.
            self._stopped |= bool(readable) or bool(self._owner and os.getppid() != self._owner)
        return self._stopped


def say(**message: object) -> None:
    """Send one JSON line to whoever started this process; nobody may be there any more."""
    with contextlib.suppress(OSError):
        os.write(1, (json.dumps(message, default=str) + "\n").encode())


def acquire(files: Files) -> HeldLock | None:
    """Take the lock of the data directory. ``find`` may hold it for an instant, so retry."""
    lock = HeldLock(files.lock)
    give_up = time.monotonic() + LOCK_DEADLINE_S
    while not lock.try_acquire():
        if time.monotonic() > give_up:
            lock.release()
            return None
        time.sleep(0.05)
    lock.sign(os.getpid())
    return lock


def main(argument: str) -> int:
    """Run a stack in this process, configured by ``StackConfig.to_json``."""
    os.umask(0o077)  # what the servers write is for this user only
    config = StackConfig.from_json(argument)
    files = Files(config.data_dir)
    lock = acquire(files)
    if lock is None:
        say(error=f"another stack runs in {config.data_dir}")
        return 3
    until = StopSignals(config.owner)
    files.state.unlink(missing_ok=True)
    files.failure.unlink(missing_ok=True)
    supervisor = Supervisor(
        config,
        servers_of(config),
        lambda text: say(progress=text),
        services=services_of(config),
    )
    try:
        supervisor.run(until, lambda _: _announce())
        say(error="it was stopped while it started")  # nobody hears it when it was ready
    except StackError as error:
        say(error=error.message)
        sys.stderr.write(f"{now().isoformat()} {error.message}\n")
        return 1
    except Exception as error:  # noqa: BLE001 - the outermost handler of this process
        say(error=f"{type(error).__name__}: {error}")
        files.write_failure("supervisor", None, traceback.format_exc())
        traceback.print_exc()
        return 1
    finally:
        lock.release()
    return 0


def _announce() -> None:
    """Tell the starter and let go of its pipe: nobody reads it from now on."""
    say(ready=True)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
