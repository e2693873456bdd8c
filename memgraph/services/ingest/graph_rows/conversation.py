"""Prompt, response, session, tool, agent, handoff and score events."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

import orjson
from pydantic_core import PydanticCustomError

from memgraph.domain import events as ev
from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import conversation as conv
from memgraph.domain.events.base import TraceContext, check_json
from memgraph.domain.mutations import WEAK, Change, Edge, Mutation, Place, Ref
from memgraph.domain.nodes.agent import AgentConfiguration
from memgraph.domain.values import ToolStatus
from memgraph.services.ingest.graph_rows.building import edge, fact, mention, text_sha256

_CONFIGURATION = sorted(
    AgentConfiguration.defined_properties(rels=False).keys() & conv.AgentBody.model_fields.keys()
)


def _model(m: Mutation, start: Ref, model: conv.ModelRef | None) -> dict[str, Any]:
    if model is None:
        return {}
    edge(m, start, "USES_MODEL", mention(m, "Model", model.id))
    if model.version:
        version = mention(m, "ModelVersion", model.id, model.version)
        edge(m, start, "USES_MODEL", version)
        edge(m, version, "VERSION_OF", ("Model", (model.id,)))
    return {"model_id": model.id, "provider": model.provider}


def _trace(trace: TraceContext | None) -> dict[str, Any]:
    return trace.model_dump() if trace else {}


def map_prompt(event: ev.PromptEvent, m: Mutation) -> None:
    """A prompt is a fact: its place, its model, agent, template and documents are edges."""
    body, session = event.prompt, event.session
    prompt: Ref = ("Prompt", (event.event_id,))
    parameters = event.model.parameters if event.model else None
    fact(
        m,
        prompt,
        event.timestamp,
        text=body.text,
        text_sha256=text_sha256(body.text),
        text_length=len(body.text),
        token_count=event.token_count,
        user_id=session.user_id,
        application_id=session.application_id,
        purpose=session.purpose,
        model_version=event.model.version if event.model else None,
        tools_available=event.tools_available,
        template_text=body.template,
        template_parameters=body.parameters,
        images=[_image(i) for i in body.images] if body.images else None,
        classification=event.classification,
        tags=event.tags,
        derived_properties=event.derived,
        metadata=body.metadata,
        **_model(m, prompt, event.model),
        **(parameters.model_dump() if parameters else {}),
        **_trace(event.trace_context),
        **_context(m, prompt, event.context),
    )
    _session_edges(m, prompt, session)
    if event.agent_id:
        edge(m, prompt, "HANDLED_BY", mention(m, "Agent", event.agent_id))
    if event.template:
        edge(
            m,
            prompt,
            "INSTANTIATES",
            ("PromptTemplate", (event.template.id, event.template.version)),
            template_version=event.template.version,
            variable_bindings=event.template.bindings,
            instantiated_at=event.timestamp,
        )
    m.place = Place(session.id, event.event_id, event.timestamp, event.previous_prompt_id)


def _session_edges(m: Mutation, prompt: Ref, session: conv.SessionRef) -> None:
    session_ref = mention(m, "Session", session.id)
    edge(m, prompt, "PART_OF", session_ref)
    _principal_edges(m, session_ref, session)


def _principal_edges(m: Mutation, session_ref: Ref, session: conv.SessionRef) -> None:
    if session.user_id:
        edge(m, session_ref, "STARTED_BY", mention(m, "User", session.user_id))
    if session.application_id:
        application = mention(m, "Application", session.application_id)
        edge(m, session_ref, "IN_APPLICATION", application)


def _image(image: conv.Image) -> dict[str, Any]:
    if image.base64 is None:
        return image.model_dump(exclude_none=True)
    try:
        data = base64.b64decode(image.base64, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput("prompt.images.base64", "is not base64") from None
    kept = image.model_dump(exclude_none=True, exclude={"base64"})
    return {**kept, "sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)}


def _context(m: Mutation, prompt: Ref, context: conv.Context | None) -> dict[str, Any]:
    if context is None:
        return {}
    seen: set[str] = set()
    for rank, document in enumerate(context.documents or ()):
        if document.id in seen:
            continue
        seen.add(document.id)
        _document(m, prompt, rank, document)
    history = context.conversation_history
    return {
        "retrieval_method": context.retrieval_method,
        "history": [message.model_dump() for message in history] if history else None,
    }


def _document(m: Mutation, prompt: Ref, rank: int, document: conv.Document) -> None:
    ref: Ref = ("ContextDocument", (document.id,))
    content = document.content
    described = {
        "title": document.title,
        "kind": document.kind,
        "uri": document.uri,
        "chunk_id": document.chunk_id,
        "text_sha256": text_sha256(content) if content is not None else None,
        "text_length": len(content) if content is not None else None,
        "metadata": document.metadata,
    }
    m.changes.append(Change(ref, described, rank=WEAK))
    edge(
        m,
        prompt,
        "REFERENCES",
        ref,
        context_type=document.kind,
        relevance_score=document.relevance_score,
        chunk_id=document.chunk_id,
        rank=rank,
    )


def map_response(event: ev.ResponseEvent, m: Mutation) -> None:
    """A response is a fact that answers a prompt, calls tools and has read results."""
    body, error = event.response, event.error
    response: Ref = ("Response", (event.event_id,))
    text = body.text
    usage = event.usage.model_dump() if event.usage else {}
    metrics = event.metrics or conv.Metrics()
    fact(
        m,
        response,
        event.timestamp,
        text=text,
        text_sha256=text_sha256(text) if text is not None else None,
        text_length=len(text) if text is not None else None,
        finish_reason=body.finish_reason,
        latency_ms=metrics.latency,
        ttft_ms=metrics.ttft,
        tokens_per_second=metrics.throughput,
        cost_usd=metrics.cost,
        error_code=error.code if error else None,
        error_message=error.message if error else None,
        error_type=error.type if error else None,
        error_recoverable=error.recoverable if error else None,
        classification=event.classification,
        tags=event.tags,
        derived_properties=event.derived,
        metadata=body.metadata,
        **usage,
        **_model(m, response, event.model),
        **_trace(event.trace_context),
    )
    edge(m, response, "RESPONDS_TO", ("Prompt", (event.prompt_event_id,)))
    for invocation_id in dict.fromkeys(event.informed_by or ()):
        edge(m, response, "INFORMED_BY", ("ToolInvocation", (invocation_id,)))
    _tool_calls(m, response, event)


def _tool_calls(m: Mutation, response: Ref, event: ev.ResponseEvent) -> None:
    calls = list(event.response.tool_calls or ())
    if event.response.function_call:
        call_id = f"{event.event_id}:0"
        calls.append(conv.ToolCall(id=call_id, function=event.response.function_call))
    seen: set[str] = set()
    for order, call in enumerate(calls):
        if call.id in seen:
            continue
        seen.add(call.id)
        invocation: Ref = ("ToolInvocation", (call.id,))
        said = {
            "tool_name": call.function.name,
            "parameters": _arguments(call.function.arguments),
            "status": ToolStatus.PENDING,
        }
        m.changes.append(Change(invocation, said, rank=WEAK))
        edge(m, response, "INVOKES", invocation, invocation_order=order, required=call.required)


def _arguments(arguments: str | None) -> Any:
    """Arguments come as JSON inside a string; what is no JSON stays the string it is.

    So does what holds a number that the parser would round, or breaks a limit.
    """
    if arguments is None or _LONG_NUMBER.search(arguments):
        return arguments
    try:
        return check_json(orjson.loads(arguments))
    except (orjson.JSONDecodeError, PydanticCustomError):
        return arguments


_LONG_NUMBER = re.compile(r"[0-9]{19}")


def map_session(event: ev.SessionEvent, m: Mutation) -> None:
    """A session lives: what is said of it, and who took part."""
    body = event.session
    ref: Ref = ("Session", (body.id,))
    said: dict[str, Any] = {
        "title": body.title,
        "purpose": body.purpose,
        "tags": body.tags,
        "metadata": body.metadata,
        "derived_properties": event.derived,
    }
    if event.action == "created":
        said["is_active"] = True
    elif event.action == "closed":
        said |= {"is_active": False, "closed_at": event.timestamp}
    m.changes.append(Change(ref, said))
    _principal_edges(m, ref, body)


def map_tool(event: ev.ToolEvent, m: Mutation) -> None:
    """A tool invocation lives until its attempt is finished; a retry raises the rank."""
    ref: Ref = ("ToolInvocation", (event.invocation_id,))
    finished = event.status is not ToolStatus.PENDING
    retries = event.retry_count or 0
    said = {
        "tool_name": event.tool_name,
        "parameters": event.parameters,
        "result": event.result,
        "error": event.error,
        "status": event.status,
        "duration_ms": event.duration_ms,
        "retry_count": retries,
        "derived_properties": event.derived,
        "metadata": event.metadata,
    }
    m.changes.append(Change(ref, said, rank=2 * retries + finished, final=finished))
    if event.response_id:
        edge(
            m,
            ("Response", (event.response_id,)),
            "INVOKES",
            ref,
            invocation_order=event.invocation_order,
            required=event.required,
        )


def map_agent(event: ev.AgentEvent, m: Mutation) -> None:
    """An agent lives; any word about it is a sign of life, one on its configuration a fact."""
    agent: Ref = ("Agent", (event.agent.id,))
    said = event.agent.model_dump(exclude={"id"})
    m.changes.append(Change(agent, {**said, "last_active_at": event.timestamp}))
    configuration = {n: said[n] for n in _CONFIGURATION if said[n] is not None}
    if configuration:
        key = ("AgentConfiguration", (event.event_id,))
        edge(m, fact(m, key, event.timestamp, **configuration), "CONFIGURES", agent)


def map_handoff(event: ev.HandoffEvent, m: Mutation) -> None:
    """A handoff is a fact of its edge."""
    m.fact_edge = Edge(
        ("Response", (event.response_id,)),
        "TRANSFERS_TO",
        mention(m, "Agent", event.to_agent_id),
        {
            "handoff_id": event.event_id,
            "from_agent_id": event.from_agent_id,
            "handoff_reason": event.handoff_reason,
            "context_summary": event.context_summary,
            "priority": event.priority,
            "handed_over_at": event.timestamp,
        },
    )
    if event.from_agent_id:
        mention(m, "Agent", event.from_agent_id)


def map_score(event: ev.ScoreEvent, m: Mutation) -> None:
    """A score is a fact about one response, prompt or session."""
    score = fact(
        m,
        ("Score", (event.event_id,)),
        event.timestamp,
        name=event.name,
        value=event.value,
        source=event.source,
        comment=event.comment,
        metadata=event.metadata,
    )
    if event.response_id:
        edge(m, score, "SCORES", ("Response", (event.response_id,)))
    elif event.prompt_id:
        edge(m, score, "SCORES", ("Prompt", (event.prompt_id,)))
    elif event.session_id:
        edge(m, score, "SCORES", mention(m, "Session", event.session_id))
