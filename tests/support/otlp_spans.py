"""Spans made by hand, in the words of conventions of which there is no recording."""

from __future__ import annotations

from typing import Any

from memgraph.services.ingest.formats.otlp import LogRecord, Span, assemble
from memgraph.services.ingest.formats.otlp.spans import SpanEvent
from memgraph.services.ingest.formats.records import Problem, Record

START_NS = 1_767_225_600_000_000_000
TRACE = "0af7651916cd43dd8448eb211c80319c"
OTHER_TRACE = "1bf7651916cd43dd8448eb211c80319c"


def span(
    number: int,
    attributes: dict[str, Any],
    *,
    parent: int | None = None,
    name: str = "span",
    at: int | None = None,
    lasts: int = 5,
    error: str | None = None,
    events: tuple[SpanEvent, ...] = (),
    trace: str = TRACE,
    scope: str = "made.by.hand",
) -> Span:
    """A span by its number; it starts at ``at`` and lasts so many ms, by default 10 after another.

    The number is the time too, unless ``at`` is given.
    """
    start_ns = START_NS + (number * 10 if at is None else at) * 1_000_000
    return Span(
        trace_id=trace,
        span_id=f"{number:016x}",
        parent_span_id=None if parent is None else f"{parent:016x}",
        name=name,
        start_ns=start_ns,
        end_ns=start_ns + lasts * 1_000_000,
        status_code=2 if error is not None else 0,
        status_message=error or "",
        attributes=attributes,
        events=events,
        scope=scope,
    )


def log(number: int, name: str, body: Any, *, ms: int = 0, trace: str = TRACE) -> LogRecord:
    """A log record of the span with this number."""
    return LogRecord(
        trace_id=trace,
        span_id=f"{number:016x}",
        time_ns=START_NS + (number * 10 + ms) * 1_000_000,
        event_name=name,
        body=body,
    )


def events(*spans: Span, logs: tuple[LogRecord, ...] = ()) -> dict[str, list[Any]]:
    """Assemble, with nothing refused: the events by the name of their class, in order."""
    found: dict[str, list[Any]] = {}
    for item in assemble(spans, logs):
        assert isinstance(item, Record), item
        found.setdefault(type(item.event).__name__, []).append(item.event)
    return found


def problems(*spans: Span) -> list[str]:
    """Assemble, and list what was refused."""
    return [item.error.message for item in assemble(spans) if isinstance(item, Problem)]
