"""Last writer wins per property: fold changes of something that lives into its state.

The result does not depend on the order of the changes: every property keeps
the value whose clock wins. A clock is (rank, time, event id); the higher rank
wins, then the later time, but of what is said in passing (rank ``WEAK``) the
first word stays. So clocks of a node only ever move one way, and a change that
does nothing to a state does nothing to any later one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any

import orjson

from memgraph.domain.mutations import WEAK
from memgraph.ids import iso

Clock = tuple[int, str, str]
"""Rank, time as ISO 8601 UTC with microseconds, event id."""

BOOKKEEPING = frozenset({"created_at", "updated_at", "clocks", "write_id"})
"""Properties of living nodes that carry no clock of their own."""


class Folded(Enum):
    """What a change did to the state."""

    CHANGED = auto()
    UNCHANGED = auto()
    CONFLICT = auto()


def clock_of(rank: int, occurred_at: datetime, event_id: str) -> Clock:
    """The clock of a change."""
    return (rank, iso(occurred_at), event_id)


def beats(one: Clock, other: Clock) -> bool:
    """Whether what ``one`` said replaces what ``other`` said."""
    if one[0] != other[0]:
        return one[0] > other[0]
    return one[1:] < other[1:] if one[0] == WEAK else one[1:] > other[1:]


@dataclass(slots=True)
class LivingState:
    """Encoded values and clocks of one living node; times are texts as `iso` makes them."""

    values: dict[str, Any] = field(default_factory=dict)
    clocks: dict[str, Clock] = field(default_factory=dict)
    created_at: str | None = None
    updated_at: str | None = None

    @classmethod
    def stored(cls, properties: Mapping[str, Any], clocked: frozenset[str]) -> LivingState:
        """Read the state from a node's properties; ``clocked`` names those with a clock."""
        encoded = {n: iso(v) if isinstance(v, datetime) else v for n, v in properties.items()}
        packed: dict[str, list[Any]] = orjson.loads(encoded.get("clocks") or "{}")
        common = packed.pop("*", None)
        values = {n: v for n, v in encoded.items() if n in clocked}
        clocks = {}
        for name in values:
            clock = packed.get(name, common)
            if clock is not None:
                clocks[name] = (clock[0], clock[1], clock[2])
        return cls(values, clocks, encoded.get("created_at"), encoded.get("updated_at"))

    def fold(self, values: Mapping[str, Any], clock: Clock, *, final: bool) -> Folded:
        """Apply a change, or nothing of it when it conflicts.

        Equal clocks with other values conflict, and so does a second ``final``
        word of the same rank.
        """
        if any(self._conflicts(n, v, clock, final) for n, v in values.items()):
            return Folded.CONFLICT
        changed = False
        for name, value in values.items():
            stored = self.clocks.get(name)
            if stored is None or beats(clock, stored):
                changed |= not (final and stored is not None and stored[0] == clock[0])
                self.values[name] = value
                self.clocks[name] = clock
        return Folded.CHANGED if changed else Folded.UNCHANGED

    def seen(self, at: str, *, changed_by: bool) -> None:
        """Keep the earliest time it was named and the newest time something was said of it."""
        self.created_at = at if self.created_at is None else min(self.created_at, at)
        if changed_by:
            self.updated_at = at if self.updated_at is None else max(self.updated_at, at)

    def row(self) -> dict[str, Any]:
        """The columns to write, clocks packed: `*` is the most frequent one."""
        row = dict(self.values)
        row["created_at"] = self.created_at
        if self.updated_at is not None:
            row["updated_at"] = self.updated_at
        if self.clocks:
            row["clocks"] = orjson.dumps(self._packed(), option=orjson.OPT_SORT_KEYS).decode()
        return row

    def _conflicts(self, name: str, value: Any, clock: Clock, final: bool) -> bool:
        stored = self.clocks.get(name)
        if stored is None or self.values.get(name) == value:
            return False
        return stored == clock or (final and stored[0] == clock[0])

    def _packed(self) -> dict[str, Clock]:
        counts = Counter(self.clocks.values())
        common = max(counts, key=lambda clock: (counts[clock], clock))
        packed = {n: c for n, c in self.clocks.items() if c != common}
        return {"*": common, **packed}
