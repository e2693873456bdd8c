"""Logs and traces: JSON lines with what is bound to a request, spans, and nothing secret in both.

What reaches a log line passes two filters: values under names that may hold content or
credentials are left out, and what looks like a credential is left out wherever it stands.
Spans carry names that the code gives, never parameters.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.metadata import version
from typing import Any, TextIO

import orjson
import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SERVICE = "llm-memory-graph"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
"""Spans are sent only where this variable, which the OTLP exporter reads, is set."""

REDACTED = "[redacted]"
MOST_DEPTH = 8

_CREDENTIAL_NAMES = frozenset(
    {"api_key", "apikey", "authorization", "cookie", "credential", "credentials", "key"}
    | {"password", "secret", "set_cookie", "token", "url"}
)
_CONTENT_NAMES = frozenset(
    {"arguments", "body", "content", "detail", "documents", "error_message", "input", "message"}
    | {"metadata", "output", "parameters", "params", "payload", "prompt", "query", "response"}
    | {"result", "row", "rows", "statement", "template", "text", "value", "values", "variables"}
)
_SECRET_NAMES = _CREDENTIAL_NAMES | _CONTENT_NAMES
_ENDINGS = ("_password", "_secret", "_token", "_text", "_prompt", "_api_key", "_payload")
_CREDENTIALS = re.compile(
    r"\bmg_[\w-]+(?:\.[\w-]+)+"  # our keys
    r"|\beyJ[\w-]*\.[\w-]+(?:\.[\w-]*)*"  # JSON Web Tokens
    r"|(?<=bearer )\S+|(?<=basic )\S+"
    r"|(?<=://)[^/\s@]*:[^/\s@]*(?=@)",  # user and password of an address
    re.IGNORECASE,
)
_PROPAGATOR = TraceContextTextMapPropagator()

Event = MutableMapping[str, Any]


def redacted(value: Any, depth: int = 0) -> Any:
    """The value without credentials, and without what stands under a secret name."""
    if isinstance(value, str):
        return _CREDENTIALS.sub(REDACTED, value)
    if isinstance(value, bool | int | float) or value is None:
        return value
    if depth >= MOST_DEPTH:
        return REDACTED
    if isinstance(value, Mapping):
        return {
            str(name): REDACTED if _is_secret(str(name)) else redacted(each, depth + 1)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(each, depth + 1) for each in value]
    return _CREDENTIALS.sub(REDACTED, str(value))


@lru_cache(maxsize=1_024)
def _is_secret(name: str) -> bool:
    name = name.lower().replace("-", "_")
    return name in _SECRET_NAMES or name.endswith(_ENDINGS)


# Logs


def configure_logging(stream: TextIO | None = None) -> None:
    """Write what this process logs to ``stream``, standard error by default: one line each.

    A terminal gets lines for people, anything else JSON. The standard library's loggers
    go the same way.
    """
    stream = stream or sys.stderr
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_trace_id,
        _say_where,
        _redact,
    ]
    structlog.configure(
        processors=[*shared, _renderer(stream)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(stream),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)


def _renderer(stream: TextIO) -> Any:
    if stream.isatty():
        return structlog.dev.ConsoleRenderer()
    return lambda _logger, _name, event: orjson.dumps(event, default=str).decode()


def _redact(_logger: Any, _name: str, event: Event) -> Event:
    return {name: _kept(name, value) for name, value in event.items()}


def _kept(name: str, value: Any) -> Any:
    if name in ("event", "_record", "_from_structlog"):
        return redacted(value) if isinstance(value, str) else value
    return REDACTED if _is_secret(name) else redacted(value)


def _add_trace_id(_logger: Any, _name: str, event: Event) -> Event:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
    return event


def _say_where(_logger: Any, _name: str, event: Event) -> Event:
    """Exceptions by type and place: their messages may quote what was sent."""
    found = event.pop("exc_info", None)
    if found:
        error = found[1] if isinstance(found, tuple) else sys.exc_info()[1]
        event["exception"] = type(error).__name__
        event["places"] = traceback.format_tb(error.__traceback__) if error else []
    return event


# Traces


def configure_tracing() -> None:
    """Send spans to the collector that the environment names; without one, make none."""
    if not os.environ.get(ENDPOINT):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    names = {"service.name": SERVICE, "service.version": version(SERVICE)}
    provider = TracerProvider(resource=Resource(names).merge(Resource.create()))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def flush_traces() -> None:
    """Send what is still held back. For the end of a process."""
    shutdown = getattr(trace.get_tracer_provider(), "shutdown", None)
    if shutdown is not None:
        shutdown()


def caller_of(headers: Mapping[str, str]) -> Context:
    """The trace that a request continues (W3C Trace Context)."""
    return _PROPAGATOR.extract(headers) if headers else Context()


def start_request_span(caller: Context) -> Span:
    """Begin the span of a request; it gets its name once the operation is known."""
    if not caller and not _is_traced():
        return trace.INVALID_SPAN
    return _tracer().start_span("request", context=caller, kind=SpanKind.SERVER)


@contextmanager
def statement_span(name: str) -> Iterator[None]:
    """A span for one statement. It holds no other span, so it is not made the current one."""
    if not _is_traced():
        yield
        return
    span = _tracer().start_span(
        name,
        kind=SpanKind.CLIENT,
        attributes={"db.system.name": "neo4j", "db.query.summary": name},
    )
    try:
        yield
    except Exception as error:
        span.set_attribute("error.type", getattr(error, "code", type(error).__name__))
        span.set_status(trace.StatusCode.ERROR)
        raise
    finally:
        span.end()


def _is_traced() -> bool:
    """Whether anybody takes spans."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def _tracer() -> trace.Tracer:
    return trace.get_tracer("memgraph")
