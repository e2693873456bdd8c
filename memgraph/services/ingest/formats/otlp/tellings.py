"""What is told of one fact more than once, and which telling counts.

A message is told by the call that it was part of, with its time, and again by the history
of every later call, without one. The second kind of event has ``created_at`` among what is
derived. Several tellings of one id are tellings of one message; `prefer` says which holds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import first_problem
from memgraph.services.ingest.formats.records import Problem, Record

RECALLED = "created_at"
"""In ``derived`` of an event that is known from a history only: its time is no one's word."""

_RANK = {"SessionEvent": 0, "AgentEvent": 1, "PromptEvent": 2, "ResponseEvent": 3}


def is_recalled(event: Any) -> bool:
    """Say whether an event is known from the history of a later call only."""
    return RECALLED in (getattr(event, "derived", None) or ())


def prefer(one: Record, other: Record) -> Record:
    """Choose between two tellings of one fact: who says the time, then who says an earlier one.

    Commutative and associative, so tellings may arrive in any order.
    """
    return min(one, other, key=_weight)


def _weight(record: Record) -> tuple[bool, Any, bytes]:
    return (is_recalled(record.event), record.event.timestamp, record.payload)


def in_order(record: Record) -> tuple[Any, ...]:
    """Sort key: by time, then what others hang on first."""
    event = record.event
    return (event.timestamp, _RANK.get(type(event).__name__, 4), event.event_id)


class Tellings:
    """Gathers events of which several may tell the same fact."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], Record] = {}
        self._problems: dict[tuple[str, str], Problem] = {}

    def add(self, make: Callable[[], Any], position: str) -> None:
        """Keep what ``make`` returns, or the problem that it has with it."""
        try:
            event = make()
        except ValidationError as error:
            self.refuse(position, first_problem(error))
        else:
            self.keep(Record.of(event, position))

    def knows(self, class_name: str, event_id: str) -> bool:
        """Say whether an event has been told."""
        return (class_name, event_id) in self._records

    def keep(self, record: Record) -> None:
        key = (type(record.event).__name__, record.event.event_id)
        known = self._records.get(key)
        self._records[key] = prefer(known, record) if known else record

    def refuse(self, position: str, error: InvalidInput) -> None:
        """Note a problem, once for its place and field."""
        self._problems.setdefault((position, error.message), Problem(position, error))

    def all(self) -> list[Record | Problem]:
        """List the events by time, then the problems by place."""
        problems = (self._problems[key] for key in sorted(self._problems))
        return [*sorted(self._records.values(), key=in_order), *problems]
