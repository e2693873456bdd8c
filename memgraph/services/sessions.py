"""Sessions: create, change, close, delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from memgraph.domain import events as ev
from memgraph.domain.errors import Conflict
from memgraph.domain.events.conversation import SessionBody
from memgraph.domain.mutations import Outcome
from memgraph.domain.states import SESSION, SessionState
from memgraph.graph.nodes import NodeReader
from memgraph.ids import now, uuid7
from memgraph.services.recording import Recorder

Row = dict[str, Any]
Action = Literal["created", "updated", "closed"]


@dataclass(frozen=True, eq=False)
class Sessions:
    """The life of sessions."""

    recorder: Recorder
    nodes: NodeReader

    def create(self, tenant_id: str, body: SessionBody) -> tuple[Row, Outcome]:
        """Begin a session. The same again changes nothing; Conflict when it was closed."""
        known = self.nodes.find(tenant_id, "Session", (body.id,))
        if known is not None and _state(known) is SessionState.CLOSED:
            raise Conflict("a session with this id was closed")
        outcome = self._record(tenant_id, "created", body)
        return self.nodes.get(tenant_id, "Session", (body.id,)), outcome

    def change(self, tenant_id: str, body: SessionBody, *, is_active: bool | None) -> Row:
        """Set what ``body`` says, and close it. Raises NotFound, InvalidTransition."""
        current = self.nodes.get(tenant_id, "Session", (body.id,))
        target = SessionState.CLOSED if is_active is False else SessionState.OPEN
        if is_active is not None:
            SESSION.check(_state(current), target, "is_active")
        closes = is_active is False and _state(current) is SessionState.OPEN
        self._record(tenant_id, "closed" if closes else "updated", body)
        return self.nodes.get(tenant_id, "Session", (body.id,))

    def _record(self, tenant_id: str, action: Action, body: SessionBody) -> Outcome:
        event = ev.SessionEvent(event_id=uuid7(), timestamp=now(), action=action, session=body)
        return self.recorder.record(tenant_id, event)


def _state(session: Row) -> SessionState:
    return SessionState.CLOSED if session.get("is_active") is False else SessionState.OPEN
