"""Prompts, responses, tool invocations, handoffs, scores."""

from __future__ import annotations

from typing import Any

from memgraph.api import resources as res
from memgraph.api.answers import Answer
from memgraph.api.idempotency import fresh_id, was_written
from memgraph.api.operations import API, Call, Routes
from memgraph.api.schemas import Created
from memgraph.domain import events as ev
from memgraph.domain.access import Permission
from memgraph.domain.errors import Conflict
from memgraph.domain.events.base import EventBase
from memgraph.domain.mutations import Outcome
from memgraph.ids import now
from memgraph.services import invalidation as tags

routes = Routes("conversations")

READ, WRITE = Permission.READ_CONVERSATIONS, Permission.WRITE_CONVERSATIONS


@routes.post(
    "/sessions/<id:session_id>/prompts",
    permission=WRITE,
    body=res.NewPrompt,
    answers=Created,
    status=201,
    example={"prompt": {"text": "Where is my parcel?"}, "model": {"id": "auster-mini"}},
)
def create_prompt(call: Call, session_id: str) -> Answer:
    """Record a prompt in a session. The session comes to be with its first prompt."""
    about = {name: getattr(call.body, name) for name in res.SAID_OF_SESSIONS}
    event = _event(ev.PromptEvent, call.body, *about, session={"id": session_id, **about})
    return _record(call, event, f"/prompts/{event.event_id}")


@routes.get(
    "/prompts/<id:prompt_id>",
    permission=READ,
    answers=res.Prompt,
    cached=lambda prompt_id: tags.node("Prompt", (prompt_id,)),
)
def read_prompt(call: Call, prompt_id: str) -> Answer:
    """Read a prompt with what it points to."""
    return Answer(call.services.nodes.get(call.tenant_id, "Prompt", (prompt_id,)))


@routes.post(
    "/prompts/<id:prompt_id>/responses",
    permission=WRITE,
    body=res.NewResponse,
    answers=Created,
    status=201,
    example={"response": {"text": "It arrives on Monday.", "finish_reason": "stop"}},
)
def create_response(call: Call, prompt_id: str) -> Answer:
    """Record a response to a prompt. The prompt may arrive later."""
    event = _event(ev.ResponseEvent, call.body, prompt_event_id=prompt_id)
    return _record(call, event, f"/responses/{event.event_id}")


@routes.get(
    "/responses/<id:response_id>",
    permission=READ,
    answers=res.Response,
    cached=lambda response_id: tags.node("Response", (response_id,)),
)
def read_response(call: Call, response_id: str) -> Answer:
    """Read a response with what it points to."""
    return Answer(call.services.nodes.get(call.tenant_id, "Response", (response_id,)))


@routes.post(
    "/responses/<id:response_id>/tool-invocations",
    permission=WRITE,
    body=res.NewToolInvocation,
    answers=Created,
    status=201,
    example={"tool_name": "track_parcel", "parameters": {"parcel": "P-7"}},
)
def create_tool_invocation(call: Call, response_id: str) -> Answer:
    """Record that a response calls a tool."""
    invocation_id = call.body.id or fresh_id()
    event = _event(ev.ToolEvent, call.body, invocation_id=invocation_id, response_id=response_id)
    return _record(call, event, f"/tool-invocations/{invocation_id}", id_=invocation_id)


@routes.get(
    "/tool-invocations/<id:invocation_id>",
    permission=READ,
    answers=res.ToolInvocation,
    cached=lambda invocation_id: tags.node("ToolInvocation", (invocation_id,)),
)
def read_tool_invocation(call: Call, invocation_id: str) -> Answer:
    """Read a tool invocation."""
    return Answer(call.services.nodes.get(call.tenant_id, "ToolInvocation", (invocation_id,)))


@routes.patch(
    "/tool-invocations/<id:invocation_id>",
    permission=WRITE,
    body=res.ToolChange,
    answers=res.ToolInvocation,
    example={"status": "success", "result": {"due": "Monday"}, "duration_ms": 130},
)
def change_tool_invocation(call: Call, invocation_id: str) -> Answer:
    """Say how a tool invocation went on: success, failed, or pending for another attempt."""
    event = _event(ev.ToolEvent, call.body, invocation_id=invocation_id)
    return Answer(call.services.conversations.advance_tool(call.tenant_id, event))


@routes.post(
    "/responses/<id:response_id>/handoffs",
    permission=WRITE,
    body=res.NewHandoff,
    answers=Created,
    status=201,
    example={"to_agent_id": "agent-billing", "handoff_reason": "asks for a refund"},
)
def create_handoff(call: Call, response_id: str) -> Answer:
    """Record that a response hands the conversation over to an agent."""
    return _record(call, _event(ev.HandoffEvent, call.body, response_id=response_id))


@routes.post(
    "/scores",
    permission=Permission.WRITE_SCORES,
    body=res.NewScore,
    answers=Created,
    status=201,
    example={"name": "helpful", "value": 0.9, "source": "user", "response_id": "r-1"},
)
def create_score(call: Call) -> Answer:
    """Record a score of a response, a prompt or a session."""
    return _record(call, _event(ev.ScoreEvent, call.body))


def _event(event: type[EventBase], body: Any, *elsewhere: str, **known: Any) -> Any:
    """The event that a body says; the fields ``elsewhere`` are in ``known``."""
    left_out = {"id", "event_id", "timestamp", *elsewhere}
    said = {name: getattr(body, name) for name in body.model_fields_set - left_out}
    named = getattr(body, "event_id", None) or getattr(body, "id", None)
    return event(event_id=named or fresh_id(), timestamp=body.timestamp or now(), **said, **known)


def _record(call: Call, event: Any, place: str | None = None, *, id_: str = "") -> Answer:
    try:
        outcome = call.services.conversations.record(
            call.tenant_id, event, is_dated=call.body.timestamp is not None
        )
    except Conflict:
        if not was_written(event.event_id):
            raise
        outcome = Outcome.DUPLICATE
    status = 201 if outcome is Outcome.STORED else 200
    headers = {"Location": API + place} if place else {}
    return Answer({"id": id_ or event.event_id, "outcome": outcome.value}, status, headers)
