"""Spans and log records as OTLP sends them, free of any library, and their bytes for an inbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

EVENT_NAME = "memgraph.event"
"""Name of a log record whose body is an event of ours, as JSON: nothing has to be made out."""
ERROR = 2
"""Status code of a span that failed; 0 and 1 did not."""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened while a span ran."""

    name: str
    time_ns: int
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """One span. Ids are hex, times are nanoseconds since 1970, attribute values plain JSON."""

    trace_id: str
    span_id: str
    name: str
    start_ns: int
    end_ns: int
    parent_span_id: str | None = None
    kind: int = 0
    status_code: int = 0
    status_message: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[SpanEvent, ...] = ()
    scope: str = ""
    resource: Mapping[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.status_code == ERROR

    @property
    def position(self) -> str:
        """Where it stood, for reports."""
        return f"trace {self.trace_id}, span {self.span_id}"


@dataclass(frozen=True, slots=True)
class LogRecord:
    """One log record; those of the GenAI conventions hold messages of the span they name."""

    trace_id: str
    span_id: str
    time_ns: int
    event_name: str = ""
    body: Any = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    scope: str = ""
    resource: Mapping[str, Any] = field(default_factory=dict)

    @property
    def event(self) -> bytes | None:
        """The event of ours that it carries."""
        if self.event_name != EVENT_NAME:
            return None
        return self.body.encode() if isinstance(self.body, str) else orjson.dumps(self.body)


def pack(item: Span | LogRecord) -> bytes:
    """Write one as JSON; equal ones give equal bytes."""
    return orjson.dumps(item, option=orjson.OPT_SORT_KEYS)


def unpack_span(data: bytes) -> Span:
    """Read back what ``pack`` wrote of a span."""
    fields = orjson.loads(data)
    fields["events"] = tuple(SpanEvent(**event) for event in fields["events"])
    return Span(**fields)


def unpack_log(data: bytes) -> LogRecord:
    """Read back what ``pack`` wrote of a log record."""
    return LogRecord(**orjson.loads(data))
