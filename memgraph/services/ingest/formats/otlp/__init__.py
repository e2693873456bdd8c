"""OTLP: bodies of traces and logs to our events, by way of one neutral form.

``decode_traces`` and ``decode_logs`` read bodies, ``assemble`` makes events of all that is
known of a trace; ``pack`` and ``unpack_…`` keep a span while the rest of its trace is awaited.
Pure: nothing here waits, stores or sends.
"""

from __future__ import annotations

from memgraph.services.ingest.formats.otlp.assemble import assemble
from memgraph.services.ingest.formats.otlp.decode import decode_logs, decode_traces
from memgraph.services.ingest.formats.otlp.spans import (
    LogRecord,
    Span,
    pack,
    unpack_log,
    unpack_span,
)
from memgraph.services.ingest.formats.otlp.tellings import is_recalled, prefer

__all__ = [
    "LogRecord",
    "Span",
    "assemble",
    "decode_logs",
    "decode_traces",
    "is_recalled",
    "pack",
    "prefer",
    "unpack_log",
    "unpack_span",
]
