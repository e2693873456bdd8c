"""Sessions."""

from __future__ import annotations

from memgraph.api import resources as res
from memgraph.api.answers import Answer
from memgraph.api.idempotency import fresh_id
from memgraph.api.operations import Call, Routes
from memgraph.api.schemas import moment_of
from memgraph.domain.access import Permission
from memgraph.domain.events.conversation import SessionBody
from memgraph.domain.mutations import Outcome

routes = Routes("sessions")

_MOMENT = {"event_id", "timestamp"}


@routes.post(
    "/sessions",
    permission=Permission.WRITE_CONVERSATIONS,
    body=res.NewSession,
    answers=res.Session,
    status=201,
    example={"title": "A parcel that never came", "user_id": "u-1", "purpose": "chat"},
)
def create_session(call: Call) -> Answer:
    """Begin a session.

    Answers 200 when there is a session with this id already and nothing is new.
    """
    said = call.body.model_dump(exclude=_MOMENT, exclude_none=True)
    body = SessionBody(**{"id": fresh_id(), **said})
    moment = moment_of(call.body)
    session, outcome = call.services.sessions.create(call.tenant_id, body, moment)
    status = 201 if outcome is Outcome.STORED else 200
    return Answer(session, status)


@routes.get(
    "/sessions/<id:session_id>",
    permission=Permission.READ_CONVERSATIONS,
    answers=res.Session,
)
def read_session(call: Call, session_id: str) -> Answer:
    """Read a session with its counts, tokens and cost."""
    return Answer(call.services.sessions.get(call.tenant_id, session_id))


@routes.patch(
    "/sessions/<id:session_id>",
    permission=Permission.WRITE_CONVERSATIONS,
    body=res.SessionChange,
    answers=res.Session,
    example={"is_active": False},
)
def change_session(call: Call, session_id: str) -> Answer:
    """Change or close a session. A closed session is not opened again."""
    sent = call.body
    said = sent.model_dump(exclude={"is_active", *_MOMENT}, exclude_none=True)
    body = SessionBody(id=session_id, **said)
    session = call.services.sessions.change(
        call.tenant_id, body, moment_of(sent), is_active=sent.is_active
    )
    return Answer(session)


@routes.delete("/sessions/<id:session_id>", permission=Permission.DELETE_CONVERSATIONS, status=204)
def delete_session(call: Call, session_id: str) -> Answer:
    """Delete a session with its prompts, responses, tool invocations, handoffs and scores.

    For good: what is sent about it later is not stored.
    """
    call.services.sessions.delete(call.tenant_id, session_id)
    return Answer()
