"""OpenInference: flat attributes with numbers in their names, JSON of everything beside them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from memgraph.services.ingest.formats.otlp.conventions import genai
from memgraph.services.ingest.formats.otlp.conventions.convention import Convention
from memgraph.services.ingest.formats.otlp.conventions.documents import (
    completed,
    read_document,
    read_documents,
)
from memgraph.services.ingest.formats.otlp.conventions.messages import joined, read_messages
from memgraph.services.ingest.formats.otlp.conventions.reading import (
    as_mapping,
    as_text,
    count,
    decoded,
    either,
    event_time,
    first,
    indexed,
    mapping,
    text,
    texts,
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

KIND = "openinference.span.kind"
_KINDS: Mapping[str, type[Fact]] = {
    "LLM": LlmCall,
    "EMBEDDING": EmbeddingCall,
    "TOOL": ToolRun,
    "RETRIEVER": Retrieval,
    "AGENT": AgentRun,
}
_HANDOFF = re.compile(r"handoff(?: to (?P<agent>.+))?", re.IGNORECASE)
_PARAMETERS = {
    "temperature": ("temperature",),
    "top_p": ("top_p",),
    "top_k": ("top_k",),
    "max_tokens": ("max_tokens", "max_completion_tokens", "max_output_tokens"),
    "stop_sequences": ("stop", "stop_sequences"),
    "presence_penalty": ("presence_penalty",),
    "frequency_penalty": ("frequency_penalty",),
}


def _kind(span: Span) -> type[Fact]:
    kind = _KINDS.get(str(span.attributes.get(KIND)).upper(), Chain)
    return Handoff if kind is ToolRun and _handoff(span) else kind


def _handoff(span: Span) -> re.Match[str] | None:
    """A handoff looks like a tool without a name."""
    return None if "tool.name" in span.attributes else _HANDOFF.fullmatch(span.name)


def _to_agent(span: Span) -> str | None:
    match = _handoff(span)
    return first((as_text(span.attributes.get("output.value")), match and match["agent"]))


def _object(name: str, span: Span) -> dict[str, Any]:
    return as_mapping(span.attributes.get(name)) or {}


def _messages_in(span: Span) -> tuple[Message, ...]:
    told = indexed(span.attributes, "llm.input_messages") or _prompts(span)
    return read_messages(told) if told else _raw_messages(span, "input.value", "user")


def _prompts(span: Span) -> list[Any]:
    """Read the prompts of a completion API."""
    prompts = indexed(span.attributes, "llm.prompts")
    return [p["prompt"].get("text") for p in prompts if isinstance(p.get("prompt"), dict)]


def _raw_messages(span: Span, name: str, role: Role) -> tuple[Message, ...]:
    """Read the raw request or answer, which is JSON of an API, or else a bare text."""
    raw = decoded(span.attributes.get(name))
    if not isinstance(raw, dict):
        return read_messages(raw, role)
    if isinstance(raw.get("choices"), list):
        return tuple(m for choice in raw["choices"] for m in read_messages(choice, role))
    found = first(raw.get(n) for n in ("messages", "input", "prompt", "output", "content"))
    messages = read_messages(found, role) if found is not None else read_messages(raw, role)
    system = first((raw.get("instructions"), raw.get("system"))) if role == "user" else None
    return (*read_messages(system, "system"), *messages)


def _messages_out(span: Span) -> tuple[Message, ...]:
    told = indexed(span.attributes, "llm.output_messages")
    messages = read_messages(told, "assistant")
    if not any(m.text or m.requests for m in messages) and not span.failed:
        messages = _raw_messages(span, "output.value", "assistant")
    answers = _with_arguments(tuple(m for m in messages if m.role == "assistant"), span)
    # The items of one answer and the choices of several look alike; only the request tells.
    return answers if _choices(span) > 1 else joined(answers)


def _with_arguments(answers: tuple[Message, ...], span: Span) -> tuple[Message, ...]:
    """Fill in empty arguments, which have no attribute and are in the raw answer only."""
    if all(r.arguments is not None for m in answers for r in m.requests):
        return answers
    raw = _raw_messages(span, "output.value", "assistant")
    known = {r.call_id: r.arguments for m in raw for r in m.requests}
    return tuple(
        replace(
            m,
            requests=tuple(
                r if r.arguments is not None else replace(r, arguments=known.get(r.call_id))
                for r in m.requests
            ),
        )
        for m in answers
    )


def _choices(span: Span) -> int:
    asked = _object("llm.invocation_parameters", span).get("n")
    return asked if isinstance(asked, int) else 1


def _requested(span: Span) -> str | None:
    given, raw = _object("llm.invocation_parameters", span), _object("input.value", span)
    return first(
        as_text(v)
        for v in (
            span.attributes.get("llm.request.model_name"),
            given.get("model"),
            given.get("model_name"),
            raw.get("model"),
        )
    )


def _parameters(span: Span) -> dict[str, Any]:
    given = _object("llm.invocation_parameters", span)
    found = {name: first(given.get(n) for n in names) for name, names in _PARAMETERS.items()}
    return {name: value for name, value in found.items() if value is not None}


def _tools(span: Span) -> tuple[str, ...]:
    tools = [t.get("tool") for t in indexed(span.attributes, "llm.tools") if isinstance(t, dict)]
    return genai.named([t.get("json_schema") for t in tools if isinstance(t, dict)])


def _finish_reason(span: Span) -> str | None:
    raw = _object("output.value", span)
    choices, generations = raw.get("choices"), raw.get("generations")
    while isinstance(generations, list) and generations:
        generations = generations[0]
    information = generations.get("generation_info") if isinstance(generations, dict) else None
    inner = [
        choices[0] if isinstance(choices, list) and choices else None,
        information,
    ]
    reasons = (i.get("finish_reason") for i in inner if isinstance(i, dict))
    told = text("llm.finish_reason")(span)
    return first(as_text(v) for v in (told, *reasons, raw.get("stop_reason"), raw.get("status")))


def _answer_id(span: Span) -> str | None:
    return as_text(_object("output.value", span).get("id"))


def _documents(span: Span) -> tuple[Document, ...]:
    flat = [
        d.get("document")
        for d in indexed(span.attributes, "retrieval.documents")
        if isinstance(d, dict)
    ]
    told = tuple(d for item in flat if (d := read_document(item)) is not None)
    raw = decoded(span.attributes.get("output.value"))
    return completed(told, read_documents(raw) if isinstance(raw, dict | list) else ())


def _call_id(span: Span) -> str | None:
    named = text("tool_call.id", "tool.call_id", "tool.id")(span)
    return named or tool_output(span.attributes.get("output.value"))[1]


def _agent(span: Span) -> str | None:
    named = text("agent.name")(span)
    return named or as_text(_object("metadata", span).get("lc_agent_name"))


OPENINFERENCE = Convention(
    name="openinference",
    matches=lambda span: KIND in span.attributes,
    kind=_kind,
    tables={
        LlmCall: {
            "input": _messages_in,
            "output": _messages_out,
            "model_requested": _requested,
            "model_answered": text("llm.response.model_name", "llm.model_name"),
            "provider": text("llm.provider", "llm.system"),
            "parameters": _parameters,
            "tools": _tools,
            "prompt_tokens": count("llm.token_count.prompt"),
            "completion_tokens": count("llm.token_count.completion"),
            "total_tokens": count("llm.token_count.total"),
            "cached_tokens": count("llm.token_count.prompt_details.cache_read"),
            "finish_reason": _finish_reason,
            "answer_id": _answer_id,
            "first_token_ns": event_time("First Token Stream Event"),
        },
        EmbeddingCall: {
            "model": text("embedding.model_name", "llm.model_name"),
            "provider": text("llm.provider", "llm.system"),
            "tokens": count("llm.token_count.prompt", "llm.token_count.total"),
        },
        ToolRun: {
            "name": either(text("tool.name"), lambda span: span.name),
            "call_id": _call_id,
            "arguments": lambda span: tool_input(span.attributes.get("input.value")),
            "result": lambda span: tool_output(span.attributes.get("output.value"))[0],
        },
        Retrieval: {"documents": _documents},
        AgentRun: {"name": _agent},
        Handoff: {"from_agent": text("input.value"), "to_agent": _to_agent},
    },
    context={
        "session_id": text("session.id"),
        "user_id": text("user.id"),
        "tags": texts("tag.tags"),
        "metadata": mapping("metadata"),
    },
)
