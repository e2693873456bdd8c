"""One migration runner at a time: a lock node with a heartbeat.

Node, properties ``id`` and ``name``, constraints and the name ``John Doe`` for the default
database are those of the Java tool neo4j-migrations (``MigrationsLock.java``), so the two
exclude each other. Ours adds ``owner`` and ``heartbeat_at``: when a runner dies, the next
one takes over. A lock without a heartbeat is the Java tool's and is never taken over.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import neo4j

from memgraph.domain.errors import GraphUnavailable, MemgraphError, MigrationError
from memgraph.graph.session import Graph, row_of
from memgraph.ids import uuid7

HEARTBEAT_S = 5.0
DEAD_AFTER_S = 45
"""A holder that has not given a sign of life for so long is taken for dead."""
POLL_S = 0.25

_NAME_OF_DEFAULT = "John Doe"

_CONSTRAINTS = tuple(
    f"CREATE CONSTRAINT __Neo4jMigrationsLock__has_unique_{name} IF NOT EXISTS "
    f"FOR (n:__Neo4jMigrationsLock) REQUIRE n.{name} IS UNIQUE"
    for name in ("id", "name")
)
# Setting the name takes the node's lock before its heartbeat is read.
_ACQUIRE = """
MERGE (l:__Neo4jMigrationsLock {name: $name})
ON CREATE SET l.id = $id, l.owner = $owner, l.heartbeat_at = datetime()
SET l.name = $name
WITH l, coalesce(l.heartbeat_at < datetime() - duration({seconds: $dead_after_s}), false) AS dead
FOREACH (_ IN CASE WHEN dead THEN [1] ELSE [] END |
  SET l.id = $id, l.owner = $owner, l.heartbeat_at = datetime())
RETURN l.id AS id, l.owner AS owner, l.heartbeat_at AS heartbeat_at
"""
_BEAT = """
MATCH (l:__Neo4jMigrationsLock {id: $id}) SET l.heartbeat_at = datetime() RETURN l.id AS id
"""
_RELEASE = "MATCH (l:__Neo4jMigrationsLock {id: $id}) DELETE l"


@dataclass(frozen=True, slots=True)
class LockState:
    """Who holds the lock. Owner and heartbeat are None for a lock of the Java tool."""

    id: str
    owner: str | None
    heartbeat_at: datetime | None


class MigrationLock:
    """The lock while we hold it, kept alive by a thread."""

    def __init__(self, graph: Graph, id_: str) -> None:
        self.id = id_
        # Permits of its own: a long statement must not keep the heartbeat waiting.
        self._graph = Graph(graph.driver, database=graph.database)
        self._ended = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="migration-lock", daemon=True)

    def check(self) -> None:
        """Raise MigrationError when another runner has taken the lock over."""
        if self._lost.is_set():
            raise lock_lost()

    def _beat(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            with suppress(MemgraphError):  # the next beat tries again
                if not self._graph.run(_BEAT, id=self.id):
                    self._lost.set()

    def __enter__(self) -> MigrationLock:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(HEARTBEAT_S)
        with suppress(GraphUnavailable):  # a lock without heartbeat is taken over
            self._graph.run(_RELEASE, id=self.id)


def lock_lost() -> MigrationError:
    """The error of a runner that was taken for dead."""
    return MigrationError(
        "another runner took the migration lock over, because this one gave no sign of life "
        f"for {DEAD_AFTER_S} s; run the migrations again"
    )


@contextmanager
def migration_lock(
    graph: Graph, wait_s: float, on_progress: Callable[[str], None]
) -> Iterator[MigrationLock]:
    """Hold the lock for the block; wait for it at most ``wait_s`` seconds.

    Raises MigrationError that says who holds it and how to remove it.
    """
    _ensure_constraints(graph)
    lock = MigrationLock(graph, uuid7())
    deadline = time.monotonic() + wait_s
    waiting = False
    while (state := _acquire(graph, lock.id)).id != lock.id:
        if time.monotonic() >= deadline:
            raise _held(state, wait_s)
        if not waiting:
            on_progress(f"waiting for the migrations of {state.owner or 'another tool'}")
            waiting = True
        time.sleep(POLL_S)
    with lock:
        yield lock


def _ensure_constraints(graph: Graph) -> None:
    for statement in _CONSTRAINTS:
        # Runners that begin at once deadlock here, so it is a retried transaction.
        graph.write(partial(_run, statement))


def _run(statement: str, transaction: neo4j.Transaction) -> None:
    transaction.run(statement).consume()


def _acquire(graph: Graph, id_: str) -> LockState:
    parameters = {
        "id": id_,
        # The Java tool keeps this name for the database that is called neo4j.
        "name": _NAME_OF_DEFAULT if graph.database == "neo4j" else graph.database.lower(),
        "owner": f"{platform.node()} process {os.getpid()}",
        "dead_after_s": DEAD_AFTER_S,
    }

    def work(transaction: neo4j.Transaction) -> dict[str, Any]:
        return row_of(transaction.run(_ACQUIRE, parameters).single(strict=True))

    return LockState(**graph.write(work))


def _held(state: LockState, wait_s: float) -> MigrationError:
    sign = state.heartbeat_at.isoformat(timespec="seconds") if state.heartbeat_at else "unknown"
    owner = state.owner or "another tool"
    return MigrationError(
        f"{owner} holds the migration lock (last sign of life: {sign}), waited {wait_s:g} s; "
        "when no other migration runs, remove it: MATCH (l:__Neo4jMigrationsLock) DELETE l",
        owner=owner,
        heartbeat_at=sign,
    )
