"""Sessions: create, change, close, delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from memgraph.domain import events as ev
from memgraph.domain.errors import Conflict
from memgraph.domain.events.base import EventBase
from memgraph.domain.events.conversation import SessionBody
from memgraph.domain.mutations import Outcome
from memgraph.domain.states import SESSION, SessionState
from memgraph.graph.deletion import Deletion
from memgraph.graph.nodes import NodeReader
from memgraph.graph.reader import Reader
from memgraph.services.recording import Recorder

Row = dict[str, Any]
Action = Literal["created", "updated", "closed"]


@dataclass(frozen=True, eq=False)
class Sessions:
    """The life of sessions."""

    recorder: Recorder
    nodes: NodeReader
    reader: Reader
    deletion: Deletion

    def get(self, tenant_id: str, session_id: str) -> Row:
        """A session with what it adds up to. Raises NotFound."""
        found = self.nodes.get(tenant_id, "Session", (session_id,))
        return {**found, "summary": self.reader.get_session_summary(tenant_id, session_id)}

    def create(self, tenant_id: str, body: SessionBody, moment: EventBase) -> tuple[Row, Outcome]:
        """Begin a session. The same again changes nothing.

        Raises Conflict when it was closed or deleted.
        """
        known = self.nodes.find(tenant_id, "Session", (body.id,))
        if known is not None and _state(known) is SessionState.CLOSED:
            raise Conflict("a session with this id was closed")
        outcome = self._record(tenant_id, "created", body, moment)
        created = self.nodes.find(tenant_id, "Session", (body.id,))
        if created is None:
            raise Conflict("a session with this id was deleted")
        return created, outcome

    def change(
        self, tenant_id: str, body: SessionBody, moment: EventBase, *, is_active: bool | None
    ) -> Row:
        """Set what ``body`` says, and close it. Raises NotFound, InvalidTransition."""
        current = self.nodes.get(tenant_id, "Session", (body.id,))
        target = SessionState.CLOSED if is_active is False else SessionState.OPEN
        if is_active is not None:
            SESSION.check(_state(current), target, "is_active")
        closes = is_active is False and _state(current) is SessionState.OPEN
        self._record(tenant_id, "closed" if closes else "updated", body, moment)
        return self.get(tenant_id, body.id)

    def delete(self, tenant_id: str, session_id: str) -> None:
        """Delete a session and everything that belongs to it, for good. Raises NotFound."""
        self.deletion.delete_session(tenant_id, session_id)

    def _record(
        self, tenant_id: str, action: Action, body: SessionBody, moment: EventBase
    ) -> Outcome:
        event = ev.SessionEvent(**dict(moment), action=action, session=body)
        return self.recorder.record(tenant_id, event)


def _state(session: Row) -> SessionState:
    return SessionState.CLOSED if session.get("is_active") is False else SessionState.OPEN
