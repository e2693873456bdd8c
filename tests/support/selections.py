"""Selections of every shape: each class by each index, edge and order that it has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memgraph.domain.schema import GraphModel, NodeSpec, PropertySpec
from memgraph.domain.selection import (
    Condition,
    Operator,
    Related,
    Selection,
    Sort,
    check,
    sortable,
)
from memgraph.graph import search
from memgraph.graph import selection as statements
from memgraph.graph.kinds import find_spec
from memgraph.graph.neighbours import neighbours_statement, segments_of

_VALUES: dict[str, Any] = {
    "string": "x",
    "integer": 1,
    "float": 1.0,
    "boolean": True,
    "datetime": "2026-01-01T00:00:00Z",
}


def selections(model: GraphModel) -> Iterator[tuple[str, Selection]]:
    """Selections by name; names of those that need words end in ``by words``."""
    for spec in model.nodes.values():
        if spec.is_content:
            for name, more in _of_class(model, spec):
                yield f"{spec.label} {name}", Selection(spec.snake, **more)


def _of_class(model: GraphModel, spec: NodeSpec) -> Iterator[tuple[str, dict[str, Any]]]:
    for field in sortable(spec):
        yield f"in order of {field}", {"sort": Sort(field)}
    yield "backwards", {"sort": Sort(sortable(spec)[-1], descending=True)}
    key = [spec.by_name[name] for name in spec.key]
    yield "by key", {"where": tuple(_equal(p) for p in key)}
    for declared in spec.properties:
        if declared.index and not (declared.internal or declared.metadata_key):
            yield f"by {declared.name}", {"where": (_equal(declared),)}
        if declared.fulltext:
            words = Condition(declared.name, Operator.CONTAINS, "x")
            yield "by words", {"where": (words,)}
    for segment in segments_of(model, spec):
        id_ = "@".join(
            "2026-01-01T00:00Z" if segment.end.by_name[n].type == "datetime" else "x"
            for n in segment.end.key
        )
        related = Related(segment.edge.type, segment.end.snake, id_, segment.way)
        yield f"with {' '.join(segment.name)}", {"related": (related, related)}


def _equal(declared: PropertySpec) -> Condition:
    value = next(iter(declared.enum)).value if declared.enum else _VALUES[declared.type]
    return Condition(declared.name, Operator.EQ, value)


def is_order(name: str) -> bool:
    """Whether a selection is all of a class in some order, so that it has many pages."""
    return "in order" in name or "backwards" in name


def selection_statements(model: GraphModel) -> dict[str, str]:
    """Every statement that is made for a selection, a search or neighbours."""
    found = {}
    for name, selection in selections(model):
        checked = check(model, selection, lambda kind: find_spec(model, kind))
        first = statements.shape_of(checked)
        found[f"select {name}"] = statements.page_statement(first)
        if is_order(name):
            resumed = statements.shape_of(checked, is_resumed=True)
            found[f"select next {name}"] = statements.page_statement(resumed)
        else:
            counted = statements.count_shape(checked)
            found[f"tally {name}"] = statements.count_statement(counted)
    for spec in model.nodes.values():
        if spec.is_content:
            found[f"count_of_class {spec.label}"] = statements.count_of_class(spec)
            found[f"count_of_store {spec.label}"] = statements.count_of_store(spec)
            if segments := segments_of(model, spec):
                text = neighbours_statement(spec, tuple(segments))
                found[f"neighbours {spec.label}"] = text
        if search.dimensions(spec):
            found[f"nearest {spec.label}"] = search.vector_statement(spec, ())
    for spec in search.searched(model):
        found[f"found {spec.label} by words"] = search.text_statement(spec, ())
    return found
