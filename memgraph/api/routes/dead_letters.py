"""Dead letters: what could not be stored, kept with its reason and its bytes."""

from __future__ import annotations

from pydantic import Field

from memgraph.api import resources as res
from memgraph.api.answers import Answer
from memgraph.api.operations import Call, Routes
from memgraph.api.schemas import Parameters, Resource, resource_of
from memgraph.domain.access import Permission

routes = Routes("dead_letters")

MANAGE = Permission.MANAGE_DEAD_LETTERS

DeadLetter = resource_of(res.MODEL.nodes["DeadLetter"])


class DeadLettersAsked(Parameters):
    """Which letters."""

    source: str | None = Field(None, max_length=512, description="Only of this door or file.")
    reason: str | None = Field(None, max_length=64, description="Only with this reason.")
    after: str = Field("", max_length=64, description="Only after this id: the last one you have.")
    limit: int = Field(100, ge=1, le=1_000, description="Letters of one answer.")


class DeadLetters(Resource):
    """Dead letters in the order of their ids, without what they hold."""

    items: list[DeadLetter]  # type: ignore[valid-type]


class ReadDeadLetter(DeadLetter):  # type: ignore[misc,valid-type]
    """A dead letter with what it holds."""

    content: str = Field(description="The event as it came in.")


class Replayed(Resource):
    """What became of a letter that was tried again."""

    received: int = Field(description="Letters tried.")
    stored: int = Field(description="Letters that are stored now, and gone.")
    duplicate: int = Field(description="Letters that were known meanwhile, and gone.")
    rejected: int = Field(description="Always 0: what is not taken stays a letter.")
    dead_lettered: int = Field(description="Letters that stay.")


@routes.get("/dead-letters", permission=MANAGE, query=DeadLettersAsked, answers=DeadLetters)
def list_dead_letters(call: Call) -> Answer:
    """List dead letters."""
    asked = call.query
    items = call.services.dead_letters.list_letters(
        call.tenant_id,
        source=asked.source,
        reason=asked.reason,
        after=asked.after,
        limit=asked.limit,
    )
    return Answer({"items": items})


@routes.get("/dead-letters/<id:dead_letter_id>", permission=MANAGE, answers=ReadDeadLetter)
def read_dead_letter(call: Call, dead_letter_id: str) -> Answer:
    """Read a dead letter with the event as it came in."""
    return Answer(call.services.dead_letters.get(call.tenant_id, dead_letter_id))


@routes.post("/dead-letters/<id:dead_letter_id>/replay", permission=MANAGE, answers=Replayed)
def replay_dead_letter(call: Call, dead_letter_id: str) -> Answer:
    """Try a dead letter again; it is removed when it is settled."""
    call.services.dead_letters.get(call.tenant_id, dead_letter_id)
    totals = call.services.dead_letters.replay(call.tenant_id, [dead_letter_id])
    return Answer(totals.as_dict())


@routes.delete("/dead-letters/<id:dead_letter_id>", permission=MANAGE, status=204)
def drop_dead_letter(call: Call, dead_letter_id: str) -> Answer:
    """Remove a dead letter for good."""
    call.services.dead_letters.drop(call.tenant_id, dead_letter_id)
    return Answer()
