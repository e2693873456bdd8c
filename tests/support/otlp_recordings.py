"""Recordings of what real libraries send: where they lie, and how they are read."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memgraph.services.ingest.formats.otlp import LogRecord, Span, assemble, decode, prefer
from memgraph.services.ingest.formats.records import Problem, Record

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("MEMGRAPH_TEST_DATA", ROOT.parent / "shared" / "data")) / "otlp"
EXCERPT = ROOT / "tests" / "data" / "otlp"
FOLDERS = sorted(p.parent for folder in (DATA, EXCERPT) for p in folder.glob("*/scenario.json"))
"""Every recording that is at hand."""


@dataclass(frozen=True)
class Request:
    """One body, and the door that it was sent to."""

    path: str
    data: bytes

    @property
    def items(self) -> list[Any]:
        read = decode.decode_logs if self.path == "/v1/logs" else decode.decode_traces
        return list(read(self.data, decode.PROTOBUF))


@dataclass(frozen=True)
class Recording:
    """A folder with bodies, what the program did, and what of it was never sent."""

    requests: list[Request]
    expected: dict[str, Any]
    unsent: dict[str, Any]

    @classmethod
    def of(cls, folder: Path) -> Recording:
        scenario = json.loads((folder / "scenario.json").read_bytes())
        unsent = json.loads((folder / "not_in_spans.json").read_bytes())
        requests = [
            Request(said["path"], (folder / said["file"]).read_bytes())
            for said in scenario["requests"]
        ]
        return cls(requests, scenario["expected"], {u["fact"]: u for u in unsent})

    @property
    def _items(self) -> list[Any]:
        return [item for request in self.requests for item in request.items]

    @property
    def spans(self) -> list[Span]:
        return [item for item in self._items if isinstance(item, Span)]

    @property
    def logs(self) -> list[LogRecord]:
        return [item for item in self._items if isinstance(item, LogRecord)]

    @property
    def is_whole(self) -> bool:
        """Say whether no trace is spread over several bodies."""
        told = Counter(
            trace_id for r in self.requests for trace_id in {i.trace_id for i in r.items}
        )
        return set(told.values()) == {1}

    def records(self) -> list[Record]:
        """The events of the whole recording, each once."""
        return assembled(self.spans, self.logs)


def assembled(spans: Iterable[Span], logs: Iterable[LogRecord] = ()) -> list[Record]:
    """The events of all traces, each once; nothing may be refused."""
    known: dict[tuple[str, str], Record] = {}
    for item in assemble(spans, logs):
        assert not isinstance(item, Problem), item
        key = (type(item.event).__name__, item.event.event_id)
        known[key] = prefer(known[key], item) if key in known else item
    return [known[key] for key in sorted(known)]
