"""List what a node is tied to, page by page: by type, direction and class, then by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec
from memgraph.domain.selection import Way
from memgraph.graph.kinds import TypedKey, show_key
from memgraph.graph.nodes import public
from memgraph.graph.plan import decode
from memgraph.graph.selection import VISIBLE, projection, reader_of
from memgraph.graph.selector import Page, Position
from memgraph.graph.session import Graph, Row
from memgraph.ids import iso


@dataclass(frozen=True, slots=True)
class Segment:
    """All neighbours by one type of edge, in one direction, of one class."""

    edge: EdgeSpec
    way: Way
    end: NodeSpec

    @property
    def name(self) -> list[str]:
        return [self.edge.type, self.way.value, self.end.label]


def segments_of(model: GraphModel, spec: NodeSpec) -> list[Segment]:
    """What a node of a class can be tied to, in the order of the list."""
    nodes, edges = model.nodes, model.edges.values()
    out = [Segment(e, Way.OUT, nodes[e.end]) for e in edges if e.start == spec.label]
    into = [Segment(e, Way.IN, nodes[e.start]) for e in edges if e.end == spec.label]
    return sorted((s for s in [*out, *into] if s.end.is_content), key=lambda s: s.name)


class NeighbourReader:
    """List neighbours in one graph. Threads may share it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def page(
        self,
        tenant_id: str,
        spec: NodeSpec,
        key: TypedKey,
        segments: Sequence[Segment],
        *,
        limit: int,
        after: Position | None = None,
    ) -> Page:
        """At most ``limit`` neighbours of a node after a position. One round trip."""
        rows = self._graph.read(
            neighbours_statement(spec, tuple(segments)),
            tenant_id=tenant_id,
            limit=limit + 1,
            **{f"root_{name}": value for name, value in zip(spec.key, key, strict=True)},
            **_after(segments, after),
        )
        found = [_neighbour(segments[row["segment"]], row) for row in rows]
        if len(found) <= limit:
            return Page(found, None)
        last = segments[rows[limit - 1]["segment"]]
        return Page(found[:limit], _position(last, found[limit - 1]))


def _neighbour(segment: Segment, row: Row) -> Row:
    edge, end = segment.edge, segment.end
    node = public(end, reader_of(end)(row["node"]))
    said = {n: v for n, v in row["edge"].items() if v is not None and not edge.by_name[n].internal}
    return {
        "type": edge.type,
        "direction": segment.way.value,
        "kind": end.snake,
        "id": show_key(node[name] for name in end.key),
        "properties": decode(edge, said),
        "node": node,
    }


def _position(segment: Segment, found: Row) -> Position:
    values = (found["node"][name] for name in segment.end.key)
    return [*segment.name, *(iso(v) if isinstance(v, datetime) else v for v in values)]


def _after(segments: Sequence[Segment], position: Position | None) -> Row:
    widest = max((len(s.end.key) for s in segments), default=0)
    parameters: Row = {f"after_{i}": None for i in range(widest)}
    if position is None:
        return {**parameters, "segment": -1}
    name, key = position[:3], position[3:]
    # A segment that is not listed any more: go on with the next one.
    at = sum(s.name < name for s in segments)
    if at == len(segments) or segments[at].name != name:
        return {**parameters, "segment": at - 0.5}
    for i, (part, value) in enumerate(zip(segments[at].end.key, key, strict=True)):
        is_time = segments[at].end.by_name[part].type == "datetime"
        parameters[f"after_{i}"] = datetime.fromisoformat(value) if is_time else value
    return {**parameters, "segment": at}


@lru_cache(maxsize=1_024)
def neighbours_statement(spec: NodeSpec, segments: tuple[Segment, ...]) -> str:
    """A row for each neighbour after ``$segment`` and ``$after_…``, in order, ``$limit`` at most.

    Each segment gives no more than the page needs, and those before it none.
    """
    keys = "".join(f", {name}: $root_{name}" for name in spec.key)
    parts = "\n  UNION ALL\n".join(_part(i, segment) for i, segment in enumerate(segments))
    return (
        f"MATCH (a:{spec.label}{VISIBLE} {{tenant_id: $tenant_id{keys}}})\n"
        f"CALL (a) {{\n{parts}\n}}\n"
        f"RETURN segment, edge, node LIMIT $limit"
    )


def _part(number: int, segment: Segment) -> str:
    end = segment.end
    columns = [f"n.{name}" for name in end.key]
    behind = ""
    for i, column in reversed(list(enumerate(columns))):
        is_after = f"{column} > $after_{i}"
        behind = f"{is_after} OR {column} = $after_{i} AND ({behind})" if behind else is_after
    left, right = ("-", "->") if segment.way is Way.OUT else ("<-", "-")
    return (
        f"  MATCH (a){left}[r:{segment.edge.type}]{right}"
        f"(n:{end.label}{VISIBLE} {{tenant_id: $tenant_id}})\n"
        f"  WHERE $segment <= {number} AND ($segment < {number} OR {behind})\n"
        f"  WITH r, n ORDER BY {', '.join(columns)} LIMIT $limit\n"
        f"  RETURN {number} AS segment, properties(r) AS edge, [{projection(end)}] AS node"
    )
