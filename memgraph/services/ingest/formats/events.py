"""Event files: one event of ours per record, in the form of the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import read_event
from memgraph.services.ingest.formats.json_stream import Raw, parse, raw_records
from memgraph.services.ingest.formats.records import FormatOptions, Problem, Record

_TELLING = {"type", "event_type", "eventType", "event_id", "eventId"}


def matches(record: Mapping[str, Any]) -> bool:
    """Say whether it carries an event's tag or id."""
    return not _TELLING.isdisjoint(record)


def read(path: Path, options: FormatOptions) -> Iterator[Record | Problem]:
    """Yield the events of a file with their original bytes."""
    for raw in raw_records(path):
        yield raw if isinstance(raw, Problem) else _read(raw)


def _read(raw: Raw) -> Record | Problem:
    try:
        return Record(read_event(raw.data), raw.data, raw.position)
    except InvalidInput as error:
        return Problem(raw.position, _syntax_error(raw) or error)


def _syntax_error(raw: Raw) -> InvalidInput | None:
    """Say where in the file the JSON breaks, if that is what is wrong."""
    try:
        parse(raw)
    except InvalidInput as error:
        return error
    return None
