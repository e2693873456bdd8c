"""Attributes may hold anything: what comes of them is events and problems, never an exception."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from memgraph.services.ingest.formats.otlp import assemble
from memgraph.services.ingest.formats.otlp.spans import SpanEvent
from memgraph.services.ingest.formats.records import Problem, Record
from tests.support.otlp_spans import START_NS, span

NAMES = (
    "openinference.span.kind",
    "llm.input_messages.0.message.role",
    "llm.input_messages.0.message.content",
    "llm.input_messages.0.message",
    "llm.input_messages.0.message.contents.0.message_content.image.image.url",
    "llm.input_messages.0.message.tool_calls.0.tool_call",
    "llm.input_messages.x.message.role",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.name",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments",
    "llm.invocation_parameters",
    "llm.prompts.0.prompt",
    "llm.tools.0.tool.json_schema",
    "llm.token_count.prompt",
    "llm.token_count.total",
    "llm.model_name",
    "input.value",
    "output.value",
    "retrieval.documents.0.document.content",
    "retrieval.documents.0.document.metadata",
    "tool.name",
    "agent.name",
    "session.id",
    "user.id",
    "metadata",
    "tag.tags",
    "traceloop.span.kind",
    "traceloop.entity.input",
    "traceloop.entity.output",
    "traceloop.entity.name",
    "gen_ai.operation.name",
    "gen_ai.request.model",
    "gen_ai.request.temperature",
    "gen_ai.request.stop_sequences",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.id",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.tool.call.id",
    "gen_ai.tool.name",
    "gen_ai.prompt.0.role",
    "gen_ai.prompt.0.content",
    "gen_ai.completion.0.finish_reason",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.conversation.id",
    "gen_ai.agent.call.id",
    "gen_ai.retrieval.documents",
    "gen_ai.handoff.to_agent",
    "pydantic_ai.all_messages",
    "events",
    "agent_name",
    "error.type",
)
WORDS = (
    *("LLM", "TOOL", "AGENT", "RETRIEVER", "EMBEDDING", "CHAIN", "chat", "embeddings", "tool"),
    *("execute_tool", "invoke_agent", "retrieval", "handoff", "workflow", "user", "assistant"),
    *("text", "tool_call", "tool_call_response", "[", "{}", '""', "-1", "NaN", "'", "\x00"),
    "{'a': 1",
)
FIELDS = (
    *("role", "parts", "content", "type", "text", "tool_calls", "function", "name", "arguments"),
    *("id", "result", "messages", "choices", "message", "generations", "data", "kwargs", "lc"),
    *("document", "metadata", "score", "image_url", "args", "event.name", "tool_call_id"),
)
WORD = st.sampled_from(WORDS) | st.text(max_size=4)
TREE = st.recursive(
    WORD | st.none() | st.booleans() | st.integers(-5, 2**63 - 1) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5)
    ),
    max_leaves=12,
)
VALUE = TREE | TREE.map(json.dumps) | TREE.map(json.dumps).map(json.dumps) | TREE.map(repr)
ATTRIBUTES = st.dictionaries(st.sampled_from(NAMES), VALUE, max_size=12)


@given(st.lists(ATTRIBUTES, min_size=1, max_size=4), st.lists(st.integers(0, 4), min_size=4))
def test_any_attributes_give_events_or_problems(
    attributes: list[dict[str, Any]], parents: list[int]
) -> None:
    told = (SpanEvent("gen_ai.choice", START_NS, {"body": attributes[0]}),)
    spans = [
        span(n, each, parent=parents[n] or None, error="x" if n == 2 else None, events=told)
        for n, each in enumerate(attributes)
    ]
    items = assemble(spans)
    assert all(isinstance(item, Record | Problem) for item in items)
    assert assemble(spans[::-1]) == items
