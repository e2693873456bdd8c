"""What goes out: an event for every change of the graph, with ids and figures, never content.

The writer keeps short notes of a batch, `notes_of`; whoever delivers them makes them
into `ChangeEvent`s, `read_notes`. A note is a list: kind, class and id of the node, time, id of
the event that was sent (null when it is that of the node), where it belongs, figures,
edges. It belongs to a session, or, when the batch does not say which, to a node
that does: class and id.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import orjson

from memgraph.domain.edges import DEPENDENTS
from memgraph.domain.errors import OutboxUnreadable
from memgraph.domain.mutations import WEAK, Change, Edge, Mutation, Ref

Note = list[Any]


class ChangeKind(StrEnum):
    """What happened."""

    PROMPT_SUBMITTED = "prompt_submitted"
    RESPONSE_GENERATED = "response_generated"
    TOOL_INVOKED = "tool_invoked"
    AGENT_HANDOFF = "agent_handoff"
    TEMPLATE_INSTANTIATED = "template_instantiated"
    SESSION_CREATED = "session_created"
    SESSION_CLOSED = "session_closed"
    NODE_CREATED = "node_created"
    NODE_UPDATED = "node_updated"
    NODE_DELETED = "node_deleted"
    EDGE_CREATED = "edge_created"


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """One change. ``belongs_to`` is what its order counts in: a session if one is known."""

    kind: ChangeKind
    node_type: str
    node_id: str
    occurred_at: str
    cause: str
    """Id of the event that was sent."""
    belongs_to: Ref
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def session_id(self) -> str | None:
        label, key = self.belongs_to
        return key[0] if label == "Session" else None

    @property
    def key(self) -> str:
        """Events of one key are delivered in order."""
        return self.belongs_to[1][0]

    def within(self, session_id: str) -> ChangeEvent:
        """The same event, in a session."""
        return replace(self, belongs_to=("Session", (session_id,)))

    def id(self, tenant_id: str) -> str:
        """The same for the same change, however often it is delivered."""
        parts = (tenant_id, self.cause, self.kind, self.node_type, self.node_id)
        edge = self.figures if self.kind is ChangeKind.EDGE_CREATED else None
        return blake2b(orjson.dumps((parts, edge)), digest_size=16).hexdigest()

    def to_json(self, tenant_id: str) -> bytes:
        """The event as consumers get it."""
        return orjson.dumps(
            {
                "id": self.id(tenant_id),
                "kind": self.kind,
                "tenant_id": tenant_id,
                "key": self.key,
                "occurred_at": self.occurred_at,
                "node_type": self.node_type,
                "node_id": self.node_id,
                "session_id": self.session_id,
                **self.figures,
            }
        )


_KIND_OF_FACT = {
    "Prompt": ChangeKind.PROMPT_SUBMITTED,
    "Response": ChangeKind.RESPONSE_GENERATED,
}
_FIGURES = {
    "Prompt": {"model_id": "model_id", "text_length": "content_length"},
    "Response": {
        "model_id": "model_id",
        "text_length": "content_length",
        "prompt_tokens": "prompt_tokens",
        "completion_tokens": "completion_tokens",
        "total_tokens": "total_tokens",
        "latency_ms": "latency_ms",
        "cost_usd": "cost_usd",
    },
    "ToolInvocation": {
        "tool_name": "tool_name",
        "status": "status",
        "duration_ms": "duration_ms",
        "retry_count": "retry_count",
    },
}
"""Properties that are told, and how they are called, by class."""
_NONE: dict[str, str] = {}
_UNTOLD = ""
_TOLD = {
    ("Prompt", "PART_OF"): None,
    ("Prompt", "USES_MODEL"): None,
    ("Prompt", "HANDLED_BY"): "agent_id",
    ("Prompt", "INSTANTIATES"): None,
    ("Response", "RESPONDS_TO"): "prompt_id",
    ("Response", "USES_MODEL"): None,
    ("ToolInvocation", "INVOKES"): "response_id",
}
"""Edges that make no event: what is at their other end is told under this name, or already."""


def notes_of(mutations: Iterable[Mutation]) -> list[Note]:
    """What is to be told of mutations that were stored, in order."""
    mutations = list(mutations)
    parents = _parents(mutations)
    return [note for mutation in mutations for note in _notes(mutation, parents)]


def notes_of_deleted(
    refs: Iterable[Ref], at: datetime, session_id: str | None = None
) -> list[Note]:
    """What is to be told of nodes that were deleted."""
    return [
        _note(ChangeKind.NODE_DELETED, ref, at, None, session_id or [ref[0], _id(ref)])
        for ref in refs
    ]


def read_notes(notes: Sequence[Note]) -> list[ChangeEvent]:
    """The events of notes. Raises OutboxUnreadable."""
    try:
        return [event for note in notes for event in _events(*note)]
    except (ValueError, TypeError, IndexError):
        raise OutboxUnreadable("notes of changes are of another version") from None


def _events(
    kind: str,
    label: str,
    id_: str,
    at: str,
    cause: str | None,
    belongs_to: str | list[str],
    figures: dict[str, Any] | None = None,
    edges: Sequence[list[Any]] = (),
) -> Iterator[ChangeEvent]:
    parent: Ref
    if isinstance(belongs_to, str):
        parent = ("Session", (belongs_to,))
    else:
        parent = (belongs_to[0], (belongs_to[1],))
    cause = id_ if cause is None else cause
    yield ChangeEvent(ChangeKind(kind), label, id_, at, cause, parent, figures or {})
    own = [label, id_]
    for type_, start, end in edges:
        ends = dict(zip(_ENDS, (*(start or own), *(end or own)), strict=True))
        edge = {"edge_type": type_, **ends}
        yield ChangeEvent(ChangeKind.EDGE_CREATED, label, id_, at, cause, parent, edge)


_ENDS = ("start_type", "start_id", "end_type", "end_id")


def _parents(mutations: Iterable[Mutation]) -> dict[Ref, Ref]:
    """What belongs to what, as far as the batch says."""
    parents: dict[Ref, Ref] = {}
    for mutation in mutations:
        for edge in mutation.edges:
            side = DEPENDENTS.get(edge.type)
            if side == "start":
                parents.setdefault(edge.start, edge.end)
            elif side == "end":
                parents.setdefault(edge.end, edge.start)
    return parents


def _belongs_to(ref: Ref, parents: dict[Ref, Ref]) -> str | list[str]:
    while ref in parents:
        ref = parents[ref]
    return ref[1][0] if ref[0] == "Session" else [ref[0], _id(ref)]


def _notes(m: Mutation, parents: dict[Ref, Ref]) -> Iterator[Note]:
    if m.fact is not None:
        yield from _notes_of_fact(m, m.fact, parents)
    if m.fact_edge is not None:
        yield _note_of_handoff(m, m.fact_edge, parents)
    for change in m.changes:
        # What is said in passing is no event about the thing itself.
        if change.rank != WEAK:
            yield _note_of_change(m, change, parents)


def _notes_of_fact(m: Mutation, fact: Ref, parents: dict[Ref, Ref]) -> Iterator[Note]:
    label, belongs_to = fact[0], _belongs_to(fact, parents)
    said = m.fact_properties | m.enriched if m.enriched else m.fact_properties
    figures = _figures(label, said)
    edges: list[Any] = []
    template: dict[str, Any] | None = None
    for edge in m.edges:
        if edge.start != fact and edge.end != fact:
            continue
        name = _TOLD.get((label, edge.type), _UNTOLD)
        if name is _UNTOLD:
            edges.append(_edge(edge, fact))
        elif name is not None:
            figures[name] = _id(edge.end if edge.start == fact else edge.start)
        elif edge.type == "INSTANTIATES":
            template = dict(zip(("template_id", "version"), edge.end[1], strict=True))
    kind = _KIND_OF_FACT.get(label, ChangeKind.NODE_CREATED)
    yield _note(kind, fact, m.occurred_at, m.event_id, belongs_to, figures, edges)
    if template is not None:
        kind = ChangeKind.TEMPLATE_INSTANTIATED
        yield _note(kind, fact, m.occurred_at, m.event_id, belongs_to, template)


def _note_of_handoff(m: Mutation, edge: Edge, parents: dict[Ref, Ref]) -> Note:
    told = {"to_agent_id": _id(edge.end)}
    told |= {
        name: edge.properties[name]
        for name in ("handoff_id", "from_agent_id", "priority")
        if edge.properties.get(name) is not None
    }
    belongs_to = _belongs_to(edge.start, parents)
    kind = ChangeKind.AGENT_HANDOFF
    return _note(kind, edge.start, m.occurred_at, m.event_id, belongs_to, told)


def _note_of_change(m: Mutation, change: Change, parents: dict[Ref, Ref]) -> Note:
    ref, said = change.ref, change.properties
    figures = _figures(ref[0], said)
    if ref[0] == "ToolInvocation":
        for edge in m.edges:
            if edge.end == ref and (name := _TOLD.get((ref[0], edge.type))):
                figures[name] = _id(edge.start)
    belongs_to = _belongs_to(ref, parents)
    return _note(_kind_of_change(ref, said), ref, m.occurred_at, m.event_id, belongs_to, figures)


def _kind_of_change(ref: Ref, said: dict[str, Any]) -> ChangeKind:
    if ref[0] == "ToolInvocation":
        return ChangeKind.TOOL_INVOKED
    if ref[0] == "Session" and "is_active" in said:
        return ChangeKind.SESSION_CREATED if said["is_active"] else ChangeKind.SESSION_CLOSED
    return ChangeKind.NODE_UPDATED


def _figures(label: str, said: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name, called in _FIGURES.get(label, _NONE).items():
        value = said.get(name)
        if value is not None:
            told[called] = value
    return told


def _edge(edge: Edge, fact: Ref) -> list[Any]:
    """Type and ends; null stands for the node that is told of."""
    ends = (None if ref == fact else [ref[0], _id(ref)] for ref in (edge.start, edge.end))
    return [edge.type, *ends]


def _note(
    kind: ChangeKind,
    ref: Ref,
    at: datetime,
    cause: str | None,
    belongs_to: str | list[str],
    figures: dict[str, Any] | None = None,
    edges: list[Any] | None = None,
) -> Note:
    id_ = _id(ref)
    note = [kind, ref[0], id_, at, None if cause == id_ else cause, belongs_to]
    if figures or edges:
        note.append(figures or {})
    if edges:
        note.append(edges)
    return note


def _id(ref: Ref) -> str:
    """The id as users write it."""
    return "@".join(ref[1])
