r"""JSON lines: one object per line, UTF-8; ``.gz`` by name.

::

    {"format": "memgraph-export", "version": 1, "tenant": "acme", "exported_at": "…Z"}
    {"node": "Prompt", "properties": {"created_at": "…Z", "prompt_id": "p-1", …}}
    {"node": "User", "labels": ["Placeholder"], "properties": {"user_id": "u-1"}}
    {"relationship": "PART_OF", "start": ["Prompt", "p-1"], "end": ["Session", "s-1"],
     "properties": {}}
    {"totals": {"nodes": 2, "relationships": 1}, "digest": "…"}

Values are portable ones, see `records`. The last line tells a whole file from
one that was cut off. The digest is that of `memgraph.graph.digest`; a file made
by hand may leave it out. The tenant is for people: an import does not read it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from memgraph.domain.errors import InvalidInput
from memgraph.domain.schema import GraphModel
from memgraph.graph.export.checks import Flaw, Footer, Raw, RawEdge, RawNode
from memgraph.graph.export.files import FORMAT, VERSION, Output, opened
from memgraph.graph.export.multiset import Digest
from memgraph.graph.export.records import NodeRecord, Record
from memgraph.ids import iso, now

MAX_LINE_BYTES = 64 * 1024 * 1024
"""A longer line is no record: the longest that events allow is a fraction of this."""


class JsonlWriter:
    """Write records; relationships may come before nodes, they stand behind them."""

    def __init__(self, path: Path, model: GraphModel, tenant_id: str, *, compressed: bool) -> None:
        self._output = Output(path, compressed=compressed)
        header = {"format": FORMAT, "version": VERSION, "tenant": tenant_id}
        self._output.write(orjson.dumps({**header, "exported_at": iso(now())}) + b"\n")

    def add(self, record: Record, line: bytes) -> None:
        if isinstance(record, NodeRecord):
            self._output.write(line + b"\n")
        else:
            self._output.spool(line + b"\n")

    def finish(self, digest: Digest) -> None:
        self._output.append_spool()
        totals = {
            "nodes": sum(digest.nodes.values()),
            "relationships": sum(digest.relationships.values()),
        }
        self._output.write(orjson.dumps({"totals": totals, "digest": digest.value}) + b"\n")
        self._output.sync()

    def close(self) -> None:
        self._output.close()


def read_jsonl(source: Path, model: GraphModel) -> Iterator[Raw]:
    """Yield what a file says, line by line. Raises InvalidInput for what is no such file."""
    with opened(source) as file:
        lines = _lines(file)
        _check_header(next(lines, ("line 1", None)))
        for position, line in lines:
            try:
                raw = _raw(position, line)
            except Flaw as flaw:
                raise flaw.at(position) from None
            yield raw
            if isinstance(raw, Footer):
                break
        for position, _ in lines:
            raise InvalidInput(position, "comes after the totals")


def _lines(file: BinaryIO) -> Iterator[tuple[str, Any]]:
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        position = f"line {number}"
        if len(line) > MAX_LINE_BYTES:
            raise InvalidInput(position, f"must not exceed {MAX_LINE_BYTES} bytes")
        try:
            yield position, orjson.loads(line)
        except orjson.JSONDecodeError:
            raise InvalidInput(position, "is not JSON, or was cut off") from None


def _check_header(first: tuple[str, Any]) -> None:
    position, header = first
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InvalidInput(position, f"is not the header of a {FORMAT} file")
    if header.get("version") != VERSION:
        raise InvalidInput(position, f"is of a version other than {VERSION}")


def _raw(position: str, line: Any) -> Raw:
    if not isinstance(line, dict):
        raise Flaw("line", "must be an object")
    if "node" in line:
        _only(line, "node", "labels", "properties")
        extra, properties = line.get("labels", []), line.get("properties")
        return RawNode(position, line["node"], extra, properties)
    if "relationship" in line:
        _only(line, "relationship", "start", "end", "properties")
        start, end, properties = line.get("start"), line.get("end"), line.get("properties")
        return RawEdge(position, line["relationship"], start, end, properties)
    if "totals" in line:
        _only(line, "totals", "digest")
        totals = line["totals"] if isinstance(line["totals"], dict) else {}
        return Footer(totals.get("nodes"), totals.get("relationships"), line.get("digest"))
    raise Flaw("line", "is neither a node, a relationship nor the totals")


def _only(line: dict[str, Any], *names: str) -> None:
    if not line.keys() <= set(names):
        raise Flaw("line", f"must have no members but {', '.join(names)}")
