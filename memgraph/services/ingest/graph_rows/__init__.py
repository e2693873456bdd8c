"""Graph extraction: what each event asks of the graph. Pure; one function per event class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memgraph.domain import events as ev
from memgraph.domain.mutations import Mutation
from memgraph.services.ingest.graph_rows import conversation, registry, telemetry
from memgraph.services.ingest.graph_rows.building import text_sha256

_MAPPERS: dict[type, Callable[[Any, Mutation], None]] = {
    ev.PromptEvent: conversation.map_prompt,
    ev.ResponseEvent: conversation.map_response,
    ev.SessionEvent: conversation.map_session,
    ev.ToolEvent: conversation.map_tool,
    ev.AgentEvent: conversation.map_agent,
    ev.HandoffEvent: conversation.map_handoff,
    ev.ScoreEvent: conversation.map_score,
    ev.TemplateEvent: registry.map_template,
    ev.ModelEvent: registry.map_model,
    ev.SchemaEvent: registry.map_schema,
    ev.InvocationEvent: telemetry.map_invocation,
    ev.TokensEvent: telemetry.map_tokens,
    ev.LatencyEvent: telemetry.map_latency,
    ev.ErrorEvent: telemetry.map_error,
    ev.AggregateEvent: telemetry.map_aggregate,
}


def to_mutation(event: Any, payload: bytes = b"") -> Mutation:
    """Say what ``event`` asks of the graph. ``payload`` is what came in, for a dead letter."""
    mutation = Mutation(event.event_id, event.timestamp, payload=payload)
    _MAPPERS[type(event)](event, mutation)
    return mutation


__all__ = ["text_sha256", "to_mutation"]
