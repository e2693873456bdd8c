"""OpenTelemetry's GenAI conventions: messages in attributes, or in events as in 1.30.

Log records of a span are among its events here, with their body under ``body``. A span
of no convention at all is read here too: it may say the session of those below it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memgraph.services.ingest.formats.otlp.conventions.convention import Convention
from memgraph.services.ingest.formats.otlp.conventions.documents import read_documents
from memgraph.services.ingest.formats.otlp.conventions.messages import read_messages
from memgraph.services.ingest.formats.otlp.conventions.reading import (
    Reader,
    Table,
    as_mapping,
    as_number,
    count,
    decoded,
    first,
    json,
    mapping,
    text,
    texts,
    value,
)
from memgraph.services.ingest.formats.otlp.neutral import (
    AgentRun,
    Chain,
    EmbeddingCall,
    Fact,
    LlmCall,
    Message,
    Retrieval,
    Role,
    ToolRun,
)
from memgraph.services.ingest.formats.otlp.spans import Span, SpanEvent

OPERATION = "gen_ai.operation.name"
INPUT = "gen_ai.input.messages"
OUTPUT = "gen_ai.output.messages"
INSTRUCTIONS = "gen_ai.system_instructions"

_CALLS = {"chat", "text_completion", "generate_content"}
_KINDS: Mapping[str, type[Fact]] = {
    **dict.fromkeys(_CALLS, LlmCall),
    "embeddings": EmbeddingCall,
    "execute_tool": ToolRun,
    "invoke_agent": AgentRun,
    "retrieval": Retrieval,
}
_MESSAGES: Mapping[str, Role] = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
_CHOICE = "gen_ai.choice"
_DETAILS = "gen_ai.client.inference.operation.details"


def kind(span: Span) -> type[Fact]:
    """Tell the kind by the operation; what asked a model and names no operation is a call."""
    operation = span.attributes.get(OPERATION)
    if isinstance(operation, str):
        return _KINDS.get(operation, Chain)
    return LlmCall if "gen_ai.request.model" in span.attributes else Chain


def message_events(span: Span) -> list[tuple[str, Any]]:
    """List the events that hold messages, by time: name and body."""
    told = sorted(enumerate(span.events), key=lambda e: (e[1].time_ns, e[0]))
    return [(e.name, _body(e)) for _, e in told if e.name in _MESSAGES or e.name == _CHOICE]


def _body(event: SpanEvent) -> Any:
    attributes = event.attributes
    return first((attributes.get("body"), decoded(attributes.get("gen_ai.event.content")))) or dict(
        attributes
    )


def input_of_events(events: list[tuple[str, Any]]) -> tuple[Message, ...]:
    """Read the messages that were sent to the model."""
    return tuple(
        message
        for name, body in events
        if name in _MESSAGES
        for message in read_messages(_with_role(body, _MESSAGES[name]))
    )


def output_of_events(events: list[tuple[str, Any]]) -> tuple[Message, ...]:
    """Read the choices that came back."""
    return tuple(
        message
        for name, body in events
        if name == _CHOICE
        for message in read_messages(_with_role(_choice(body), "assistant"))
    )


def _choice(body: Any) -> Any:
    body = body if isinstance(body, dict) else {"content": body}
    return body["message"] if isinstance(body.get("message"), dict | str) else body


def _with_role(body: Any, role: Role) -> Any:
    if isinstance(body, dict):
        kept = {k: v for k, v in body.items() if k != "message"}
        return {**kept, "role": body.get("role") or role}
    return {"role": role, "content": body}


def _told(span: Span, name: str) -> Any:
    """Read an attribute of the span, or of the event that holds details for it."""
    details = (e.attributes.get(name) for e in span.events if e.name == _DETAILS)
    return first((span.attributes.get(name), *details))


def messages_in(span: Span) -> tuple[Message, ...]:
    """Read what was sent to the model, the instructions first."""
    sent = _told(span, INPUT)
    heard = () if sent is not None else input_of_events(message_events(span))
    return (*instructions(span), *heard, *read_messages(sent))


def instructions(span: Span) -> tuple[Message, ...]:
    """Read the system prompt where it lies apart."""
    parts = decoded(_told(span, INSTRUCTIONS))
    return read_messages([{"role": "system", "parts": parts}]) if parts else ()


def messages_out(span: Span) -> tuple[Message, ...]:
    """Read the choices."""
    sent = _told(span, OUTPUT)
    if sent is None:
        return output_of_events(message_events(span))
    return read_messages(sent, "assistant")


def finish_reason(span: Span) -> str | None:
    """Read the first finish reason, wherever it lies."""
    stated: str | None = first(texts("gen_ai.response.finish_reasons")(span))
    if stated:
        return stated
    choices = [body for name, body in message_events(span) if name == _CHOICE]
    outputs = decoded(_told(span, OUTPUT))
    said = [*choices, *(outputs if isinstance(outputs, list) else ())]
    return first(item.get("finish_reason") for item in said if isinstance(item, dict))


def first_token_ns(span: Span) -> int | None:
    """Place the first piece of a streamed answer; its attribute counts seconds from the start."""
    waited_s = as_number(span.attributes.get("gen_ai.response.time_to_first_chunk"))
    lasted_s = (span.end_ns - span.start_ns) / 1e9
    if waited_s is None or not 0 <= waited_s <= lasted_s:
        return None
    return span.start_ns + round(waited_s * 1e9)


def tool_names(*names: str) -> Reader:
    """Read the names of the tools that could be called, from their JSON definitions."""

    def read(span: Span) -> tuple[str, ...]:
        found = first(decoded(span.attributes.get(name)) for name in names)
        return named(found if isinstance(found, list) else [])

    return read


def named(definitions: list[Any]) -> tuple[str, ...]:
    """Take the name out of each definition of a tool."""
    kept = []
    for item in definitions:
        definition = as_mapping(item) or {}
        function = definition.get("function")
        inner = function if isinstance(function, dict) else definition
        if isinstance(name := inner.get("name"), str) and name:
            kept.append(name)
    return tuple(dict.fromkeys(kept))


PARAMETERS: Mapping[str, Reader] = {
    "temperature": value("gen_ai.request.temperature"),
    "top_p": value("gen_ai.request.top_p", "llm.top_p"),
    "top_k": value("gen_ai.request.top_k", "llm.top_k"),
    "max_tokens": value("gen_ai.request.max_tokens"),
    "stop_sequences": value("gen_ai.request.stop_sequences", "llm.chat.stop_sequences"),
    "presence_penalty": value("gen_ai.request.presence_penalty", "llm.presence_penalty"),
    "frequency_penalty": value("gen_ai.request.frequency_penalty", "llm.frequency_penalty"),
}


def parameters(span: Span) -> dict[str, Any]:
    """Read the parameters of the request that were given."""
    found = {name: read(span) for name, read in PARAMETERS.items()}
    return {name: given for name, given in found.items() if given is not None}


LLM_CALL: Table = {
    "input": messages_in,
    "output": messages_out,
    "model_requested": text("gen_ai.request.model"),
    "model_answered": text("gen_ai.response.model"),
    "provider": text("gen_ai.provider.name", "gen_ai.system"),
    "parameters": parameters,
    "tools": tool_names("gen_ai.tool.definitions"),
    "prompt_tokens": count("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "completion_tokens": count("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "total_tokens": count("gen_ai.usage.total_tokens", "llm.usage.total_tokens"),
    "cached_tokens": count(
        "gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens"
    ),
    "finish_reason": finish_reason,
    "answer_id": text("gen_ai.response.id"),
    "first_token_ns": first_token_ns,
}
EMBEDDING_CALL: Table = {
    "model": text("gen_ai.response.model", "gen_ai.request.model"),
    "provider": LLM_CALL["provider"],
    "tokens": count(
        "gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "gen_ai.usage.total_tokens"
    ),
}
TOOL_RUN: Table = {
    "name": text("gen_ai.tool.name"),
    "call_id": text("gen_ai.tool.call.id"),
    "arguments": json("gen_ai.tool.call.arguments"),
    "result": json("gen_ai.tool.call.result"),
}
AGENT_RUN: Table = {
    "agent_id": text("gen_ai.agent.id"),
    "name": text("gen_ai.agent.name"),
}
CONTEXT: Table = {
    "session_id": text("session.id", "gen_ai.conversation.id"),
    "user_id": text("user.id", "enduser.id"),
    "agent": text("gen_ai.agent.name"),
    "tags": texts("tag.tags"),
    "metadata": mapping("metadata"),
}


def _documents(span: Span) -> Any:
    return read_documents(span.attributes.get("gen_ai.retrieval.documents"))


GENAI = Convention(
    name="genai",
    matches=lambda span: True,
    kind=kind,
    tables={
        LlmCall: LLM_CALL,
        EmbeddingCall: EMBEDDING_CALL,
        ToolRun: TOOL_RUN,
        AgentRun: AGENT_RUN,
        Retrieval: {"documents": _documents},
    },
    context=CONTEXT,
)
