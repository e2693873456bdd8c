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
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from memgraph.domain.errors import InvalidInput
from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec, PropertySpec
from memgraph.graph.export.checks import Flaw, Footer, Raw, RawEdge, RawNode
from memgraph.graph.export.files import FORMAT, MANIFEST, VERSION
from memgraph.graph.export.multiset import Digest
from memgraph.graph.export.records import (
    NodeRecord,
    Record,
    content_edges,
    content_nodes,
    content_properties,
    iso,
    key_properties,
)
from memgraph.ids import now

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
        is_node = isinstance(record, NodeRecord)
        name = _node_name(record.label) if is_node else _edge_name(record.ends)
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
