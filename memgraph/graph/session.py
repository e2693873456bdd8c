"""Run statements: reads as single auto-commit statements, writes as retried transactions.

The one place where driver errors become ours and where a call is retried.
"""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC
from typing import Any, Literal, TypeVar

import neo4j
import neo4j.exceptions as failures
import neo4j.time
import stamina

from memgraph.domain.errors import (
    GraphRefused,
    GraphUnavailable,
    MemgraphError,
    OutOfMemory,
    Overloaded,
)
from memgraph.graph.naming import name_of
from memgraph.graph.permits import Permits

T = TypeVar("T")
Row = dict[str, Any]
OnWait = Callable[[str], None]
Mode = Literal["read", "write"]
Watch = Callable[[str, Mode], AbstractContextManager[object]]
"""Told of each statement by its name; what it returns is held while the statement runs."""


def unwatched(name: str, mode: Mode) -> AbstractContextManager[object]:
    """Nobody looks at statements."""
    return nullcontext()


_OUT_OF_MEMORY = re.compile(r"OutOfMemory|TransactionMemoryLimit")
_DEADLOCK = re.compile(r"DeadlockDetected")
# A statement that waits for a lock or commits when its time is over is told otherwise.
_OUT_OF_TIME = re.compile(r"TransactionTimedOut|LockClientStopped|Transaction\.Terminated")
# With a full disk it cannot keep a commit, and then begins no transaction until it is restarted.
_OUT_OF_ORDER = re.compile(r"TransactionLogError|TransactionStartFailed")


class Graph:
    """A database of a server, with bounded concurrency. Threads may share it."""

    def __init__(
        self,
        driver: neo4j.Driver,
        *,
        database: str = "neo4j",
        permits: Permits | None = None,
        retry_for_s: float = 30.0,
        on_wait: OnWait | None = None,
        watch: Watch = unwatched,
        timeout_s: float | None = None,
        stream_timeout_s: float | None = None,
    ) -> None:
        # `on_wait` tells of retries, not a library's log line.
        stamina.instrumentation.set_on_retry_hooks([])
        self.driver = driver
        self.database = database
        self.permits = permits or Permits(limit=100, acquire_timeout_ms=5_000)
        self.retry_for_s = retry_for_s
        self.on_wait = on_wait
        self.watch = watch
        self.timeout_s = timeout_s
        """How long a read or a transaction may take; None: as long as the server lets it."""
        self.stream_timeout_s = stream_timeout_s
        self._one_at_a_time = threading.Lock()

    def bounded(self, *, timeout_s: float, stream_timeout_s: float) -> Graph:
        """The same graph, with statements that end in time: for callers that somebody waits for."""
        other = copy.copy(self)
        other.timeout_s, other.stream_timeout_s = timeout_s, stream_timeout_s
        return other

    def close(self) -> None:
        self.driver.close()

    def read(self, statement: str, **parameters: Any) -> list[Row]:
        """Run one statement in one round trip and return its rows, times as aware datetimes."""
        return list(self._rows(statement, parameters, self.timeout_s))

    def stream(self, statement: str, **parameters: Any) -> Iterator[Row]:
        """Run one statement and yield its rows as they come: memory does not grow with them."""
        return self._rows(statement, parameters, self.stream_timeout_s)

    def _rows(
        self, statement: str, parameters: dict[str, Any], timeout_s: float | None
    ) -> Iterator[Row]:
        asked = neo4j.Query(statement, timeout=timeout_s)
        with (
            self.permits.one(),
            self.watch(name_of(statement), "read"),
            _translated(),
            self.driver.session(
                database=self.database, default_access_mode=neo4j.READ_ACCESS
            ) as session,
        ):
            for record in session.run(asked, parameters):
                yield row_of(record)

    def run(self, statement: str, **parameters: Any) -> list[Row]:
        """Run one statement outside a transaction of ours: schema and `IN TRANSACTIONS`."""
        with self.permits.one(), _translated(), self.driver.session(database=self.database) as s:
            return [row_of(r) for r in s.run(statement, parameters)]

    def write(self, work: Callable[[neo4j.Transaction], T]) -> T:
        """Run ``work`` in a transaction of its own and commit it.

        Transient failures, a lost connection and a lost commit answer run it
        again, with back-off and jitter, for ``retry_for_s`` seconds: ``work``
        must be idempotent. Anything else is raised at once.

        What met a deadlock goes on alone among its like: large transactions that
        name the same new nodes would meet again.
        """
        has_met = False

        def may_pass(error: Exception) -> bool:
            nonlocal has_met
            has_met |= _status_is(error, _DEADLOCK)
            return self._is_transient(error)

        with _translated():
            for attempt in stamina.retry_context(
                on=may_pass,
                attempts=None if self.retry_for_s else 1,
                timeout=self.retry_for_s or None,
                wait_initial=0.05,
                wait_max=5.0,
                wait_jitter=0.25,
            ):
                lane = self._one_at_a_time if has_met else nullcontext()
                with attempt, lane, self.permits.one():
                    return self._once(work)
        raise AssertionError("unreachable: the last attempt raises")

    def _once(self, work: Callable[[neo4j.Transaction], T]) -> T:
        with (
            self.driver.session(database=self.database) as session,
            session.begin_transaction(timeout=self.timeout_s) as transaction,
        ):
            result = work(transaction)
            transaction.commit()
            return result

    def _is_transient(self, error: Exception) -> bool:
        transient = is_transient(error)
        if transient and self.on_wait is not None:
            self.on_wait(type(error).__name__)
        return transient


