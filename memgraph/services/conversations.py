"""Prompts, responses, tool invocations, handoffs and scores: what happens in a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memgraph.domain import events as ev
from memgraph.domain.errors import Conflict, Deleted
from memgraph.domain.events.base import EventBase
from memgraph.domain.mutations import Outcome, Ref
from memgraph.domain.states import TOOL
from memgraph.domain.values import ToolStatus
from memgraph.graph.nodes import NodeReader
from memgraph.services.ingest.graph_rows import to_mutation
from memgraph.services.recording import Recorder


@dataclass(frozen=True, eq=False)
class Conversations:
    """Record what happens. Facts name their parents; a parent may arrive later."""

    recorder: Recorder
    nodes: NodeReader

    def record(self, tenant_id: str, event: EventBase, *, is_dated: bool = True) -> Outcome:
        """Record a prompt, response, tool invocation, handoff or score.

        One that its sender did not date is known when only its time is another.
        Raises Conflict, Deleted.
        """
        try:
            outcome = self.recorder.record(tenant_id, event)
        except Conflict:
            ref = None if is_dated else _node_of(event)
            known = self.nodes.find(tenant_id, *ref) if ref else None
            if known is None:
                raise
            dated = event.model_copy(update={"timestamp": known["created_at"]})
            return self.recorder.record(tenant_id, dated)
        if outcome is Outcome.DUPLICATE:
            ref = _node_of(event)
            if ref and self.nodes.find(tenant_id, *ref) is None:
                raise Deleted("this was deleted, or belongs to what was deleted, and stays so")
        return outcome

    def advance_tool(self, tenant_id: str, event: ev.ToolEvent) -> dict[str, Any]:
        """Move a tool invocation to its next state. Raises NotFound, InvalidTransition."""
        key = (event.invocation_id,)
        current = self.nodes.get(tenant_id, "ToolInvocation", key)
        status = ToolStatus(current.get("status", ToolStatus.PENDING))
        TOOL.check(status, event.status)
        if status is ToolStatus.FAILED and event.status is ToolStatus.PENDING:
            retries = int(current.get("retry_count", 0)) + 1
            event = event.model_copy(update={"retry_count": retries})
        elif event.retry_count is None:
            event = event.model_copy(update={"retry_count": current.get("retry_count", 0)})
        self.recorder.record(tenant_id, event)
        return self.nodes.get(tenant_id, "ToolInvocation", key)


def _node_of(event: EventBase) -> Ref | None:
    """The node that an event is or is about; a handoff is an edge and has none."""
    asked = to_mutation(event)
    if asked.fact is not None:
        return asked.fact
    return asked.changes[0].ref if asked.changes else None
