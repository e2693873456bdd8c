"""GenAI as pydantic-ai writes it, now and in its older forms with ``events`` and ``agent run``."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from memgraph.services.ingest.formats.otlp.conventions import genai
from memgraph.services.ingest.formats.otlp.conventions.convention import Convention
from memgraph.services.ingest.formats.otlp.conventions.messages import read_messages
from memgraph.services.ingest.formats.otlp.conventions.reading import (
    as_text,
    decoded,
    json,
    text,
)
from memgraph.services.ingest.formats.otlp.neutral import (
    AgentRun,
    EmbeddingCall,
    Fact,
    LlmCall,
    Message,
    ToolRun,
)
from memgraph.services.ingest.formats.otlp.spans import Span

_MARKS = frozenset(
    {
        "agent_name",
        "all_messages_events",
        "logfire.json_schema",
        "model_request_parameters",
        "tool_arguments",
        "tool_response",
    }
)
_CONVERSATION = "gen_ai.conversation.id"
_RUN = "gen_ai.agent.call.id"


def _matches(span: Span) -> bool:
    names = span.attributes.keys()
    return not _MARKS.isdisjoint(names) or any(n.startswith("pydantic_ai.") for n in names)


def _kind(span: Span) -> type[Fact]:
    attributes = span.attributes
    if genai.OPERATION in attributes:
        return genai.kind(span)
    if "gen_ai.tool.name" in attributes:
        return ToolRun
    return AgentRun if "agent_name" in attributes else genai.kind(span)


def _events(span: Span, name: str) -> list[tuple[str, Any]]:
    """List the events that are kept as JSON in an attribute."""
    found = decoded(span.attributes.get(name))
    events = [e for e in found if isinstance(e, dict)] if isinstance(found, list) else []
    return [(str(event.get("event.name")), event) for event in events]


def _messages_in(span: Span) -> tuple[Message, ...]:
    return genai.messages_in(span) or genai.input_of_events(_events(span, "events"))


def _messages_out(span: Span) -> tuple[Message, ...]:
    return genai.messages_out(span) or genai.output_of_events(_events(span, "events"))


def _all_messages(span: Span) -> tuple[Message, ...]:
    told = span.attributes.get("pydantic_ai.all_messages")
    if told is None:
        return genai.input_of_events(_events(span, "all_messages_events"))
    return (*genai.instructions(span), *read_messages(told))


def _given_session(span: Span) -> str | None:
    given = text("session.id")(span)
    return given or (None if _is_made_up(span) else text(_CONVERSATION)(span))


def _is_made_up(span: Span) -> bool:
    """Say whether the run made its conversation id itself.

    Both ids are UUIDv7, which grow with time, and what a program gives to a run is older
    than the run.
    """
    conversation, run = (_uuid7(span.attributes.get(n)) for n in (_CONVERSATION, _RUN))
    return conversation is not None and run is not None and conversation > run


def _uuid7(found: Any) -> int | None:
    try:
        read = UUID(as_text(found) or "")
    except ValueError:
        return None
    return read.int if read.version == 7 else None


PYDANTIC_AI = Convention(
    name="pydantic_ai",
    matches=_matches,
    kind=_kind,
    tables={
        LlmCall: {**genai.LLM_CALL, "input": _messages_in, "output": _messages_out},
        EmbeddingCall: genai.EMBEDDING_CALL,
        ToolRun: {
            **genai.TOOL_RUN,
            "arguments": json("gen_ai.tool.call.arguments", "tool_arguments"),
            "result": json("gen_ai.tool.call.result", "tool_response"),
        },
        AgentRun: {
            "agent_id": text("gen_ai.agent.id"),
            "name": text("gen_ai.agent.name", "agent_name"),
            "messages": _all_messages,
        },
    },
    context={
        **genai.CONTEXT,
        "session_id": _given_session,
        "agent": text("gen_ai.agent.name", "agent_name"),
    },
)
