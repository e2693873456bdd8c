"""Export of a tenant's content to a file, and its inverse. Both stream, with flat memory.

==========  ============================================  ===============================
format      what it is                                    good for
==========  ============================================  ===============================
jsonl       one file of JSON lines, `jsonl`               backup, transfer, ``jq``
parquet     a folder of typed tables, `parquet`           DuckDB, pandas, Spark
graphml     one XML file, `graphml`                       igraph, Gephi, yEd
==========  ============================================  ===============================

All three hold every node and relationship of `records.content_nodes`,
placeholders and tombstones included, and restore them exactly: the digest is
the same, under any tenant. JSON lines and GraphML are packed when their name
ends in ``.gz``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, get_args

from memgraph.domain.errors import InvalidInput
from memgraph.domain.schema import GraphModel
from memgraph.graph.export.checks import Raw, checked
from memgraph.graph.export.files import check_directory, is_compressed, opened, replaced
from memgraph.graph.export.graphml import GraphmlWriter
from memgraph.graph.export.graphml_reader import read_graphml
from memgraph.graph.export.jsonl import JsonlWriter, read_jsonl
from memgraph.graph.export.multiset import Digest, MultisetHash
from memgraph.graph.export.pages import page_statements, read_content
from memgraph.graph.export.parquet import ParquetWriter, read_parquet
from memgraph.graph.export.records import Record
from memgraph.graph.export.restore import Restorer, restore_statements
from memgraph.graph.session import Graph

Format = Literal["jsonl", "parquet", "graphml"]
FORMATS: tuple[Format, ...] = get_args(Format)

_PROGRESS_EVERY = 1_000


@dataclass(frozen=True, slots=True)
class ExportTotals:
    """What was written. ``digest`` is that of exactly these records."""

    nodes: int
    relationships: int
    digest: str


@dataclass(frozen=True, slots=True)
class ImportTotals:
    """What is in the tenant now. ``skipped`` hangs on what was deleted here before."""

    nodes: int
    relationships: int
    skipped: int


class _Writer(Protocol):
    def add(self, record: Record, line: bytes) -> None: ...
    def finish(self, digest: Digest) -> None: ...
    def close(self) -> None: ...


def _ignored(records: int) -> None:
    """No one looks at the progress."""


def export(
    graph: Graph,
    model: GraphModel,
    tenant_id: str,
    target: Path,
    format: Format = "jsonl",
    on_progress: Callable[[int], None] = _ignored,
) -> ExportTotals:
    """Write a tenant's content to ``target``, which appears when it is complete.

    ``on_progress`` gets the number of records written so far. While others write,
    what they add may be in or not; the file is consistent unless they delete.
    Raises InvalidInput when ``target`` cannot be written.
    """
    _check_format(format)
    if format == "parquet":
        check_directory(target)
    elif target.is_dir():
        raise InvalidInput("target", "is a folder; this format writes a file")
    content = MultisetHash(model)
    with (
        replaced(target) as part,
        closing(_writer(part, target, model, tenant_id, format)) as writer,
    ):
        for number, record in enumerate(read_content(graph, model, tenant_id), start=1):
            line = record.line()
            content.add(record, line)
            writer.add(record, line)
            if number % _PROGRESS_EVERY == 0:
                on_progress(number)
        on_progress(content.nodes + content.relationships)
        digest = content.digest()
        writer.finish(digest)
    return ExportTotals(content.nodes, content.relationships, digest.value)


def import_(
    graph: Graph,
    model: GraphModel,
    tenant_id: str,
    source: Path,
    format: Format | None = None,
    on_progress: Callable[[int], None] = _ignored,
) -> ImportTotals:
    """Write what ``source`` holds into a tenant; without ``format`` the content tells.

    The file is read twice: checked to its end before anything is written, then
    written in batches; ``on_progress`` gets the number of records done so far. It
    restores an empty tenant exactly, and again changes nothing; what happens to
    what a tenant has already is said in `restore`. ``tenant_id`` is the caller's
    and never the file's. Raises InvalidInput with position and field, Conflict
    for a fact with other content; batches before it stay.
    """
    read = _READERS[_check_format(format or detect_format(source))]
    for _ in checked(read(source, model), model):
        pass
    restorer = Restorer(graph, model, tenant_id, on_progress)
    restorer.begin()
    for item in checked(read(source, model), model):
        restorer.add(item)
    restorer.flush()
    return ImportTotals(restorer.nodes, restorer.relationships, restorer.skipped)


def detect_format(source: Path) -> Format:
    """Tell the format by the content. Raises InvalidInput when it is none of ours."""
    if source.is_dir():
        return "parquet"
    with opened(source) as file:
        head = file.read(64).lstrip()
    if head.startswith(b"{"):
        return "jsonl"
    if head.startswith(b"<"):
        return "graphml"
    raise InvalidInput("source", f"is none of {', '.join(FORMATS)}")


def statements(model: GraphModel) -> dict[str, str]:
    """Every statement of export and import by name, for the check of their plans."""
    return page_statements(model) | restore_statements(model)


_READERS: dict[Format, Callable[[Path, GraphModel], Iterator[Raw]]] = {
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "graphml": read_graphml,
}


def _writer(
    part: Path, target: Path, model: GraphModel, tenant_id: str, format_: Format
) -> _Writer:
    if format_ == "parquet":
        return ParquetWriter(part, model, tenant_id)
    kind = JsonlWriter if format_ == "jsonl" else GraphmlWriter
    return kind(part, model, tenant_id, compressed=is_compressed(target))


def _check_format(format_: Format) -> Format:
    if format_ not in FORMATS:
        raise InvalidInput("format", f"must be one of {', '.join(FORMATS)}")
    return format_
