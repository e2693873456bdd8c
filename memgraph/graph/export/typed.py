"""Check one value from a file: its type, its limits. Rules quote nothing of the value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from memgraph.domain.schema import PropertySpec
from memgraph.domain.values import (
    MAX_DEPTH,
    MAX_INTEGER,
    MAX_ITEMS,
    MAX_JSON_CHARS,
    MAX_KEY_CHARS,
    MAX_TEXT_CHARS,
)

MAX_JSON_TEXT_BYTES = 16 * MAX_JSON_CHARS
"""Largest JSON property in a file. Events bound each free-form value before it is encoded;
escapes lengthen it up to sixfold, and a history holds several texts."""
MAX_VECTOR = 4_096
"""Longest vector that a vector index of Neo4j takes."""
MAX_INDEXED_BYTES = 8_000
"""An index entry of Neo4j holds about 8 kB; longer would fail when it is committed."""

Check = Callable[[Any], Any]
"""From a value of a file to what the server takes. Raises ValueError with the rule."""


def check_of(declared: PropertySpec, *, is_key: bool) -> Check:
    """The check of one property."""
    if declared.type == "string" and is_key:
        return _key
    if declared.enum is not None:
        return _one_of(frozenset(member.value for member in declared.enum))
    if declared.type == "string" and declared.index:
        return _indexed
    return _CHECKS[declared.type]


def _string(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
        raise ValueError(f"must be a string of at most {MAX_TEXT_CHARS} characters")
    return value


def _key(value: Any) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_KEY_CHARS:
        raise ValueError(f"must be a string of 1 to {MAX_KEY_CHARS} characters")
    return value


def _indexed(value: Any) -> str:
    text = _string(value)
    if len(text) * 4 > MAX_INDEXED_BYTES and len(text.encode()) > MAX_INDEXED_BYTES:
        raise ValueError(f"must not exceed {MAX_INDEXED_BYTES} bytes: it is indexed")
    return text


def _one_of(values: frozenset[str]) -> Check:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in values:
            raise ValueError(f"must be one of {', '.join(sorted(values))}")
        return value

    return check


def _integer(value: Any) -> int:
    if type(value) is not int or not -MAX_INTEGER - 1 <= value <= MAX_INTEGER:
        raise ValueError("must be an integer of 64 bits")
    return value


_NOT_FINITE = {name: float(name) for name in ("NaN", "Infinity", "-Infinity")}


def _float(value: Any) -> float:
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if type(value) is float or type(value) is int:
        return float(value)
    raise ValueError("must be a number")


def _boolean(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise ValueError("must be true or false")


def _datetime(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        utc: datetime | None = at.astimezone(UTC) if at.tzinfo else None
    except (ValueError, OverflowError, AttributeError):
        utc = None
    if utc is None:
        raise ValueError("must be a time with its zone, ISO 8601")
    return utc


def _json(value: Any) -> str:
    _check_depth(value)
    try:
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        raise ValueError("must be JSON with integers of 64 bits") from None
    if len(text) > MAX_JSON_TEXT_BYTES:
        raise ValueError(f"must not exceed {MAX_JSON_TEXT_BYTES} bytes as JSON")
    return text.decode()


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"must not nest deeper than {MAX_DEPTH}")
        level = [c for item in level for c in _children(item) if isinstance(c, dict | list)]


def _children(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return item.values()
    return item if isinstance(item, list) else ()


def _list_of(check: Check, limit: int) -> Check:
    def check_all(value: Any) -> list[Any]:
        if not isinstance(value, list) or len(value) > limit:
            raise ValueError(f"must be a list of at most {limit}")
        return [check(item) for item in value]

    return check_all


_CHECKS: dict[str, Check] = {
    "string": _string,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "datetime": _datetime,
    "json": _json,
    "strings": _list_of(_string, MAX_ITEMS),
    "floats": _list_of(_float, MAX_VECTOR),
}
