"""Compile a selection to one statement per page; `memgraph.graph.selector` runs it.

A page begins after a position, the order's value and the key of a node, so it is
the same whatever is inserted meanwhile. Two habits of the server shape the text:

- Its planner would rather walk an index in the order of the page than follow the
  edges of one node. ``SKIP 0`` keeps it from seeing the order there.
- An index sorts text by code point, everything else by UTF-16 unit. So what an
  index may have sorted is only compared by ``=`` outside of it, and text behind
  the first column is ordered as an expression, which no index answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from memgraph.domain.schema import PLACEHOLDER, TOMBSTONE, NodeSpec, PropertySpec
from memgraph.domain.selection import Checked, Operator, Step, Test, Way
from memgraph.graph.planner import Access, choose
from memgraph.graph.session import Row

_SENT_TOGETHER = 50

VISIBLE = f"&!{PLACEHOLDER}&!{TOMBSTONE}"
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00Z")


@dataclass(frozen=True, slots=True)
class Shape:
    """What the text of a statement depends on: everything but values."""

    spec: NodeSpec
    access: Access
    tests: tuple[tuple[str, str], ...]
    """Names of properties and what is asked of them."""
    steps: tuple[tuple[str, Way, NodeSpec], ...]
    columns: tuple[str, ...] = ()
    """Properties that order a page, the key last."""
    descending: bool = False
    is_resumed: bool = False


def listed(spec: NodeSpec) -> list[PropertySpec]:
    """What a list shows of each node: all but bookkeeping and vectors, which are long."""
    return [
        p
        for p in spec.properties
        if not p.internal and p.name != "tenant_id" and p.type != "floats"
    ]


def projection(spec: NodeSpec, variable: str = "n") -> str:
    """The values of what is listed, for `reader_of`. Times are sent as microseconds since 1970."""
    return ", ".join(
        f"{variable}.{p.name}.epochSeconds * 1000000 + {variable}.{p.name}.microsecond"
        if p.type == "datetime"
        else f"{variable}.{p.name}"
        for p in listed(spec)
    )


@lru_cache(maxsize=256)
def reader_of(spec: NodeSpec) -> Callable[[list[Any]], Row]:
    """What turns the values of `projection` into properties."""
    names = [p.name for p in listed(spec)]
    times = {p.name for p in listed(spec) if p.type == "datetime"}

    def read(values: list[Any]) -> Row:
        found = {n: v for n, v in zip(names, values, strict=True) if v is not None}
        for name in times & found.keys():
            found[name] = _EPOCH + timedelta(microseconds=found[name])
        return found

    return read


def columns_of(checked: Checked) -> tuple[str, ...]:
    """What orders a page: the order's property, then the key."""
    return tuple(dict.fromkeys([checked.order.declared.name, *checked.spec.key]))


def shape_of(checked: Checked, *, is_resumed: bool = False) -> Shape:
    """The shape of a page."""
    return Shape(
        checked.spec,
        choose(checked, is_ordered=True),
        asked_of(checked.tests),
        _ways(checked.steps),
        columns_of(checked),
        checked.order.descending,
        is_resumed,
    )


def count_shape(checked: Checked) -> Shape:
    """The shape of a count. What has no value to be ordered by is in no page, so it is left out."""
    name = checked.order.declared.name
    needed = () if checked.order.declared.required else ((name, Operator.EXISTS.value),)
    tests = (*asked_of(checked.tests), *needed)
    return Shape(checked.spec, choose(checked, is_ordered=False), tests, _ways(checked.steps))


def asked_of(tests: Sequence[Test]) -> tuple[tuple[str, str], ...]:
    """What is asked, without the values."""
    return tuple(
        (
            t.declared.name,
            "words" if t.is_words else t.operator.value if t.is_positive else _MISSING,
        )
        for t in tests
    )


def _ways(steps: Sequence[Step]) -> tuple[tuple[str, Way, NodeSpec], ...]:
    return tuple((s.edge.type, s.way, s.end) for s in steps)


_MISSING = "missing"
_COMPARED = {
    "eq": "{0} = {1}",
    "ne": "coalesce({0} <> {1}, true)",
    "lt": "{0} < {1}",
    "lte": "{0} <= {1}",
    "gt": "{0} > {1}",
    "gte": "{0} >= {1}",
    "in": "{0} IN {1}",
    "contains": "{1} IN {0}",
    "exists": "{0} IS NOT NULL",
    _MISSING: "{0} IS NULL",
}


@lru_cache(maxsize=4_096)
def page_statement(shape: Shape) -> str:
    """Rows of a page, in order. Parameters: values, related keys, after, limit."""
    direction = " DESC" if shape.descending else ""
    order = ", ".join(f"{c}{direction}" for c in ("n.tenant_id", *_ordered(shape)))
    begin = _resume(shape) if shape.is_resumed else f"n.{shape.columns[0]} IS NOT NULL"
    return (
        f"{_match(shape, [begin])}\n"
        f"WITH n ORDER BY {order} LIMIT $limit\n"
        f"WITH collect(n) AS page\n"
        f"UNWIND range(0, size(page) - 1, {_SENT_TOGETHER}) AS at\n"
        f"RETURN [n IN page[at..at + {_SENT_TOGETHER}] |\n"
        f"        [{projection(shape.spec)}]] AS rows"
    )