def is_transient(error: Exception) -> bool:
    """Whether the same call may succeed later. Never when the server ran out of memory."""
    if _status_is(error, _OUT_OF_MEMORY):
        return False
    if isinstance(error, failures.IncompleteCommit) or _status_is(error, _OUT_OF_ORDER):
        return True
    if isinstance(error, failures.ServiceUnavailable | failures.SessionExpired):
        return True
    return isinstance(error, failures.DriverError | failures.Neo4jError) and error.is_retryable()


def _status_is(error: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(error, failures.Neo4jError) and bool(pattern.search(error.code or ""))


class _translated:  # noqa: N801 - reads as a word in a with statement
    """Turn what the driver raises into our errors, without the statement's parameters."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, MemgraphError):
            return
        if isinstance(error, failures.AuthError):
            raise GraphRefused(
                "Neo4j refused the user or password; check MEMGRAPH_NEO4J__USER and __PASSWORD",
                status=error.code,
            ) from None
        if _status_is(error, _OUT_OF_MEMORY):
            raise OutOfMemory("Neo4j had too little memory for this; ask for less") from error
        if _status_is(error, _OUT_OF_TIME):
            raise Overloaded("Neo4j took too long for this; ask for less, or later") from error
        if isinstance(error, Exception) and is_transient(error):
            raise GraphUnavailable(
                "Neo4j does not answer; is it running? `memgraph status` tells, "
                "`memgraph up` starts a local one",
                kind=type(error).__name__,
            ) from error
        if isinstance(error, failures.DriverError | failures.Neo4jError):
            status = getattr(error, "code", None) or type(error).__name__
            raise GraphRefused(f"Neo4j refused a statement: {status}", status=status) from error


def row_of(record: neo4j.Record) -> Row:
    """A record as a dict of plain Python values."""
    return {name: native(record[name]) for name in record.keys()}  # noqa: SIM118 - a tuple


_PLAIN = frozenset({str, int, float, bool, type(None)})


def native(value: Any) -> Any:
    """Turn driver values into plain Python: aware UTC datetimes, lists, dicts."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, neo4j.time.DateTime):
        return value.to_native().astimezone(UTC)
    if isinstance(value, list):
        # Vectors and texts are long and need nothing done.
        return value if _PLAIN.issuperset(map(type, value)) else [native(v) for v in value]
    if isinstance(value, Mapping):
        return {k: native(v) for k, v in value.items()}
    return value
