"""Files of OTLP: JSON requests, one per line or in one document, or one protobuf request.

The spans of a trace may lie anywhere in a file, so all are kept in a temporary database on
disk until the last is read. Memory: one record, then one trace, with what a page cache takes.
"""

from __future__ import annotations

import gzip
import sqlite3
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from memgraph.domain.errors import InvalidInput, shown
from memgraph.domain.events import read_event
from memgraph.ids import iso
from memgraph.services.ingest.formats.json_stream import (
    MAX_RECORD_BYTES,
    Raw,
    parse_object,
    raw_records,
)
from memgraph.services.ingest.formats.otlp.assemble import assemble
from memgraph.services.ingest.formats.otlp.decode import (
    JSON,
    PROTOBUF,
    decode_logs,
    decode_traces,
)
from memgraph.services.ingest.formats.otlp.spans import (
    LogRecord,
    Span,
    pack,
    unpack_log,
    unpack_span,
)
from memgraph.services.ingest.formats.otlp.tellings import in_order, prefer
from memgraph.services.ingest.formats.records import FormatOptions, Problem, Record

_TRACES, _LOGS, _METRICS = "resourceSpans", "resourceLogs", "resourceMetrics"
_GZIP = b"\x1f\x8b"
_FIRST_FIELD = b"\n"
"""First byte of a protobuf request: its field 1, of bytes."""
_TABLES = """\
CREATE TABLE heard (trace_id TEXT, is_log INTEGER, data BLOB);
CREATE TABLE told (class TEXT, id TEXT, at TEXT, rank INTEGER, payload BLOB, position TEXT,
                   PRIMARY KEY (class, id)) WITHOUT ROWID;
"""


def matches(record: Mapping[str, Any]) -> bool:
    """Say whether it is a request of OTLP."""
    return not {_TRACES, _LOGS, _METRICS}.isdisjoint(record)


def read(path: Path, options: FormatOptions) -> Iterator[Record | Problem]:
    """Yield problems as they are found, then the events of all traces by time, each once."""
    with closing(sqlite3.connect("")) as spool:
        spool.executescript(_TABLES)
        for item in _items(path):
            if isinstance(item, Problem):
                yield item
            else:
                row = (item.trace_id, isinstance(item, LogRecord), pack(item))
                spool.execute("INSERT INTO heard VALUES (?, ?, ?)", row)
        spool.execute("CREATE INDEX heard_by_trace ON heard (trace_id)")
        yield from _assembled(spool)
        rows = spool.execute("SELECT payload, position FROM told ORDER BY at, rank, id")
        for payload, position in rows:
            yield Record(read_event(payload), payload, position)


def is_protobuf(path: Path) -> bool:
    """Say whether a file is a request in protobuf; one that cannot be read is not."""
    try:
        return bool(_request(path))
    except (OSError, EOFError, zlib.error, InvalidInput):
        return False


def _items(path: Path) -> Iterator[Span | LogRecord | Problem]:
    if is_protobuf(path):
        yield from _request(path)
        return
    for raw in raw_records(path):
        if isinstance(raw, Problem):
            yield raw
            continue
        try:
            items = _document(raw)
        except InvalidInput as error:
            yield Problem(raw.position, error)
            continue
        for item in items:
            if isinstance(item, Problem):
                item = Problem(f"{raw.position}, {item.position}", item.error)
            yield item


def _document(raw: Raw) -> list[Any]:
    """Read one JSON request, or one that holds both spans and log records."""
    document = parse_object(raw)
    items: list[Any] = []
    if _TRACES in document:
        items += decode_traces(raw.data, JSON)
    if _LOGS in document:
        items += decode_logs(raw.data, JSON)
    if {_TRACES, _LOGS}.isdisjoint(document):
        raise InvalidInput("record", f"must hold {_TRACES} or {_LOGS}")
    return items


def _request(path: Path) -> list[Any]:
    """Read a file that is one request in protobuf. Raises InvalidInput when it is none."""
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    with gzip.open(path) if packed else path.open("rb") as file:
        body = file.read(1)
        if body == _FIRST_FIELD:
            body += file.read(MAX_RECORD_BYTES)
    if not body.startswith(_FIRST_FIELD) or len(body) > MAX_RECORD_BYTES:
        raise InvalidInput(shown(path.name), "is no protobuf request")
    for decode in (decode_traces, decode_logs):
        # Read as the other kind of request, it breaks, or every item lacks what is required.
        with suppress(InvalidInput):
            items: list[Any] = list(decode(body, PROTOBUF))
            if any(not isinstance(item, Problem) for item in items):
                return items
    raise InvalidInput(shown(path.name), "is no protobuf request")


def _assembled(spool: sqlite3.Connection) -> Iterator[Problem]:
    """Assemble trace by trace into the table ``told``; yield what is refused."""
    traces = spool.execute("SELECT DISTINCT trace_id FROM heard ORDER BY trace_id").fetchall()
    for (trace_id,) in traces:
        query = "SELECT is_log, data FROM heard WHERE trace_id = ?"
        rows = spool.execute(query, (trace_id,)).fetchall()
        spans = [unpack_span(data) for is_log, data in rows if not is_log]
        logs = [unpack_log(data) for is_log, data in rows if is_log]
        for item in assemble(spans, logs):
            if isinstance(item, Problem):
                yield item
            else:
                _tell(spool, item)


def _tell(spool: sqlite3.Connection, record: Record) -> None:
    key = (type(record.event).__name__, record.event.event_id)
    query = "SELECT payload, position FROM told WHERE class = ? AND id = ?"
    known = spool.execute(query, key).fetchone()
    if known is not None:
        record = prefer(record, Record(read_event(known[0]), known[0], known[1]))
    at, rank = iso(record.event.timestamp), in_order(record)[1]
    row = (*key, at, rank, record.payload, record.position)
    spool.execute("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?, ?)", row)
