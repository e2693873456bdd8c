"""File formats: pure readers, file in, records out. Nothing here knows the graph.

A format is a module with ``matches`` and ``read``, and one entry in ``FORMATS``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from memgraph.domain.errors import InvalidInput, shown
from memgraph.services.ingest.formats import chat, events, prompts
from memgraph.services.ingest.formats.json_stream import parse, raw_records
from memgraph.services.ingest.formats.otlp import file as otlp
from memgraph.services.ingest.formats.records import Format, FormatOptions, Problem, Record

AUTO = "auto"
OTLP = "otlp"
FORMATS: Mapping[str, Format] = {OTLP: otlp, "chat": chat, "prompts": prompts, "events": events}
"""By name, in the order in which they are tried."""

_LOOKED_AT = 100
"""Records that may be broken before a file counts as no JSON at all."""


def read(
    path: Path, format_name: str = AUTO, options: FormatOptions | None = None
) -> Iterator[Record | Problem]:
    """Yield the records of a file, and a problem in the place of each refused one.

    Raises InvalidInput at once when the file as a whole cannot be read: missing,
    empty, no JSON, no known format.
    """
    protobuf = otlp.is_protobuf(path)
    first = None if protobuf else _first_record(path)
    if format_name == AUTO:
        format_name = OTLP if protobuf else _format_of(first, path)
    return _format(format_name).read(path, options or FormatOptions())


def detect(path: Path) -> str:
    """Name the format of a file by the shape of its first record."""
    return OTLP if otlp.is_protobuf(path) else _format_of(_first_record(path), path)


def _format(name: str) -> Format:
    if name not in FORMATS:
        raise InvalidInput("format", f"must be one of {', '.join((AUTO, *FORMATS))}")
    return FORMATS[name]


def _format_of(record: Any, path: Path) -> str:
    if isinstance(record, dict):
        for name, format_ in FORMATS.items():
            if format_.matches(record):
                return name
    raise InvalidInput(
        shown(path.name), f"its first record has the shape of no format ({', '.join(FORMATS)})"
    )


def _first_record(path: Path) -> Any:
    """The first record that is JSON; a few broken ones before it do not condemn the file."""
    faults = []
    for raw in islice(raw_records(path), _LOOKED_AT):
        if isinstance(raw, Problem):
            faults.append(f"{raw.error.rule} ({raw.position})")
            continue
        try:
            return parse(raw)
        except InvalidInput as error:
            faults.append(error.rule)
    raise InvalidInput(shown(path.name), faults[0] if faults else "is empty")


__all__ = ["AUTO", "FORMATS", "Format", "FormatOptions", "Problem", "Record", "detect", "read"]
