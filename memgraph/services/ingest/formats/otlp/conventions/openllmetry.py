"""OpenLLMetry (Traceloop): GenAI attributes, steps and sessions of its own; also as of 0.40."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memgraph.services.ingest.formats.otlp.conventions import genai
from memgraph.services.ingest.formats.otlp.conventions.convention import Convention
from memgraph.services.ingest.formats.otlp.conventions.documents import read_documents
from memgraph.services.ingest.formats.otlp.conventions.messages import read_messages
from memgraph.services.ingest.formats.otlp.conventions.reading import (
    as_text,
    either,
    event_time,
    first,
    indexed,
    text,
    value,
)
from memgraph.services.ingest.formats.otlp.conventions.tool_results import tool_input, tool_output
from memgraph.services.ingest.formats.otlp.neutral import (
    AgentRun,
    Chain,
    Document,
    EmbeddingCall,
    Fact,
    Handoff,
    LlmCall,
    Message,
    Retrieval,
    Role,
    ToolRun,
)
from memgraph.services.ingest.formats.otlp.spans import Span

_STEP = "traceloop.span.kind"
_TYPE = "llm.request.type"
_RETRIEVE = "vector_db_retrieve"
_STEPS: Mapping[str, type[Fact]] = {"tool": ToolRun, "agent": AgentRun, "handoff": Handoff}
_TYPES: Mapping[str, type[Fact]] = {
    "chat": LlmCall,
    "completion": LlmCall,
    "embedding": EmbeddingCall,
}
_MARKS = ("traceloop.", "gen_ai.prompt.", "gen_ai.completion.", _TYPE, "gen_ai.handoff.")
_ASSOCIATION = "traceloop.association.properties."
_SESSION = {"session_id", "thread_id", "user_id"}
_agent_name = text("gen_ai.agent.name", "traceloop.entity.name")


def _matches(span: Span) -> bool:
    return any(name.startswith(_MARKS) for name in span.attributes)


def _kind(span: Span) -> type[Fact]:
    attributes = span.attributes
    operation = as_text(attributes.get(genai.OPERATION)) or ""
    if operation == _RETRIEVE or span.name.startswith(_RETRIEVE):
        return Retrieval
    if operation:
        return genai.kind(span)
    told = _STEPS.get(str(attributes.get(_STEP))) or _TYPES.get(str(attributes.get(_TYPE)))
    if told is not None or _STEP in attributes:
        return told or Chain
    return genai.kind(span)


def _flat(span: Span, prefix: str, role: Role) -> tuple[Message, ...]:
    """Read the messages of 0.40, one attribute for each field."""
    return read_messages(indexed(span.attributes, prefix), role)


def _messages_in(span: Span) -> tuple[Message, ...]:
    return genai.messages_in(span) or _flat(span, "gen_ai.prompt", "user")


def _messages_out(span: Span) -> tuple[Message, ...]:
    return genai.messages_out(span) or _flat(span, "gen_ai.completion", "assistant")


def _finish_reason(span: Span) -> str | None:
    return first((genai.finish_reason(span), text("gen_ai.completion.0.finish_reason")(span)))


def _tools(span: Span) -> tuple[str, ...]:
    told = genai.LLM_CALL["tools"](span)
    return told or genai.named(indexed(span.attributes, "llm.request.functions"))


def _input(span: Span) -> Any:
    return tool_input(value("gen_ai.tool.call.arguments", "traceloop.entity.input")(span))


def _output(span: Span) -> tuple[Any, str | None]:
    """Read what a tool gave back; frameworks wrap it alike under both names."""
    return tool_output(value("gen_ai.tool.call.result", "traceloop.entity.output")(span))


def _agent_id(span: Span) -> str | None:
    """Read the id of an agent without a name: LangGraph gives each run an id of its own."""
    return None if _agent_name(span) else text("gen_ai.agent.id")(span)


def _documents(span: Span) -> tuple[Document, ...]:
    told = read_documents(span.attributes.get("traceloop.entity.output"))
    events = [e.attributes for e in span.events if e.name == "db.query.result"]
    prefix = "db.query.result."
    found = [{k.removeprefix(prefix): v for k, v in event.items()} for event in events]
    return told or read_documents(found)


def _metadata(span: Span) -> dict[str, Any] | None:
    """Read what the program said of its session besides."""
    said = {
        name.removeprefix(_ASSOCIATION): found
        for name, found in sorted(span.attributes.items())
        if name.startswith(_ASSOCIATION)
    }
    return {n: v for n, v in said.items() if n not in _SESSION} or None


OPENLLMETRY = Convention(
    name="openllmetry",
    matches=_matches,
    kind=_kind,
    tables={
        LlmCall: {
            **genai.LLM_CALL,
            "input": _messages_in,
            "output": _messages_out,
            "finish_reason": _finish_reason,
            "tools": _tools,
            "first_token_ns": either(
                event_time("gen_ai.content.completion.chunk"), genai.first_token_ns
            ),
        },
        EmbeddingCall: genai.EMBEDDING_CALL,
        ToolRun: {
            "name": text("gen_ai.tool.name", "traceloop.entity.name"),
            "call_id": either(text("gen_ai.tool.call.id"), lambda span: _output(span)[1]),
            "arguments": _input,
            "result": lambda span: _output(span)[0],
        },
        Retrieval: {"documents": _documents},
        AgentRun: {"agent_id": _agent_id, "name": _agent_name},
        Handoff: {
            "from_agent": text("gen_ai.handoff.from_agent"),
            "to_agent": text("gen_ai.handoff.to_agent"),
        },
    },
    context={
        **genai.CONTEXT,
        "session_id": text(
            "session.id",
            _ASSOCIATION + "session_id",
            "gen_ai.conversation.id",
            _ASSOCIATION + "thread_id",
        ),
        "metadata": _metadata,
        "user_id": text("user.id", _ASSOCIATION + "user_id", "enduser.id"),
    },
)
