"""Every statement that the program can send, by name, and what is asked of its plan.

One place: `all_statements`. `test_statements` proves that nothing is missing from it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from functools import _lru_cache_wrapper
from types import ModuleType
from typing import Any, get_type_hints

import memgraph.graph
from memgraph.domain.schema import GraphModel
from memgraph.graph import counts, deletion, digest, edge_plan, export, pending, plan
from memgraph.graph.nodes import node_statement
from memgraph.graph.queries import load_queries
from memgraph.graph.traversal import Direction, lineage_statement
from tests.support.selections import selection_statements

DIRECTIONS: tuple[tuple[Direction, ...], ...] = (("up",), ("down",), ("up", "down"))

GENERATORS = frozenset(
    {
        *(f"plan.{name}" for name in ("merge_new", "fill_placeholders", "read_hashes")),
        *(f"plan.{name}" for name in ("lock_and_read", "update_living")),
        *(f"plan.{name}" for name in ("mention", "correct_mention")),
        *(f"edge_plan.{name}" for name in ("merge_edges", "merge_fact_edges")),
        *(f"export.pages.{name}" for name in ("page_of_nodes", "page_of_edges")),
        *(f"export.restore.{name}" for name in ("create_nodes", "restore_nodes")),
        *(f"export.restore.{name}" for name in ("merge_edges", "find_ends")),
        "traversal.lineage_statement",
        "nodes.node_statement",
        *(f"selection.{name}" for name in ("page_statement", "count_statement")),
        *(f"selection.{name}" for name in ("count_of_class", "count_of_store")),
        *(f"search.{name}" for name in ("text_statement", "vector_statement")),
        "neighbours.neighbours_statement",
        *(f"pending.{name}" for name in ("list_pending", "complete")),
        *(f"deletion.{name}" for name in ("find_scores", "bury", "delete_edges_of_tombstones")),
    }
)
"""The functions that `all_statements` calls, directly or by way of their module."""

_CLAUSE = re.compile(r"\n?(?:OPTIONAL MATCH|MATCH|MERGE|UNWIND|CALL|CREATE|SHOW|RETURN|WITH)\b")
_ADMINISTRATION = re.compile(r"\n?(?:CREATE|SHOW|DROP)\b")


def all_statements(model: GraphModel) -> dict[str, str]:
    """Every statement by name; the first word of a name says what makes it."""
    found = {f"query {name}": query.text for name, query in load_queries().items()}
    found |= _node_statements(model) | _edge_statements(model)
    found |= {f"constant {n}": text for n, text in constants() if _is_planned(text)}
    for spec in model.nodes.values():
        if spec.is_content:
            found[f"node {spec.label}"] = node_statement(model, spec.label)
            for directions in DIRECTIONS:
                name = f"lineage {spec.label} {' and '.join(directions)}"
                found[name] = lineage_statement(model, spec.label, directions)
    found |= selection_statements(model)
    found["count by store"] = counts.store_statement(model)
    found["census"] = counts.census_statement(model)
    found["count by index"] = counts.index_statement(model)
    for module in (digest, export):
        found |= {f"{_kind(name)} {name}": t for name, t in module.statements(model).items()}
    return found


def _kind(name: str) -> str:
    return "page" if name.startswith("page_") else "restore"


def _node_statements(model: GraphModel) -> dict[str, str]:
    found = {}
    for spec in model.nodes.values():
        columns = frozenset(p.name for p in spec.properties)
        for with_columns in (plan.merge_new, plan.fill_placeholders, plan.update_living):
            found[f"{with_columns.__name__} {spec.label}"] = with_columns(spec, columns)
        for plain in (plan.read_hashes, plan.lock_and_read, plan.mention, plan.correct_mention):
            found[f"{plain.__name__} {spec.label}"] = plain(spec)
        found[f"bury {spec.label}"] = deletion.bury(spec)
        if spec.label in pending.LABELS:
            found[f"list_pending {spec.label}"] = pending.list_pending(spec)
            found[f"complete {spec.label}"] = pending.complete(spec)
    return found


def _edge_statements(model: GraphModel) -> dict[str, str]:
    found = {}
    for spec in model.edges.values():
        ends = model.nodes[spec.start], model.nodes[spec.end]
        name = " ".join(spec.ends)
        columns = frozenset(p.name for p in spec.properties)
        found[f"delete_edges {name}"] = deletion.delete_edges_of_tombstones(spec, *ends)
        if spec.type == "SCORES":
            found[f"find_scores {spec.end}"] = deletion.find_scores(ends[1])
        if spec.is_fact:
            found[f"merge_fact_edges {name}"] = edge_plan.merge_fact_edges(spec, *ends, columns)
            continue
        found[f"merge_edges {name}"] = edge_plan.merge_edges(spec, *ends, columns)
        for sides in (("start",), ("end",), ("start", "end")):
            named = edge_plan.merge_edges(spec, *ends, columns, sides)
            found[f"merge_edges {name} naming {' and '.join(sides)}"] = named
        if columns:
            bare = edge_plan.merge_edges(spec, *ends, frozenset())
            found[f"merge_edges {name} without properties"] = bare
    return found


def graph_modules() -> Iterator[ModuleType]:
    """Every module of ``memgraph.graph``, the only package that sends statements."""
    for found in pkgutil.walk_packages(memgraph.graph.__path__, "memgraph.graph."):
        yield importlib.import_module(found.name)


def constants() -> Iterator[tuple[str, str]]:
    """Module constants that begin like a statement, by module and name."""
    for module in graph_modules():
        for name, value in vars(module).items():
            if isinstance(value, str) and not name.startswith("__") and _CLAUSE.match(value):
                yield f"{_short(module)}.{name}", value


def generators() -> Iterator[str]:
    """Cached functions that make a string: by the house's habit, statements."""
    for module in graph_modules():
        for name, value in vars(module).items():
            if isinstance(value, _lru_cache_wrapper) and value.__module__ == module.__name__:
                hints: dict[str, Any] = get_type_hints(value.__wrapped__)
                if hints["return"] is str and "statement" not in hints:
                    yield f"{_short(module)}.{name}"


def _short(module: ModuleType) -> str:
    return module.__name__.removeprefix("memgraph.graph.")


def _is_planned(text: str) -> bool:
    return not _ADMINISTRATION.match(text)


_ASSIGNED = re.compile(
    r"\b(?:n|r|made|k)\.(?:\w+|`[^`]+`) = "
    r"(?:row\.(?:\w+|`[^`]+`)|datetime\(row\.(?:\w+|`[^`]+`)\)|\$write_id|CASE WHEN .*? END"
    r"|coalesce\(n\.recorded_at, datetime\(\)\))(?:, )?"
)
_ON_MATCH = re.compile(
    r"\n\s*ON (?:CREATE|MATCH) SET …(?=\n)|\nFOREACH \(k [^|]*\| SET …\)| SET …(?=\))"
)


def without_columns(text: str) -> str:
    """A generated statement without the properties that it sets: those depend on the batch."""
    text = _ASSIGNED.sub("…", text)
    text = re.sub("…+", "…", text)
    return _ON_MATCH.sub("", text)
