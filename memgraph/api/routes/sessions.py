"""Sessions."""

from __future__ import annotations

from memgraph.api import resources as res
from memgraph.api.answers import Answer
from memgraph.api.operations import Call, Routes
from memgraph.domain.access import Permission
from memgraph.domain.events.conversation import SessionBody
from memgraph.domain.mutations import Outcome
from memgraph.ids import uuid7

routes = Routes("sessions")


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
    said = call.body.model_dump(exclude_none=True)
    body = SessionBody(**{"id": uuid7(), **said})
    session, outcome = call.services.sessions.create(call.tenant_id, body)
    status = 201 if outcome is Outcome.STORED else 200
    return Answer(session, status)


@routes.get(
    "/sessions/<id:session_id>",
    permission=Permission.READ_CONVERSATIONS,
    answers=res.Session,
)
def read_session(call: Call, session_id: str) -> Answer:
    """Read a session with its counts, tokens and cost."""
    return Answer(call.services.nodes.get(call.tenant_id, "Session", (session_id,)))


@routes.patch(
    "/sessions/<id:session_id>",
    permission=Permission.WRITE_CONVERSATIONS,
    body=res.SessionChange,
    answers=res.Session,
    example={"is_active": False},
)
def change_session(call: Call, session_id: str) -> Answer:
    """Change or close a session. A closed session is not opened again."""
    said = call.body.model_dump(exclude={"is_active"}, exclude_none=True)
    body = SessionBody(id=session_id, **said)
    session = call.services.sessions.change(call.tenant_id, body, is_active=call.body.is_active)
    return Answer(session)