@lru_cache(maxsize=4_096)
def count_statement(shape: Shape) -> str:
    """How many nodes there are, ``$limit`` at most."""
    return f"{_match(shape, [])}\nWITH n LIMIT $limit\nRETURN count(n) AS n"


@lru_cache(maxsize=256)
def count_of_class(spec: NodeSpec) -> str:
    """How many nodes a class has: a range of its uniqueness index."""
    keys = " AND ".join(f"n.{name} IS NOT NULL" for name in spec.key)
    return (
        f"MATCH (n:{spec.label}{VISIBLE} {{tenant_id: $tenant_id}})\n"
        f"USING INDEX n:{spec.label}({', '.join(spec.identity)})\n"
        f"WHERE {keys}\nRETURN count(n) AS n"
    )


@lru_cache(maxsize=256)
def count_of_store(spec: NodeSpec) -> str:
    """The same from the count store, less what is hidden. Only for a database of this tenant."""
    # The hint, and a test that is no predicate on labels: else a label of all tenants is scanned.
    hidden = " - ".join(
        f"COUNT {{\n  MATCH (h:{extra} {{tenant_id: $tenant_id}})\n"
        f"  USING INDEX h:{extra}(tenant_id)\n"
        f"  WITH labels(h) AS labels WHERE '{spec.label}' IN labels{others}\n"
        f"  RETURN labels\n}}"
        for extra, others in (
            (PLACEHOLDER, ""),
            (TOMBSTONE, f" AND NOT '{PLACEHOLDER}' IN labels"),
        )
    )
    return f"MATCH (n:{spec.label}) WITH count(n) AS every\nRETURN every - {hidden} AS n"


def _match(shape: Shape, more: Sequence[str]) -> str:
    """Bind ``n`` to the nodes that meet everything."""
    spec, access = shape.spec, shape.access
    conditions = [
        *conditions_of(shape.tests),
        *more,
        *(_has_edge(i, step) for i, step in enumerate(shape.steps) if not _is_anchor(shape, i)),
    ]
    if access.method == "fulltext":
        owned = [f"n:{spec.label}{VISIBLE}", "n.tenant_id = $tenant_id"]
        return (
            f"CALL db.index.fulltext.queryNodes('{access.index}', $words) YIELD node AS n\n"
            f"WITH n {_where([*owned, *conditions])}"
        )
    if access.method == "traversal":
        type_, way, end = shape.steps[0]
        return (
            f"MATCH {_related('a', 0, end)}\n"
            f"USING INDEX a:{end.label}({', '.join(access.properties)})\n"
            f"MATCH (n:{spec.label}{VISIBLE} {{tenant_id: $tenant_id}}){_edge(type_, way)}(a)\n"
            f"WITH n SKIP 0 {_where(conditions)}"
        )
    said = {name for name, asked in shape.tests if asked in _BY_INDEX}
    said |= set(shape.columns[:1]) if more else set()
    needed = [f"n.{name} IS NOT NULL" for name in access.properties[1:] if name not in said]
    return (
        f"MATCH (n:{spec.label}{VISIBLE} {{tenant_id: $tenant_id}})\n"
        f"USING INDEX n:{spec.label}({', '.join(access.properties)})\n"
        f"{_where([*conditions, *needed])}"
    )


_BY_INDEX = {"eq", "in", "lt", "lte", "gt", "gte", "exists"}


def conditions_of(tests: Sequence[tuple[str, str]]) -> list[str]:
    """What is asked of ``n``; words are no condition, the full-text index has answered them."""
    return [
        _COMPARED[asked].format(f"n.{name}", f"$value_{i}")
        for i, (name, asked) in enumerate(tests)
        if asked != "words"
    ]


def _where(conditions: Sequence[str]) -> str:
    return "WHERE " + "\n  AND ".join(conditions) if conditions else ""


def _is_anchor(shape: Shape, number: int) -> bool:
    return number == 0 and shape.access.method == "traversal"


def _has_edge(number: int, step: tuple[str, Way, NodeSpec]) -> str:
    type_, way, end = step
    return f"EXISTS {{ (n){_edge(type_, way)}{_related('', number, end)} }}"


def _edge(type_: str, way: Way) -> str:
    return f"-[:{type_}]->" if way is Way.OUT else f"<-[:{type_}]-"


def _related(variable: str, number: int, end: NodeSpec) -> str:
    keys = "".join(f", {name}: $related_{number}_{name}" for name in end.key)
    return f"({variable}:{end.label}{VISIBLE} {{tenant_id: $tenant_id{keys}}})"


def _ordered(shape: Shape) -> Iterator[str]:
    first, *others = shape.columns
    yield f"n.{first}"
    for name in others:
        is_text = shape.spec.by_name[name].type == "string"
        yield f"n.{name} + ''" if is_text else f"n.{name}"


def _resume(shape: Shape) -> str:
    """What comes after ``$after_…``; the first column so that an index can begin there."""
    sign = "<" if shape.descending else ">"
    first, *others = (f"n.{name}" for name in shape.columns)
    if not others:
        return f"{first} {sign} $after_0"
    behind = ""
    for i, column in reversed(list(enumerate(others, start=1))):
        is_after = f"{column} {sign} $after_{i}"
        behind = f"({is_after} OR {column} = $after_{i} AND {behind})" if behind else is_after
    return f"{first} {sign}= $after_0 AND ({first} <> $after_0 OR {behind})"
