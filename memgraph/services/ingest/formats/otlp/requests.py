"""Which call of a model a tool run answers: by id, else by name and arguments."""

from __future__ import annotations

from collections import defaultdict
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
        self._by_call_id: dict[str, list[Request]] = defaultdict(list)
        self._by_name: dict[str, list[Request]] = defaultdict(list)
        self._by_form: dict[str, list[Request]] = defaultdict(list)

    def __iter__(self) -> Iterator[Request]:
        return iter(self._known.values())

    def ask(self, asked: Asked, asked_ns: int | None) -> None:
        """Note a request; ``asked_ns`` is when the call of this trace was complete."""
        known = self._known.get(asked.invocation_id)
        if known is None:
            known = self._known[asked.invocation_id] = Request(asked)
            wanted = asked.request
            if wanted.call_id is not None:
                self._by_call_id[wanted.call_id].append(known)
            self._by_name[wanted.name].append(known)
            for form in _forms_of_asked(wanted.arguments):
                self._by_form[wanted.name + form].append(known)
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
        if run.call_id is not None:
            # A call id may repeat within a session: the one asked last before the run is meant.
            same = self._by_call_id[run.call_id]
            return max(same, key=lambda r: _nearness(r, start_ns), default=None)
        name = run.name or ""
        alike = [self._by_form[name + form] for form in _forms_of_given(run.arguments)]
        for requests in (*alike, self._by_name[name]):
            # A run answers once, so those at the front are done for good.
            while requests and requests[0].runs:
                del requests[0]
            for request in requests:
                asked_ns = request.asked_ns
                if not request.runs and asked_ns is not None and asked_ns <= start_ns:
                    return request
        earlier = (r for requests in alike for r in requests if not r.runs)
        return next((r for r in earlier if r.asked_ns is None), None)


def _nearness(request: Request, start_ns: int) -> tuple[bool, int]:
    asked_ns = request.asked_ns
    return (asked_ns is not None and asked_ns <= start_ns, asked_ns or 0)


def _forms_of_asked(arguments: Any) -> set[str]:
    """The ways in which a framework may hand on arguments: by name, by position, one bare."""
    values = list(arguments.values()) if isinstance(arguments, dict) else [arguments]
    forms = {digest(arguments or {}), digest(values)}
    return forms | {f"bare {values[0]}"} if len(values) == 1 else forms


def _forms_of_given(arguments: Any) -> tuple[str, str]:
    return digest(arguments or {}), f"bare {arguments}"
