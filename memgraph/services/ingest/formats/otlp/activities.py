"""Events of what goes on around prompts and responses: tools, agents, handoffs, calls, errors."""

from __future__ import annotations

from typing import Any

from memgraph.domain.events import (
    AgentEvent,
    ErrorEvent,
    HandoffEvent,
    InvocationEvent,
    ToolEvent,
)
from memgraph.domain.events.conversation import AgentBody
from memgraph.domain.events.telemetry import ErrorPayload, InvocationPayload
from memgraph.domain.values import ToolStatus
from memgraph.services.ingest.formats.otlp import identity, neutral
from memgraph.services.ingest.formats.otlp.building import (
    NAME_CHARS,
    at,
    cut,
    duration_ms,
    model,
    usage,
)
from memgraph.services.ingest.formats.otlp.calls import Call
from memgraph.services.ingest.formats.otlp.requests import Request, Told
from memgraph.services.ingest.formats.otlp.spans import Span
from memgraph.services.ingest.formats.otlp.tellings import RECALLED
from memgraph.services.ingest.formats.otlp.tree import Node

OTHER_ERROR = "_OTHER"
"""What OpenTelemetry calls an error whose type is not known."""


def tool(node: Node, run: neutral.ToolRun, request: Request | None, attempt: int) -> ToolEvent:
    """A run of a tool, with the request that it answers and what the model was told of it."""
    span, failure = node.span, node.failure
    said: dict[str, Any] = {"trace_id": span.trace_id, "span_id": span.span_id}
    call_id, name, parameters, result = run.call_id, run.name, run.arguments, run.result
    own_id = identity.digest("tool run", span.trace_id, span.span_id)
    asked: dict[str, Any] = {"event_id": f"{own_id}-result", "invocation_id": own_id}
    if request is not None:
        wanted = request.asked.request
        asked = _asked(request, attempt)
        call_id, name = wanted.call_id or call_id, wanted.name
        parameters = parameters if wanted.arguments is None else wanted.arguments
        if result is None and request.told is not None:
            result = request.told.message.result
    return ToolEvent(
        **asked,
        timestamp=at(span.end_ns),
        tool_name=name,
        parameters=parameters,
        result=result,
        error=(cut(failure.message or failure.type) or OTHER_ERROR) if failure else None,
        status=ToolStatus.FAILED if failure else ToolStatus.SUCCESS,
        duration_ms=duration_ms(span),
        retry_count=attempt or None,
        metadata={"call_id": call_id, **said} if call_id else said,
    )


def recalled_tool(request: Request, told: Told) -> ToolEvent:
    """A run of a tool that is known by what the model was told of it."""
    wanted, message = request.asked.request, told.message
    failed = message.text.lower().startswith("error")
    return ToolEvent(
        **_asked(request, 0),
        timestamp=told.when,
        tool_name=wanted.name,
        parameters=wanted.arguments,
        result=message.result,
        error=cut(message.text) if failed else None,
        status=ToolStatus.FAILED if failed else ToolStatus.SUCCESS,
        derived=[RECALLED, "status"],
        metadata={"call_id": wanted.call_id} if wanted.call_id else None,
    )


def _asked(request: Request, attempt: int) -> dict[str, Any]:
    asked = request.asked
    return {
        "event_id": identity.digest("result", asked.invocation_id, attempt),
        "invocation_id": asked.invocation_id,
        "response_id": asked.response_id,
        "invocation_order": asked.order,
    }


def agent(trace_id: str, key: str, name: str | None, first_ns: int) -> AgentEvent:
    """An agent was at work in a trace."""
    return AgentEvent(
        event_id=identity.digest("agent", trace_id, key),
        timestamp=at(first_ns),
        agent=AgentBody(id=key, name=name),
    )


def handoff(response_id: str, fact: neutral.Handoff, at_ns: int) -> HandoffEvent:
    """A response handed over to an agent."""
    return HandoffEvent(
        event_id=identity.digest("handoff", response_id, fact.to_agent),
        timestamp=at(at_ns),
        response_id=response_id,
        to_agent_id=fact.to_agent or "",
        from_agent_id=fact.from_agent,
    )


def invocation(call: Call, id_: str) -> InvocationEvent:
    """The call as telemetry sees it."""
    said = call.said
    named, counted = model(said), usage(said)
    return _invocation(
        call.node.span,
        id_,
        (named.id if named else None, said.provider),
        counted.total_tokens if counted else None,
        is_failed=call.failure is not None,
    )


def embedding(node: Node, fact: neutral.EmbeddingCall, id_: str) -> InvocationEvent:
    """A call of an embedding model."""
    named = (fact.model, fact.provider)
    return _invocation(node.span, id_, named, fact.tokens, is_failed=node.span.failed)


def _invocation(
    span: Span,
    id_: str,
    named: tuple[str | None, str | None],
    tokens: int | None,
    *,
    is_failed: bool,
) -> InvocationEvent:
    return InvocationEvent(
        # Two instrumentations may tell of one call, in a trace each.
        event_id=identity.digest("call", id_),
        event_type="llm.invocation.error" if is_failed else "llm.invocation.complete",
        timestamp=at(span.end_ns),
        trace_id=span.trace_id,
        span_id=span.span_id,
        payload=InvocationPayload(
            invocation_id=id_,
            model_id=named[0] or "",
            provider=named[1],
            token_count=tokens,
            latency_ms=(span.end_ns - span.start_ns) / 1e6,
        ),
    )


def error(node: Node, failure: neutral.Failure, caused_by: str | None) -> ErrorEvent:
    """An error that no response and no tool invocation tells of."""
    span = node.span
    return ErrorEvent(
        event_id=identity.digest("error", span.trace_id, span.span_id),
        event_type="llm.error.occurred",
        timestamp=at(span.end_ns),
        trace_id=span.trace_id,
        span_id=span.span_id,
        payload=ErrorPayload(
            error_type=cut(failure.type, NAME_CHARS) or OTHER_ERROR,
            message=cut(failure.message),
            invocation_id=caused_by,
        ),
    )
