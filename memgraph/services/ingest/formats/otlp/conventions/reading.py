"""How attributes are read: small readers that the tables of the conventions are made of."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import orjson

from memgraph.domain.values import MAX_COUNT
from memgraph.services.ingest.formats.messages import json_or_text
from memgraph.services.ingest.formats.otlp.spans import Span

_T = TypeVar("_T")

Reader = Callable[[Span], Any]
"""From a span to the value of one field; None when the span does not say it."""
Table = Mapping[str, Reader]

_NESTED = 3
"""How often JSON may lie inside a string of JSON."""


def value(*names: str) -> Reader:
    """Read the first of these attributes that is there and not empty."""

    def read(span: Span) -> Any:
        return first(span.attributes.get(name) for name in names)

    return read


def text(*names: str) -> Reader:
    """Read a text; a number is written as one."""

    def read(span: Span) -> str | None:
        return first(as_text(span.attributes.get(name)) for name in names)

    return read


def count(*names: str) -> Reader:
    """Read a whole number from 0."""

    def read(span: Span) -> int | None:
        return first(as_count(span.attributes.get(name)) for name in names)

    return read


def texts(*names: str) -> Reader:
    """Read a list of texts, or JSON of one; empty when there is none."""

    def read(span: Span) -> tuple[str, ...]:
        found = first(decoded(span.attributes.get(name)) for name in names)
        items = found if isinstance(found, list) else [] if found is None else [found]
        return tuple(t for item in items if (t := as_text(item)))

    return read


def mapping(*names: str) -> Reader:
    """Read JSON of an object; None when there is none."""

    def read(span: Span) -> dict[str, Any] | None:
        return first(as_mapping(span.attributes.get(name)) for name in names)

    return read


def json(*names: str) -> Reader:
    """Read a value that may be JSON inside a string; what is no JSON stays text."""

    def read(span: Span) -> Any:
        return first(loose(span.attributes.get(name)) for name in names)

    return read


def either(*readers: Reader) -> Reader:
    """Read by the first reader that finds something."""

    def read(span: Span) -> Any:
        return first(reader(span) for reader in readers)

    return read


def event_time(*names: str) -> Reader:
    """Read the time of the first event of one of these names, in ns."""

    def read(span: Span) -> int | None:
        return min((e.time_ns for e in span.events if e.name in names), default=None)

    return read


def first(values: Iterable[_T | None]) -> _T | None:
    """The first value that is neither None nor empty; 0 and False are values."""
    return next((v for v in values if v not in (None, "", [], {}, ())), None)


def as_text(found: Any) -> str | None:
    """Take a text that is not empty; a number is written as one."""
    if isinstance(found, bool) or found is None:
        return None
    if isinstance(found, int | float):
        return str(found)
    return found if isinstance(found, str) and found else None


def as_count(found: Any) -> int | None:
    """Take a whole number from 0, however the wire writes it."""
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 20:
        found = int(found)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    if isinstance(found, bool) or not isinstance(found, int):
        return None
    return found if 0 <= found <= MAX_COUNT else None


def as_number(found: Any) -> float | None:
    """Take a number, or a text that is one."""
    if isinstance(found, str):
        try:
            found = float(found)
        except ValueError:
            return None
    return float(found) if isinstance(found, int | float) else None


def as_mapping(found: Any) -> dict[str, Any] | None:
    """Take an object, or JSON of one."""
    found = decoded(found)
    return found if isinstance(found, dict) else None


def decoded(found: Any) -> Any:
    """Unpack JSON of an object or a list from a string, or a string of a string."""
    for _ in range(_NESTED):
        if not isinstance(found, str) or not found.lstrip().startswith(("[", "{", '"')):
            break
        try:
            found = orjson.loads(found)
        except orjson.JSONDecodeError:
            break
    return found


def loose(found: Any) -> Any:
    """Read any JSON from a string, within the limits of the graph; else it stays text."""
    for _ in range(_NESTED):
        if not isinstance(found, str):
            break
        read = json_or_text(found)
        if read is found or read == found:
            break
        found = read
    return found


def python_literal(found: str) -> Any:
    """Read the repr of a Python object, list or text; None when it is none."""
    if not found.startswith(("{", "[", "'", '"')):
        return None
    try:
        return ast.literal_eval(found)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None


def indexed(attributes: Mapping[str, Any], prefix: str) -> list[Any]:
    """Gather flat attributes ``prefix.<N>.…`` into a list of trees, in the order of N.

    >>> indexed({"m.0.role": "user", "m.0.parts.0.text": "hi"}, "m")
    [{'role': 'user', 'parts': [{'text': 'hi'}]}]
    """
    tree: dict[str, Any] = {}
    start = prefix + "."
    for name, found in attributes.items():
        if not name.startswith(start):
            continue
        *path, leaf = name.removeprefix(start).split(".")
        node = tree
        for step in path:
            child = node.setdefault(step, {})
            if not isinstance(child, dict):
                child = node[step] = {}
            node = child
        if not isinstance(node.get(leaf), dict):
            node[leaf] = found
    listed = _listed(tree)
    return listed if isinstance(listed, list) else []


def _listed(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if node and all(key.isascii() and key.isdigit() for key in node):
        return [_listed(node[key]) for key in sorted(node, key=int)]
    return {key: _listed(child) for key, child in node.items()}
