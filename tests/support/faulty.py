"""A real graph whose server fails when it is told to."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import TypeVar

import neo4j
from neo4j.exceptions import IncompleteCommit, Neo4jError

from memgraph.graph.session import Graph

T = TypeVar("T")

FULL_DISK = (
    "Neo.DatabaseError.Transaction.TransactionLogError",
    "Neo.DatabaseError.Transaction.TransactionStartFailed",
)
"""What Neo4j says when its disk is full: first once, then until it is started again."""


class FaultyGraph(Graph):
    """Fails inside ``write``, where the driver would. Bounded copies of it fail with it."""

    def __init__(self, graph: Graph, *, retry_for_s: float, lose_every: int = 0) -> None:
        """Every so many commits the answer does not arrive."""
        super().__init__(graph.driver, database=graph.database, retry_for_s=retry_for_s)
        self._lose_every = lose_every
        self._commits = itertools.count(1)
        self._refusals = itertools.count()
        self.lost: list[int] = []
        """Commits whose answer was lost, by their number."""
        self.refused: list[str] = []
        self.is_full = threading.Event()
        """Set: the disk has no room."""

    def _once(self, work: Callable[[neo4j.Transaction], T]) -> T:
        if self.is_full.is_set():
            status = FULL_DISK[min(next(self._refusals), len(FULL_DISK) - 1)]
            self.refused.append(status)
            raise Neo4jError._hydrate_neo4j(code=status, message="no space left on device")
        result = super()._once(work)
        number = next(self._commits)
        if self._lose_every and number % self._lose_every == 0:
            self.lost.append(number)
            raise IncompleteCommit("the connection went while the commit was under way")
        return result
