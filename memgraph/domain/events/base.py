"""What all events share: field types with their limits, and the base model."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Annotated, Any

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from memgraph.domain.values import (
    MAX_COUNT,
    MAX_DEPTH,
    MAX_INTEGER,
    MAX_ITEMS,
    MAX_JSON_CHARS,
    MAX_KEY_CHARS,
    MAX_TEXT_CHARS,
)
from memgraph.ids import now

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
"""Nothing that we store happened before: an older time is a unit mixed up."""
CLOCK_SKEW = timedelta(days=1)
"""How far ahead of our clock a sender's may be."""


def _in_utc(value: datetime) -> datetime:
    """The first and the last day of the calendar have no UTC in some zones."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise PydanticCustomError("time_range", "must be in the years 1 to 9999 of UTC") from None


def _check_time(value: datetime) -> datetime:
    value = _in_utc(value)
    if value < EARLIEST:
        raise PydanticCustomError("time_range", "must not be before 2015-01-01")
    if value > now() + CLOCK_SKEW:
        raise PydanticCustomError("time_range", "must not be more than a day in the future")
    return value


def check_json(value: Any) -> Any:
    """Bound depth and size, refuse what Neo4j cannot keep."""
    return value if _is_plain(value) else _check_json(value)


def _is_plain(value: Any) -> bool:
    """Whether a look at its JSON is enough: it is short and flat, with nothing odd in it."""
    try:
        text = orjson.dumps(value)
    except (orjson.JSONEncodeError, RecursionError):
        return False
    opened = text.count(b"[") + text.count(b"{")
    return len(text) <= MAX_JSON_CHARS and opened < MAX_DEPTH and not _ODD.search(text)


# NUL, what has no JSON and became null, and integers that may not fit 64 bits.
_ODD = re.compile(rb"\\u0000|null|[0-9]{18}")


def _check_json(value: Any) -> Any:
    """The same step by step. Iterative: depth is the sender's."""
    stack: list[tuple[Any, int]] = [(value, 1)]
    size = 0
    while stack:
        item, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise PydanticCustomError("json_depth", f"must not nest deeper than {MAX_DEPTH}")
        if isinstance(item, dict):
            stack.extend((child, depth + 1) for child in item.values())
            stack.extend((key, depth) for key in item)
            size += 2
        elif isinstance(item, list):
            stack.extend((child, depth + 1) for child in item)
            size += 2
        elif isinstance(item, str):
            if "\x00" in item:
                raise PydanticCustomError("nul", "must not hold a NUL character")
            size += len(item)
        elif isinstance(item, int) and not isinstance(item, bool) and abs(item) > MAX_INTEGER:
            raise PydanticCustomError("integer_range", "must fit 64 bits")
        elif isinstance(item, float) and not isfinite(item):
            raise PydanticCustomError("finite", "must be a finite number")
        else:
            size += 8
        if size > MAX_JSON_CHARS:
            raise PydanticCustomError("json_size", f"must not exceed {MAX_JSON_CHARS} characters")
    return value


_NO_NUL = r"(?s)\A[^\x00]*\z"
_PART = "(0|[1-9][0-9]{0,4})"
_NO_CONTROL = r"\A[^\x00-\x1f\x7f]+\z"

FREE_TEXT = "free text"
"""Marks the types that hold what people and models write, so that it can be searched."""

Key = Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY_CHARS, pattern=_NO_CONTROL)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1_000, pattern=_NO_NUL)]
Text = Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARS, pattern=_NO_NUL), FREE_TEXT]
Note = Annotated[str, StringConstraints(max_length=20_000, pattern=_NO_NUL), FREE_TEXT]
Version = Annotated[str, StringConstraints(pattern=rf"\A{_PART}\.{_PART}\.{_PART}\z")]
HexId = Annotated[str, StringConstraints(max_length=64, pattern=r"\A[0-9A-Za-z-]+\z")]
AnyTime = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""A time with its zone, such as one that is asked about."""
Timestamp = Annotated[AwareDatetime, AfterValidator(_check_time)]
Count = Annotated[int, Field(ge=0, le=MAX_COUNT)]
Json = Annotated[JsonValue, AfterValidator(check_json), FREE_TEXT]
Metadata = Annotated[dict[str, JsonValue], AfterValidator(check_json), FREE_TEXT]
Names = Annotated[list[Name], Field(max_length=MAX_ITEMS)]
Keys = Annotated[list[Key], Field(max_length=MAX_ITEMS)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, le=MAX_COUNT, allow_inf_nan=False)]


class EventPart(BaseModel):
    """A part of an event: camelCase or snake_case names, unknown fields refused, no coercion."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
    )


class EventBase(EventPart):
    """Every event has an id of its own and a time."""

    event_id: Key
    timestamp: Timestamp


class TraceContext(EventPart):
    trace_id: HexId | None = None
    span_id: HexId | None = None
    parent_span_id: HexId | None = None
