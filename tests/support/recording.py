"""A graph that keeps the text of every statement that is sent through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import neo4j

from memgraph.graph.session import Graph, Row
from memgraph.graph.transaction import KEEP_PLAN

T = TypeVar("T")


class RecordingGraph(Graph):
    """Sends everything on; ``sent`` is what was sent, in order."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph.driver, database=graph.database)
        self.sent: list[str] = []

    def _rows(
        self, statement: str, parameters: dict[str, Any], timeout_s: float | None
    ) -> Iterator[Row]:
        self.sent.append(statement)
        return super()._rows(statement, parameters, timeout_s)

    def run(self, statement: str, **parameters: Any) -> list[Row]:
        self.sent.append(statement)
        return super().run(statement, **parameters)

    def write(self, work: Callable[[neo4j.Transaction], T]) -> T:
        return super().write(lambda tx: work(cast("neo4j.Transaction", _Recorded(tx, self.sent))))


class _Recorded:
    def __init__(self, transaction: neo4j.Transaction, sent: list[str]) -> None:
        self._transaction = transaction
        self._sent = sent

    def run(self, statement: str, *args: Any, **parameters: Any) -> neo4j.Result:
        self._sent.append(statement.removeprefix(KEEP_PLAN))
        return self._transaction.run(statement, *args, **parameters)
