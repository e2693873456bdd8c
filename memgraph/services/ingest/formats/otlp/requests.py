"""Which call of a model a tool run answers: by id, else by name and arguments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from memgraph.services.ingest.formats.otlp.history import Asked
from memgraph.services.ingest.formats.otlp.identity import digest
from memgraph.services.ingest.formats.otlp.neutral import Message, ToolRun
from memgraph.services.ingest.formats.otlp.tree import Node


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a model was told of the outcome of a request, when, and by which span we know."""

    message: Message
    when: datetime
    node: Node


@dataclass(slots=True, eq=False)
class Request:
    """A request for a tool that this trace knows of, and what became of it."""

    asked: Asked
    asked_ns: int | None = None
    """When the call of this trace that asked was complete; None for one of a history."""
    told: Told | None = None
    runs: int = 0


class Requests:
    """All requests of one trace, in the order in which they were told."""

    def __init__(self) -> None:
        self._known: dict[str, Request] = {}

    def __iter__(self) -> Iterator[Request]:
        return iter(self._known.values())

    def ask(self, asked: Asked, asked_ns: int | None) -> None:
        """Note a request; ``asked_ns`` is when the call of this trace was complete."""
        known = self._known.setdefault(asked.invocation_id, Request(asked))
        if asked_ns is not None:
            known.asked, known.asked_ns = asked, asked_ns

    def answer(self, asked: Asked, message: Message, when: datetime, node: Node) -> None:
        """Note what a model was told of the outcome; the earliest telling counts."""
        known = self._known[asked.invocation_id]
        if known.told is None or when < known.told.when:
            known.told = Told(message, when, node)

    def take(self, run: ToolRun, start_ns: int) -> tuple[Request | None, int]:
        """Find the request that a run answers, and how many runs answered it before."""
        found = self._find(run, start_ns)
        if found is None:
            return None, 0
        found.runs += 1
        return found, found.runs - 1

    def _find(self, run: ToolRun, start_ns: int) -> Request | None:
        known = self._known.values()
        if run.call_id is not None:
            by_id = [r for r in known if r.asked.request.call_id == run.call_id]
            # A call id may repeat within a session: the one asked last before the run is meant.
            return max(by_id, key=lambda r: _nearness(r, start_ns), default=None)
        named = [r for r in known if r.asked.request.name == run.name and not r.runs]
        before = [r for r in named if r.asked_ns is not None and r.asked_ns <= start_ns]
        earlier = [r for r in named if r.asked_ns is None]
        return next(iter([*_alike(before, run), *before, *_alike(earlier, run)]), None)


def _alike(requests: list[Request], run: ToolRun) -> list[Request]:
    return [r for r in requests if same_arguments(r.asked.request.arguments, run.arguments)]


def _nearness(request: Request, start_ns: int) -> tuple[bool, int]:
    asked_ns = request.asked_ns
    return (asked_ns is not None and asked_ns <= start_ns, asked_ns or 0)


def same_arguments(asked: Any, given: Any) -> bool:
    """Compare arguments; frameworks send a single one bare, or by position."""
    if digest(asked or {}) == digest(given or {}):
        return True
    values = list(asked.values()) if isinstance(asked, dict) else [asked]
    if isinstance(given, list):
        return digest(values) == digest(given)
    return len(values) == 1 and str(values[0]) == str(given)
