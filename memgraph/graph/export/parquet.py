"""Parquet: a folder with a file per class and a manifest; needs the extra ``parquet``.

::

    manifest.json                                 format, version, totals, digest, files
    nodes/Prompt.parquet                          extra_labels and a typed column per property
    relationships/Prompt-PART_OF-Session.parquet  start_… and end_… keys, then properties

Times are UTC microseconds, JSON properties their canonical text, what a node
does not have is null. The manifest is written last. Row groups are cut by rows
and by bytes, so that neither side keeps more than one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from memgraph.domain.errors import InvalidInput
from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec, ValueType
from memgraph.graph.export.checks import Flaw, Footer, Raw, RawEdge, RawNode
from memgraph.graph.export.files import FORMAT, MANIFEST, VERSION
from memgraph.graph.export.multiset import Digest
from memgraph.graph.export.records import (
    NodeRecord,
    Record,
    content_edges,
    content_nodes,
    content_properties,
    key_properties,
)
from memgraph.ids import iso, now

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP_ROWS = 10_000
ROW_GROUP_BYTES = 16_000_000
READ_ROWS = 1_000

_NODES, _RELATIONSHIPS = "nodes", "relationships"
_EXTRA_LABELS = "extra_labels"


class ParquetWriter:
    """Write records, class by class, into a folder."""

    def __init__(self, path: Path, model: GraphModel, tenant_id: str) -> None:
        check_installed()
        self._path = path
        self._tenant_id = tenant_id
        self._tables = {table.name: table for table in _tables(model)}
        self._files: dict[str, int] = {}
        self._open: _TableWriter | None = None
        for folder in (path, path / _NODES, path / _RELATIONSHIPS):
            folder.mkdir(mode=0o700)

    def add(self, record: Record, line: bytes) -> None:
        name = _name_of(record)
        if self._open is None or self._open.name != name:
            self._close_table()
            self._open = _TableWriter(self._path, self._tables[name])
        self._open.add(record, len(line))

    def finish(self, digest: Digest) -> None:
        self._close_table()
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "tenant": self._tenant_id,
            "exported_at": iso(now()),
            "totals": {
                "nodes": sum(digest.nodes.values()),
                "relationships": sum(digest.relationships.values()),
            },
            "digest": digest.value,
            "files": self._files,
        }
        with (self._path / MANIFEST).open("wb") as file:
            file.write(orjson.dumps(manifest, option=orjson.OPT_INDENT_2))
            file.flush()
            os.fsync(file.fileno())

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _close_table(self) -> None:
        if self._open is not None:
            self._open.close()
            self._files[self._open.name] = self._open.rows
            self._open = None


class _TableWriter:
    """Write the records of one class to its file, a row group at a time."""

    def __init__(self, folder: Path, table: _Table) -> None:
        import pyarrow.parquet as pq

        self.name = table.name
        self.rows = 0
        self._table = table
        self._schema = _schema(table)
        self._writer = pq.ParquetWriter(folder / table.name, self._schema, compression="zstd")
        self._kept: list[dict[str, Any]] = []
        self._size_bytes = 0

    def add(self, record: Record, size_bytes: int) -> None:
        self._kept.append(self._table.values(record))
        self._size_bytes += size_bytes
        if len(self._kept) >= ROW_GROUP_ROWS or self._size_bytes > ROW_GROUP_BYTES:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        import pyarrow as pa

        if not self._kept:
            return
        arrays = [
            _array([row.get(name) for row in self._kept], type_, self._schema.field(name).type)
            for name, type_ in self._table.columns.items()
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self.rows += len(self._kept)
        self._kept, self._size_bytes = [], 0


@dataclass(frozen=True, slots=True)
class _Table:
    """The file of one class: its path in the folder, its columns with their types."""

    name: str
    columns: dict[str, ValueType]
    spec: NodeSpec | EdgeSpec
    keys: tuple[int, int] = (0, 0)
    """Length of the keys of start and end."""

    def values(self, record: Record) -> dict[str, Any]:
        if isinstance(record, NodeRecord):
            return {_EXTRA_LABELS: list(record.extra) or None, **record.properties}
        key = (*record.start[1:], *record.end[1:])
        return {**dict(zip(self.columns, key, strict=False)), **record.properties}

    def raw(self, position: str, row: dict[str, Any]) -> Raw:
        given = {n: self._portable(n, v) for n, v in row.items() if v is not None}
        if isinstance(self.spec, NodeSpec):
            extra = given.pop(_EXTRA_LABELS, [])
            return RawNode(position, self.spec.label, extra, given)
        middle, end = self.keys[0], sum(self.keys)
        key = [given.pop(name, None) for name in list(self.columns)[:end]]
        starts, ends = [self.spec.start, *key[:middle]], [self.spec.end, *key[middle:]]
        return RawEdge(position, self.spec.type, starts, ends, given)

    def _portable(self, name: str, value: Any) -> Any:
        if self.columns.get(name) != "json":
            return value
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            raise Flaw(name, "is not JSON") from None


def _tables(model: GraphModel) -> list[_Table]:
    """Every table that an export can have, nodes first."""
    tables: list[_Table] = []
    for spec in content_nodes(model):
        columns: dict[str, ValueType] = {_EXTRA_LABELS: "strings"}
        columns |= {p.name: p.type for p in content_properties(spec)}
        tables.append(_Table(_node_name(spec.label), columns, spec))
    for edge in content_edges(model):
        start, end = (key_properties(model.nodes[label]) for label in (edge.start, edge.end))
        columns = {f"start_{p.name}": p.type for p in start}
        columns |= {f"end_{p.name}": p.type for p in end}
        columns |= {p.name: p.type for p in content_properties(edge)}
        tables.append(_Table(_edge_name(edge.ends), columns, edge, (len(start), len(end))))
    return tables


def _name_of(record: Record) -> str:
    if isinstance(record, NodeRecord):
        return _node_name(record.label)
    return _edge_name(record.ends)


def _node_name(label: str) -> str:
    return f"{_NODES}/{label}.parquet"


def _edge_name(ends: tuple[str, str, str]) -> str:
    return f"{_RELATIONSHIPS}/{'-'.join(ends)}.parquet"


def _schema(table: _Table) -> pa.Schema:
    import pyarrow as pa

    types: dict[ValueType, pa.DataType] = {
        "string": pa.string(),
        "integer": pa.int64(),
        "float": pa.float64(),
        "boolean": pa.bool_(),
        "datetime": pa.timestamp("us", tz="UTC"),
        "json": pa.string(),
        "strings": pa.list_(pa.string()),
        "floats": pa.list_(pa.float64()),
    }
    return pa.schema([pa.field(name, types[type_]) for name, type_ in table.columns.items()])


def _array(values: list[Any], type_: ValueType, arrow_type: pa.DataType) -> pa.Array[Any]:
    """A column of portable values."""
    import pyarrow as pa

    if type_ == "datetime":
        return pa.array(values, pa.string()).cast(arrow_type)
    convert = _TO_ARROW.get(type_)
    if convert is not None:
        values = [None if v is None else convert(v) for v in values]
    return pa.array(values, arrow_type)


_TO_ARROW: dict[ValueType, Callable[[Any], Any]] = {
    "json": lambda fragment: orjson.dumps(fragment).decode(),
    "float": float,
    "floats": lambda values: [float(v) for v in values],
}


def read_parquet(source: Path, model: GraphModel) -> Iterator[Raw]:
    """Yield what a folder says. Raises InvalidInput for what is no such folder."""
    check_installed()
    manifest = _manifest(source)
    tables = {table.name: table for table in _tables(model)}
    files = manifest["files"]
    _check_files(source, files, set(tables))
    for name, table in tables.items():
        if name in files:
            rows = yield from _rows(source, table)
            if rows != files[name]:
                raise InvalidInput(name, "has not the rows that the manifest says")
    totals = manifest["totals"]
    yield Footer(totals.get("nodes"), totals.get("relationships"), manifest.get("digest"))


def _manifest(source: Path) -> dict[str, Any]:
    try:
        manifest = orjson.loads((source / MANIFEST).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        raise InvalidInput(
            MANIFEST, "is missing or is not JSON: the export is not complete"
        ) from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise InvalidInput(MANIFEST, f"is not that of a {FORMAT}")
    if manifest.get("version") != VERSION:
        raise InvalidInput(MANIFEST, f"is of a version other than {VERSION}")
    if not all(isinstance(manifest.get(name), dict) for name in ("files", "totals")):
        raise InvalidInput(MANIFEST, "has no files or no totals")
    return manifest


def _check_files(source: Path, files: Mapping[str, Any], known: set[str]) -> None:
    """Only names of ours are ever opened, whatever the manifest says."""
    found = {
        path.relative_to(source).as_posix()
        for folder in (_NODES, _RELATIONSHIPS)
        for path in (source / folder).glob("*")
    }
    if not found <= known or not files.keys() <= known:
        raise InvalidInput("source", "has a file of a class that is not exported")
    if found != files.keys():
        raise InvalidInput("source", "has not the files that the manifest names")


def _rows(source: Path, table: _Table) -> Generator[Raw, None, int]:
    """Yield the rows of a file and return how many there were."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(source / table.name) as file:
            for batch in file.iter_batches(batch_size=READ_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield _row(table, f"{table.name} row {number}", row)
    except (pa.ArrowException, OSError, ValueError, OverflowError):
        # Arrow's messages may quote values.
        raise InvalidInput(table.name, f"cannot be read after row {number}") from None
    return number


def _row(table: _Table, position: str, row: dict[str, Any]) -> Raw:
    try:
        return table.raw(position, row)
    except Flaw as flaw:
        raise flaw.at(position) from None


def check_installed() -> None:
    """Raise InvalidInput when pyarrow is missing."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise InvalidInput(
            "format", 'parquet needs pyarrow: pip install "llm-memory-graph[parquet]"'
        ) from None
