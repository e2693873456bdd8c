"""Graph extraction: what each event asks of the graph. Pure; one function per event class."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

from memgraph.domain import events as ev
from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import conversation as conv
from memgraph.domain.events.base import TraceContext
from memgraph.domain.mutations import WEAK, Change, Edge, Mutation, Place, Ref
from memgraph.domain.values import InvocationStatus, ToolStatus


def to_mutation(event: Any, payload: bytes = b"") -> Mutation:
    """Say what ``event`` asks of the graph. ``payload`` is what came in, for a dead letter."""
    mutation = Mutation(event.event_id, event.timestamp, payload=payload)
    _MAPPERS[type(event)](event, mutation)
    return mutation


def text_sha256(text: str) -> str:
    """SHA-256 of the UTF-8 text, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _mention(m: Mutation, label: str, *key: str) -> Ref:
    ref = (label, key)
    m.mentions.append(ref)
    return ref


def _edge(m: Mutation, start: Ref, type_: str, end: Ref, **properties: Any) -> None:
    m.edges.append(Edge(start, type_, end, properties))


def _fact(m: Mutation, ref: Ref, at: datetime, **properties: Any) -> Ref:
    m.fact = ref
    m.fact_properties = {"created_at": at, **properties}
    return ref


def _model(m: Mutation, start: Ref, model: conv.ModelRef | None) -> dict[str, Any]:
    if model is None:
        return {}
    _edge(m, start, "USES_MODEL", _mention(m, "Model", model.id))
    if model.version:
        version = _mention(m, "ModelVersion", model.id, model.version)
        _edge(m, start, "USES_MODEL", version)
        _edge(m, version, "VERSION_OF", ("Model", (model.id,)))
    return {"model_id": model.id, "provider": model.provider}


def _trace(trace: TraceContext | None) -> dict[str, Any]:
    return trace.model_dump() if trace else {}


