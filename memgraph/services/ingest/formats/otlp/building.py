"""Prompt and response events: which of their fields says what of a call."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from pydantic import ValidationError

from memgraph.domain.events import (
    PromptEvent,
    ResponseEvent,
)
from memgraph.domain.events.base import TraceContext
from memgraph.domain.events.conversation import (
    Context,
    Document,
    FunctionCall,
    Message,
    Metrics,
    ModelParameters,
    ModelRef,
    PromptBody,
    ResponseBody,
    ResponseError,
    SessionRef,
    ToolCall,
    Usage,
)
from memgraph.domain.values import FinishReason
from memgraph.services.ingest.formats.messages import image_of
from memgraph.services.ingest.formats.otlp import identity, neutral
from memgraph.services.ingest.formats.otlp.calls import Call
from memgraph.services.ingest.formats.otlp.history import PromptStep, ResponseStep
from memgraph.services.ingest.formats.otlp.spans import Span
from memgraph.services.ingest.formats.otlp.tellings import RECALLED

NOTE_CHARS = 20_000
NAME_CHARS = 1_000
_FINISH_REASONS: Mapping[str, FinishReason] = {
    **dict.fromkeys(("stop", "end_turn", "stop_sequence", "completed", "eos"), FinishReason.STOP),
    **dict.fromkeys(
        ("length", "max_tokens", "max_output_tokens", "incomplete"), FinishReason.LENGTH
    ),
    **dict.fromkeys(("tool_calls", "tool_call", "tool_use"), FinishReason.TOOL_CALLS),
    "function_call": FinishReason.FUNCTION_CALL,
    **dict.fromkeys(("content_filter", "safety", "refusal"), FinishReason.CONTENT_FILTER),
    **dict.fromkeys(("error", "failed"), FinishReason.ERROR),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def at(ns: int) -> datetime:
    """A time out of nanoseconds since 1970, to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // 1_000)


def recalled_at(ns: int, steps_before: int) -> datetime:
    """Place a message of a history a millisecond for each step before the call that told it."""
    return at(ns) - timedelta(milliseconds=steps_before)


def duration_ms(span: Span) -> int:
    """How long a span ran, rounded."""
    return (span.end_ns - span.start_ns + 500_000) // 1_000_000


def trace_of(span: Span) -> TraceContext:
    """Where a span stands in its trace."""
    return TraceContext(
        trace_id=span.trace_id, span_id=span.span_id, parent_span_id=span.parent_span_id
    )


def session_of(session_id: str, user_id: str | None, resource: Mapping[str, Any]) -> SessionRef:
    """A session, in the application that its service is, unless the SDK made up the name."""
    name = resource.get("service.name")
    is_given = isinstance(name, str) and name and not name.startswith("unknown_service")
    return SessionRef(id=session_id, user_id=user_id, application_id=name if is_given else None)


def prompt(
    step: PromptStep,
    session: SessionRef,
    call: Call,
    agent_id: str | None,
    system: list[neutral.Message],
    documents: list[neutral.Document],
) -> PromptEvent:
    """The prompt that a call asked, with what was asked of the model besides."""
    span, context, said = call.node.span, call.node.context, call.said
    parameters, refused = _parameters(said.parameters)
    metadata = {**(context.metadata or {}), **({"parameters": refused} if refused else {})}
    return PromptEvent(
        event_id=step.id,
        timestamp=at(span.start_ns),
        prompt=_body(step.message, metadata),
        session=session,
        model=_asked_model(said, parameters),
        context=_context([*system, *step.opening], documents),
        tags=list(context.tags) or None,
        trace_context=trace_of(span),
        previous_prompt_id=step.previous_id,
        agent_id=agent_id,
        tools_available=list(said.tools) or None,
    )


def recalled_prompt(
    step: PromptStep,
    session: SessionRef,
    timestamp: datetime,
    documents: list[neutral.Document],
) -> PromptEvent:
    """A prompt that only a history tells of."""
    return PromptEvent(
        event_id=step.id,
        timestamp=timestamp,
        prompt=_body(step.message, {}),
        session=session,
        context=_context(list(step.opening), documents),
        previous_prompt_id=step.previous_id,
        derived=[RECALLED],
    )


def _body(message: neutral.Message, metadata: dict[str, Any]) -> PromptBody:
    images = [image_of(url) for url in message.images]
    return PromptBody(text=message.text, images=images or None, metadata=metadata or None)


def _context(earlier: list[neutral.Message], documents: list[neutral.Document]) -> Context | None:
    if not earlier and not documents:
        return None
    history = [Message(role=m.role, content=m.text) for m in earlier if m.text]
    return Context(
        conversation_history=history or None,
        documents=[_document(d) for d in documents] or None,
    )


def _document(document: neutral.Document) -> Document:
    return Document(
        id=identity.document_id(document),
        content=document.content,
        relevance_score=document.score,
        title=document.title,
        uri=document.uri,
        metadata=document.metadata,
    )


