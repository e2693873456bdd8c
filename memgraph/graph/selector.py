"""Run selections: pages that begin after a position, streams of pages, counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from memgraph.domain.errors import InvalidInput
from memgraph.domain.schema import GraphModel, NodeSpec
from memgraph.domain.selection import Checked, Operator, Selection, Test, check
from memgraph.graph import selection as statements
from memgraph.graph.counts import is_alone
from memgraph.graph.fulltext import all_words
from memgraph.graph.kinds import find_spec, parse_key
from memgraph.graph.naming import name_of
from memgraph.graph.nodes import public
from memgraph.graph.selection import columns_of, count_shape, reader_of, shape_of
from memgraph.graph.session import Graph, Row
from memgraph.ids import iso

MOST_COUNTED = 10_000
"""Nodes that are counted one by one."""
STREAMED_TOGETHER = 1_000
"""Nodes of a page of a stream."""

Position = list[Any]
"""The order's value and the key of a node, as JSON holds them."""


@dataclass(frozen=True, slots=True)
class Page:
    """Nodes as people see them, and the position of the last when there are more."""

    items: list[Row]
    end: Position | None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many nodes a selection has; ``at_least`` when nobody counted to the end."""

    value: int
    relation: Literal["exact", "at_least"] = "exact"


class Selector:
    """Select nodes of one graph. Threads may share it."""

    def __init__(self, graph: Graph, model: GraphModel) -> None:
        self._graph = graph
        self._model = model

    def check(self, selection: Selection) -> Checked:
        """Check a selection against the classes. Raises InvalidInput."""
        checked = check(self._model, selection, self.find_spec)
        for i, step in enumerate(checked.steps):
            try:
                parse_key(step.end, step.id)
            except InvalidInput as error:
                raise InvalidInput(f"related.{i}.id", error.rule) from None
        return checked

    def find_spec(self, kind: str) -> NodeSpec:
        """The class of a kind. Raises InvalidInput."""
        return find_spec(self._model, kind)

    def page(
        self, tenant_id: str, checked: Checked, *, limit: int, after: Position | None = None
    ) -> Page:
        """At most ``limit`` nodes after a position. One round trip."""
        shape = shape_of(checked, is_resumed=after is not None)
        rows = self._graph.read(
            statements.page_statement(shape),
            tenant_id=tenant_id,
            limit=limit + 1,
            **parameters_of(checked),
            **_after(checked, after),
        )
        read = reader_of(shape.spec)
        found = [read(values) for row in rows for values in row["rows"]]
        end = _position(checked, found[limit - 1]) if len(found) > limit else None
        return Page([public(shape.spec, one) for one in found[:limit]], end)

    def stream(self, tenant_id: str, checked: Checked) -> Iterator[list[Row]]:
        """All nodes, page by page: no permit is held while the caller reads slowly."""
        after: Position | None = None
        while True:
            page = self.page(tenant_id, checked, limit=STREAMED_TOGETHER, after=after)
            yield page.items
            if page.end is None:
                return
            after = page.end

    def explain(self, checked: Checked) -> Row:
        """How a page is found: access, index, and the statement's name in traces."""
        shape = shape_of(checked)
        return {
            "access": shape.access.method,
            "index": shape.access.index,
            "statement": name_of(statements.page_statement(shape)),
        }

    def count(self, tenant_id: str, checked: Checked) -> Counted:
        """How many nodes there are: all of a class exactly, others as far as `MOST_COUNTED`."""
        shape = count_shape(checked)
        if not shape.tests and not shape.steps:
            return Counted(self._count_all(tenant_id, shape.spec))
        rows = self._graph.read(
            statements.count_statement(shape),
            tenant_id=tenant_id,
            limit=MOST_COUNTED + 1,
            **parameters_of(checked),
        )
        n = rows[0]["n"]
        return Counted(MOST_COUNTED, "at_least") if n > MOST_COUNTED else Counted(n)

    def _count_all(self, tenant_id: str, spec: NodeSpec) -> int:
        if is_alone(self._graph, tenant_id):
            rows = self._graph.read(statements.count_of_store(spec), tenant_id=tenant_id)
            # Another tenant may have come in between, and those were its nodes too.
            if is_alone(self._graph, tenant_id):
                return int(rows[0]["n"])
        return int(self._graph.read(statements.count_of_class(spec), tenant_id=tenant_id)[0]["n"])


def parameters_of(checked: Checked) -> Row:
    """The values of a selection."""
    values = values_of(checked.tests)
    for i, step in enumerate(checked.steps):
        key = parse_key(step.end, step.id)
        values |= {f"related_{i}_{n}": v for n, v in zip(step.end.key, key, strict=True)}
    return values


def values_of(tests: Sequence[Test]) -> Row:
    """What the properties are compared with."""
    values: Row = {}
    for i, test in enumerate(tests):
        if test.is_words:
            values["words"] = all_words(test.value)
        elif test.operator is not Operator.EXISTS:
            values[f"value_{i}"] = test.value
    return values


def _position(checked: Checked, node: Row) -> Position:
    values = (node[name] for name in columns_of(checked))
    return [iso(v) if isinstance(v, datetime) else v for v in values]


def _after(checked: Checked, position: Position | None) -> Row:
    if position is None:
        return {}
    declared = [checked.spec.by_name[name] for name in columns_of(checked)]
    return {
        f"after_{i}": datetime.fromisoformat(value) if p.type == "datetime" else value
        for i, (p, value) in enumerate(zip(declared, position, strict=True))
    }
