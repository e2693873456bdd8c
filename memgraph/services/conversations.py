"""Prompts, responses, tool invocations, handoffs and scores: what happens in a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memgraph.domain import events as ev
from memgraph.domain.events.base import EventBase
from memgraph.domain.mutations import Outcome
from memgraph.domain.states import TOOL
from memgraph.domain.values import ToolStatus
from memgraph.graph.nodes import NodeReader
from memgraph.services.recording import Recorder


@dataclass(frozen=True, eq=False)
class Conversations:
    """Record what happens. Facts name their parents; a parent may arrive later."""

    recorder: Recorder
    nodes: NodeReader

    def record(self, tenant_id: str, event: EventBase) -> Outcome:
        """Record a prompt, response, handoff or score. Raises Conflict."""
        return self.recorder.record(tenant_id, event)

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