def _prompt(event: ev.PromptEvent, m: Mutation) -> None:
    body, session = event.prompt, event.session
    prompt: Ref = ("Prompt", (event.event_id,))
    parameters = event.model.parameters if event.model else None
    _fact(
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
        _edge(m, prompt, "HANDLED_BY", _mention(m, "Agent", event.agent_id))
    if event.template:
        _edge(
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
    session_ref = _mention(m, "Session", session.id)
    _edge(m, prompt, "PART_OF", session_ref)
    _principal_edges(m, session_ref, session)


def _principal_edges(m: Mutation, session_ref: Ref, session: conv.SessionRef) -> None:
    if session.user_id:
        _edge(m, session_ref, "STARTED_BY", _mention(m, "User", session.user_id))
    if session.application_id:
        application = _mention(m, "Application", session.application_id)
        _edge(m, session_ref, "IN_APPLICATION", application)


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
    _edge(
        m,
        prompt,
        "REFERENCES",
        ref,
        context_type=document.kind,
        relevance_score=document.relevance_score,
        chunk_id=document.chunk_id,
        rank=rank,
    )


def _response(event: ev.ResponseEvent, m: Mutation) -> None:
    body, error = event.response, event.error
    response: Ref = ("Response", (event.event_id,))
    text = body.text
    usage = event.usage.model_dump() if event.usage else {}
    metrics = event.metrics or conv.Metrics()
    _fact(
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
    _edge(m, response, "RESPONDS_TO", ("Prompt", (event.prompt_event_id,)))
    for invocation_id in dict.fromkeys(event.informed_by or ()):
        _edge(m, response, "INFORMED_BY", ("ToolInvocation", (invocation_id,)))
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
        _edge(m, response, "INVOKES", invocation, invocation_order=order, required=call.required)


def _arguments(arguments: str | None) -> Any:
    """Arguments come as JSON inside a string; what is no JSON stays the string it is.

    So does what holds a number that the parser would round.
    """
    if arguments is None or _LONG_NUMBER.search(arguments):
        return arguments
    try:
        return orjson.loads(arguments)
    except orjson.JSONDecodeError:
        return arguments


_LONG_NUMBER = re.compile(r"[0-9]{19}")


def _session(event: ev.SessionEvent, m: Mutation) -> None:
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


def _tool(event: ev.ToolEvent, m: Mutation) -> None:
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
        _edge(
            m,
            ("Response", (event.response_id,)),
            "INVOKES",
            ref,
            invocation_order=event.invocation_order,
            required=event.required,
        )


def _agent(event: ev.AgentEvent, m: Mutation) -> None:
    said = event.agent.model_dump(exclude={"id"})
    said["last_active_at"] = event.timestamp
    m.changes.append(Change(("Agent", (event.agent.id,)), said))


def _handoff(event: ev.HandoffEvent, m: Mutation) -> None:
    m.fact_edge = Edge(
        ("Response", (event.response_id,)),
        "TRANSFERS_TO",
        _mention(m, "Agent", event.to_agent_id),
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
        _mention(m, "Agent", event.from_agent_id)


def _score(event: ev.ScoreEvent, m: Mutation) -> None:
    score = _fact(
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
        _edge(m, score, "SCORES", ("Response", (event.response_id,)))
    elif event.prompt_id:
        _edge(m, score, "SCORES", ("Prompt", (event.prompt_id,)))
    elif event.session_id:
        _edge(m, score, "SCORES", _mention(m, "Session", event.session_id))


def _template(event: ev.TemplateEvent, m: Mutation) -> None:
    body = event.template
    template = _fact(
        m,
        ("PromptTemplate", (body.id, body.version)),
        event.timestamp,
        name=body.name,
        description=body.description,
        template_text=body.text,
        text_sha256=text_sha256(body.text),
        variables=[v.model_dump() for v in body.variables] if body.variables else None,
        author=body.author,
        tags=body.tags,
        origin=body.origin,
        metadata=body.metadata,
    )
    if body.previous_version:
        previous: Ref = ("PromptTemplate", (body.id, body.previous_version))
        _edge(m, template, "PREVIOUS_VERSION", previous)
    if body.parent:
        _edge(
            m,
            template,
            "INHERITS",
            ("PromptTemplate", (body.parent.id, body.parent.version)),
            override_sections=body.override_sections,
            version_diff=body.version_diff,
            depth=body.depth,
        )


def _registry_model(event: ev.ModelEvent, m: Mutation) -> None:
    model: Ref = ("Model", (event.model.id,))
    m.changes.append(Change(model, event.model.model_dump(exclude={"id"})))
    version = event.version
    if version is None:
        return
    ref: Ref = ("ModelVersion", (event.model.id, version.version))
    said = version.model_dump(exclude={"version", "previous_version"})
    said["valid_from"] = version.valid_from or event.timestamp
    m.changes.append(Change(ref, said))
    _edge(m, ref, "VERSION_OF", model)
    if version.previous_version:
        previous = _mention(m, "ModelVersion", event.model.id, version.previous_version)
        _edge(m, ref, "PREVIOUS_VERSION", previous)


def _schema(event: ev.SchemaEvent, m: Mutation) -> None:
    body = event.schema_
    ref: Ref = ("Schema", (body.id, body.version))
    m.changes.append(Change(ref, body.model_dump(exclude={"id", "version", "previous_version"})))
    if body.previous_version:
        previous = _mention(m, "Schema", body.id, body.previous_version)
        _edge(m, ref, "PREVIOUS_VERSION", previous)


_STATUS = {
    "llm.invocation.start": InvocationStatus.STARTED,
    "llm.invocation.complete": InvocationStatus.SUCCESS,
    "llm.invocation.error": InvocationStatus.ERROR,
}


def _invocation(event: ev.InvocationEvent, m: Mutation) -> None:
    payload = event.payload
    ref: Ref = (
        "Invocation",
        (payload.invocation_id or event.span_id or event.event_id,),
    )
    said = {
        "model_id": payload.model_id,
        "provider": payload.provider,
        "status": payload.status or _STATUS[event.event_type],
        "token_count": payload.token_count,
        "latency_ms": payload.latency_ms,
        "trace_id": event.trace_id,
        "span_id": event.span_id,
        "metadata": event.metadata,
    }
    m.changes.append(Change(ref, said, rank=int(event.event_type != "llm.invocation.start")))
    _edge(m, ref, "USES_MODEL", _mention(m, "Model", payload.model_id))
    if payload.follows:
        before = _mention(m, "Invocation", payload.follows)
        _edge(m, before, "FOLLOWED_BY", ref, duration_ms=payload.gap_ms)


def _tokens(event: ev.TokensEvent, m: Mutation) -> None:
    ref: Ref = ("Invocation", (event.payload.invocation_id,))
    m.changes.append(Change(ref, {"token_count": event.payload.token_count}, rank=2))


def _metric(m: Mutation, event: Any, **properties: Any) -> Ref:
    return _fact(
        m,
        ("PerformanceMetric", (event.event_id,)),
        event.timestamp,
        metadata=event.metadata,
        **properties,
    )


def _latency(event: ev.LatencyEvent, m: Mutation) -> None:
    payload = event.payload
    metric = _metric(
        m, event, name="latency_ms", value=payload.latency_ms, percentile=payload.percentile
    )
    _edge(m, _mention(m, "Invocation", payload.invocation_id), "HAS_METRIC", metric)


def _error(event: ev.ErrorEvent, m: Mutation) -> None:
    payload = event.payload
    error = _fact(
        m,
        ("Error", (event.event_id,)),
        event.timestamp,
        **payload.model_dump(exclude={"invocation_id", "triggered_by"}),
        trace_id=event.trace_id,
        span_id=event.span_id,
        metadata=event.metadata,
    )
    if payload.invocation_id:
        _edge(m, _mention(m, "Invocation", payload.invocation_id), "CAUSED_ERROR", error)
    if payload.triggered_by:
        _edge(m, error, "TRIGGERED_BY", ("Error", (payload.triggered_by,)))


_AGGREGATES = ("total_invocations", "avg_latency_ms", "error_rate")


def _aggregate(event: ev.AggregateEvent, m: Mutation) -> None:
    payload = event.payload
    values = {n: v for n in _AGGREGATES if (v := getattr(payload, n)) is not None}
    _metric(
        m,
        event,
        name=payload.name or event.event_type,
        value=payload.value,
        percentile=payload.percentile,
        model_id=payload.model_id,
        window_start=payload.window_start,
        window_end=payload.window_end,
    )
    m.fact_properties["metadata"] = {**(event.metadata or {}), **values} or None


_MAPPERS: dict[type, Callable[[Any, Mutation], None]] = {
    ev.PromptEvent: _prompt,
    ev.ResponseEvent: _response,
    ev.SessionEvent: _session,
    ev.ToolEvent: _tool,
    ev.AgentEvent: _agent,
    ev.HandoffEvent: _handoff,
    ev.ScoreEvent: _score,
    ev.TemplateEvent: _template,
    ev.ModelEvent: _registry_model,
    ev.SchemaEvent: _schema,
    ev.InvocationEvent: _invocation,
    ev.TokensEvent: _tokens,
    ev.LatencyEvent: _latency,
    ev.ErrorEvent: _error,
    ev.AggregateEvent: _aggregate,
}