def _parameters(given: Mapping[str, Any]) -> tuple[ModelParameters | None, dict[str, Any]]:
    """Split parameters into those that can be kept and those that break a rule."""
    kept: dict[str, Any] = {}
    refused: dict[str, Any] = {}
    for name, value in given.items():
        value = _shaped(name, value)
        try:
            ModelParameters(**{name: value})
        except ValidationError:
            refused[name] = value
        else:
            kept[name] = value
    return (ModelParameters(**kept) if kept else None), refused


def _shaped(name: str, value: Any) -> Any:
    """Undo what the wire does to numbers, and let one stop sequence be a list of one."""
    if name in ("top_k", "max_tokens") and isinstance(value, float) and value.is_integer():
        return int(value)
    return [value] if name == "stop_sequences" and isinstance(value, str) else value


def model(said: neutral.LlmCall) -> ModelRef | None:
    """The model by the name it was asked by; the name that it answered with is its version."""
    id_ = said.model_requested or said.model_answered
    if id_ is None:
        return None
    answered = said.model_answered
    return ModelRef(id=id_, provider=said.provider, version=answered if answered != id_ else None)


def _asked_model(said: neutral.LlmCall, parameters: ModelParameters | None) -> ModelRef | None:
    """The model that a prompt asked for, with its settings."""
    named = model(said)
    return named and named.model_copy(update={"version": None, "parameters": parameters})


def response(
    step: ResponseStep, call: Call, metadata: dict[str, Any], *, is_first: bool
) -> ResponseEvent:
    """The answer of a call; tokens are told with the first of several choices only."""
    span, said = call.node.span, call.said
    reason = _FINISH_REASONS.get((said.finish_reason or "").lower())
    if said.finish_reason and reason is None:
        metadata = {**metadata, "finish_reason": said.finish_reason}
    return ResponseEvent(
        event_id=step.id,
        timestamp=at(span.end_ns),
        prompt_event_id=step.prompt_id,
        response=ResponseBody(
            text=step.message.text or None,
            finish_reason=reason,
            tool_calls=_tool_calls(step),
            metadata=metadata or None,
        ),
        model=model(said),
        usage=usage(said) if is_first else None,
        metrics=Metrics(latency=duration_ms(span), ttft=_ttft_ms(call)),
        error=_error(call.failure),
        informed_by=list(step.informed_by) or None,
        trace_context=trace_of(span),
    )


def recalled_response(step: ResponseStep, timestamp: datetime) -> ResponseEvent:
    """A response that only a history tells of."""
    return ResponseEvent(
        event_id=step.id,
        timestamp=timestamp,
        prompt_event_id=step.prompt_id,
        response=ResponseBody(text=step.message.text or None, tool_calls=_tool_calls(step)),
        informed_by=list(step.informed_by) or None,
        derived=[RECALLED],
    )


def failed_response(
    prompt_id: str, informed_by: list[str], call: Call, metadata: dict[str, Any]
) -> ResponseEvent:
    """A call that failed without an answer."""
    span = call.node.span
    return ResponseEvent(
        event_id=identity.failed_response_id(prompt_id, span.span_id),
        timestamp=at(span.end_ns),
        prompt_event_id=prompt_id,
        response=ResponseBody(metadata=metadata or None),
        model=model(call.said),
        usage=usage(call.said),
        metrics=Metrics(latency=duration_ms(span)),
        error=_error(call.failure),
        informed_by=informed_by or None,
        trace_context=trace_of(span),
    )


def _tool_calls(step: ResponseStep) -> list[ToolCall] | None:
    calls = [
        ToolCall(
            id=asked.invocation_id,
            type="function",
            function=FunctionCall(name=asked.request.name, arguments=_as_json(asked.request)),
        )
        for asked in step.asked
    ]
    return calls or None


def _as_json(request: neutral.ToolRequest) -> str | None:
    arguments = request.arguments
    if arguments is None or isinstance(arguments, str):
        return arguments
    return orjson.dumps(arguments).decode()


def usage(said: neutral.LlmCall) -> Usage | None:
    """Tokens, when two of the three counts are known."""
    asked, answered, total = said.prompt_tokens, said.completion_tokens, said.total_tokens
    if answered is None and asked is not None and total is not None and total >= asked:
        answered = total - asked
    if asked is None or answered is None:
        return None
    return Usage(
        prompt_tokens=asked,
        completion_tokens=answered,
        total_tokens=asked + answered if total is None else total,
        cached_tokens=said.cached_tokens,
    )


def _ttft_ms(call: Call) -> int | None:
    first_ns, start_ns = call.said.first_token_ns, call.node.span.start_ns
    return None if first_ns is None or first_ns < start_ns else (first_ns - start_ns) // 1_000_000


def _error(failure: neutral.Failure | None) -> ResponseError | None:
    if failure is None:
        return None
    return ResponseError(type=cut(failure.type, NAME_CHARS), message=cut(failure.message))


def cut(text: str | None, length: int = NOTE_CHARS) -> str | None:
    """Make a message of a sender fit into its field."""
    return text[:length].replace("\x00", "") if text else None
