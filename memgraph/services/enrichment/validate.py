"""Validate: bytes become an event by its schema, with sizes and times in range."""

from __future__ import annotations

from collections.abc import Sequence

from memgraph.domain import events as ev
from memgraph.domain.access import Permission
from memgraph.domain.errors import Forbidden, InvalidInput
from memgraph.domain.events import read_event
from memgraph.domain.mutations import Outcome
from memgraph.services.enrichment.items import Item, Tools

WRITES: dict[type, Permission] = {
    ev.ScoreEvent: Permission.WRITE_SCORES,
    ev.AgentEvent: Permission.WRITE_AGENTS,
    ev.TemplateEvent: Permission.WRITE_TEMPLATES,
    ev.ModelEvent: Permission.WRITE_MODELS,
    ev.SchemaEvent: Permission.WRITE_MODELS,
}
"""What an event asks of its sender, unless it is about a conversation."""


def run(items: Sequence[Item], tools: Tools) -> None:
    """Read what is not read yet. What breaks a rule is rejected with field and rule."""
    for item in items:
        if item.event is None:
            try:
                item.event = read_event(item.payload)
            except InvalidInput as error:
                item.end(Outcome.REJECTED, error.code, **error.facts)
                continue
        permission = WRITES.get(type(item.event), Permission.WRITE_CONVERSATIONS)
        if not tools.may(permission):
            item.end(Outcome.REJECTED, Forbidden.code, permission=str(permission))
