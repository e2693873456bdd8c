"""What events ask of the graph, before any statement: facts, changes, mentions, edges.

One ``Mutation`` per event. The writer turns a batch of them into one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import orjson

Key = tuple[str, ...]
"""Values of a node's key properties, in the order of the class, without the tenant."""
Ref = tuple[str, Key]
"""Label and key of a node."""


WEAK = -1
"""Rank of what is said in passing: the first word stays, any event about the node overrules it."""


class Outcome(StrEnum):
    """What became of a record. The four add up to the records received."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    DEAD_LETTERED = "dead_lettered"


@dataclass(slots=True)
class Edge:
    """An edge between two keys; either end may not have arrived yet."""

    start: Ref
    type: str
    end: Ref
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def ends(self) -> tuple[str, str, str]:
        return (self.start[0], self.type, self.end[0])


@dataclass(slots=True)
class Change:
    """Property values that an event sets on something that lives. None sets nothing.

    A higher ``rank`` wins whatever the times say: a finished call over a pending
    one, a retry over the attempt before. ``WEAK`` is what is only said in passing.
    ``final`` closes its rank: the same rank with other content is a conflict.
    """

    ref: Ref
    properties: dict[str, Any]
    rank: int = 0
    final: bool = False


@dataclass(slots=True)
class Place:
    """Where a prompt stands in its session, for FOLLOWS."""

    session_id: str
    prompt_id: str
    created_at: datetime
    previous_prompt_id: str | None = None
    """The sender says which prompt it follows."""


@dataclass(slots=True)
class Mutation:
    """Everything that one event asks of the graph.

    ``fact`` is the node, or ``fact_edge`` the edge, that the event is; an event
    has at most one of them. The event stands or falls with it: a conflict
    drops the whole mutation.
    """

    event_id: str
    occurred_at: datetime
    fact: Ref | None = None
    fact_properties: dict[str, Any] = field(default_factory=dict)
    fact_edge: Edge | None = None
    changes: list[Change] = field(default_factory=list)
    mentions: list[Ref] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    place: Place | None = None
    enriched: dict[str, Any] = field(default_factory=dict)
    """What enrichment adds to the fact: no part of what the sender said, so not of the hash."""
    sent_hash: int | None = None
    """The hash of what was sent, when the content was redacted since."""
    is_retold: bool = False
    """What is stored already holds, and other words for it are a duplicate, not a conflict."""
    payload: bytes = b""
    """The event as it came in, for a dead letter."""

    def fact_hash(self) -> int:
        """BLAKE2b-64 (RFC 7693) of the canonical content: what two equal events agree on.

        The content is the fact with its edges. How it was sent (event time zone,
        key order, field names) does not matter.
        """
        if self.sent_hash is not None:
            return self.sent_hash
        content = (
            self.fact,
            {k: v for k, v in self.fact_properties.items() if v is not None},
            [_edge_content(e) for e in self._fact_edges()],
        )
        digest = blake2b(
            orjson.dumps(content, option=_CANONICAL, default=str), digest_size=8
        ).digest()
        return int.from_bytes(digest, "big", signed=True)

    def _fact_edges(self) -> Iterator[Edge]:
        if self.fact_edge is not None:
            yield self.fact_edge
        yield from self.edges


_CANONICAL = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


def _edge_content(edge: Edge) -> tuple[Any, ...]:
    return (edge.start, edge.type, edge.end, edge.properties)


@dataclass(frozen=True, slots=True)
class Letter:
    """An event that an earlier step refused and that is kept as a dead letter."""

    code: str
    stage: str
    payload: bytes
    detail: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Ended:
    """Events of a batch that ended before the write: counted and kept in its transaction."""

    totals: Totals
    letters: list[Letter] = field(default_factory=list)


@dataclass(slots=True)
class Refusal:
    """An event of a batch that was not stored, and why."""

    index: int
    code: str
    detail: dict[str, Any]


@dataclass(slots=True)
class WriteResult:
    """What became of a batch, by position, and what it did to the graph."""

    outcomes: list[Outcome]
    refusals: list[Refusal] = field(default_factory=list)
    nodes_created: int = 0
    relationships_created: int = 0
    attempts: int = 1
    relinked: frozenset[str] = frozenset()
    """Labels of nodes that no event of the batch names and whose edges changed all the same."""

    def count(self, outcome: Outcome) -> int:
        return sum(o is outcome for o in self.outcomes)


@dataclass(slots=True)
class Totals:
    """Records received and what became of them."""

    stored: int = 0
    duplicate: int = 0
    rejected: int = 0
    dead_lettered: int = 0

    @property
    def received(self) -> int:
        return self.stored + self.duplicate + self.rejected + self.dead_lettered

    def add(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            setattr(self, outcome.value, getattr(self, outcome.value) + 1)

    def __add__(self, other: Totals) -> Totals:
        return Totals(
            self.stored + other.stored,
            self.duplicate + other.duplicate,
            self.rejected + other.rejected,
            self.dead_lettered + other.dead_lettered,
        )

    def as_dict(self) -> dict[str, int]:
        return {
            "received": self.received,
            "stored": self.stored,
            "duplicate": self.duplicate,
            "rejected": self.rejected,
            "dead_lettered": self.dead_lettered,
        }
