"""How programs export when their library leaves it to them. Where to is in the environment."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry._logs import get_logger_provider, set_logger_provider
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor


def provider() -> TracerProvider:
    """Export each span in a body of its own: children come before their parents."""
    made = TracerProvider()
    made.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(made)
    return made


def logger_provider() -> LoggerProvider:
    """Export log records together."""
    made = LoggerProvider()
    made.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    set_logger_provider(made)
    return made


def flush() -> None:
    """Send what is left."""
    for made in (trace.get_tracer_provider(), get_logger_provider()):
        if isinstance(made, TracerProvider | LoggerProvider):
            made.shutdown()
