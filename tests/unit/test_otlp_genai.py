"""GenAI, OpenLLMetry and pydantic-ai in the forms of which there is no recording."""

from __future__ import annotations

import json
from typing import Any

import pytest

from memgraph.services.ingest.formats.otlp.spans import SpanEvent
from tests.support.otlp_spans import START_NS, events, log, span

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt", "gen_ai.system": "openai"}
CITY = {"city": "Oslo"}


def part(text: str) -> dict[str, Any]:
    return {"type": "text", "content": text}


def said(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


def chat(question: list[Any], answer: list[Any], **more: Any) -> dict[str, Any]:
    return {
        **CHAT,
        "gen_ai.input.messages": json.dumps(question),
        "gen_ai.output.messages": json.dumps(answer),
        **more,
    }


def turn(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return chat([said("user", part(question))], [said("assistant", part(answer))], **more)


def test_a_session_is_said_by_the_span_of_the_program_above() -> None:
    found = events(
        span(1, {"session.id": "s1", "user.id": "u1", "gen_ai.conversation.id": "c1"}, lasts=90),
        span(2, {}, parent=1, lasts=50),
        span(3, turn("Q", "A"), parent=2),
    )
    (prompt,) = found["PromptEvent"]
    assert (prompt.session.id, prompt.session.user_id) == ("s1", "u1")


def test_the_only_session_of_a_trace_is_that_of_its_other_spans_too() -> None:
    found = events(
        span(1, turn("Q1", "A1", **{"session.id": "s1", "user.id": "u1"})),
        span(2, turn("Q2", "A2"), parent=99),
    )
    assert {(e.session.id, e.session.user_id) for e in found["PromptEvent"]} == {("s1", "u1")}
    several = events(
        span(1, turn("Q1", "A1", **{"session.id": "s1"})),
        span(2, turn("Q2", "A2", **{"session.id": "s2"})),
        span(3, turn("Q3", "A3")),
    )
    sessions = {e.prompt.text: e.session.id for e in several["PromptEvent"]}
    assert sessions == {
        "Q1": "s1",
        "Q2": "s2",
        "Q3": several["PromptEvent"][2].trace_context.trace_id,
    }


def test_a_message_without_its_text_leaves_its_answer_and_tokens() -> None:
    counts = {"gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 2}
    asked = [said("user")]
    found = events(span(1, chat(asked, [said("assistant", part("A cat."))], **counts)))
    assert "PromptEvent" not in found
    (response,) = found["ResponseEvent"]
    assert (response.response.text, response.usage.total_tokens) == ("A cat.", 9)


def test_a_failed_call_has_its_error_from_attribute_and_status() -> None:
    failing = {**chat([said("user", part("Q"))], []), "error.type": "RateLimitError"}
    found = events(span(1, failing, error="429: slow down"))
    (response,) = found["ResponseEvent"]
    assert (response.error.type, response.error.message) == ("RateLimitError", "429: slow down")
    assert response.prompt_event_id == found["PromptEvent"][0].event_id
    assert "ErrorEvent" not in found


def test_content_may_be_in_log_records() -> None:
    call = {"id": "c1", "function": {"name": "weather", "arguments": json.dumps(CITY)}}
    asking = {"tool_calls": [call]}
    logs = (
        log(2, "gen_ai.choice", {"finish_reason": "stop", "message": {"content": "Sunny."}}, ms=9),
        log(1, "gen_ai.user.message", {"content": "Weather?"}, ms=1),
        log(1, "gen_ai.system.message", {"content": "Be brief."}),
        log(1, "gen_ai.choice", {"finish_reason": "tool_calls", "message": asking}, ms=3),
        log(2, "gen_ai.user.message", {"content": "Weather?"}, ms=1),
        log(2, "gen_ai.assistant.message", asking, ms=2),
        log(2, "gen_ai.tool.message", {"id": "c1", "content": '{"sky": "clear"}'}, ms=3),
        log(2, "other.event", "noise", ms=4),
    )  # fmt: skip
    found = events(span(1, CHAT), span(2, CHAT), logs=(*logs, logs[0]))
    (prompt,) = found["PromptEvent"]
    assert prompt.prompt.text == "Weather?"
    assert prompt.context.conversation_history[0].content == "Be brief."
    first, second = found["ResponseEvent"]
    assert first.response.finish_reason == "tool_calls"
    assert (second.response.text, second.response.finish_reason) == ("Sunny.", "stop")
    (tool,) = found["ToolEvent"]
    assert (tool.tool_name, tool.parameters, tool.result) == ("weather", CITY, {"sky": "clear"})
    assert second.informed_by == [tool.invocation_id] == [first.response.tool_calls[0].id]
    assert events(span(1, CHAT), span(2, CHAT), logs=logs[::-1]) == found


def test_content_may_be_in_events_of_the_span() -> None:
    def event(name: str, ms: int, **attributes: Any) -> SpanEvent:
        return SpanEvent(name, START_NS + ms * 1_000_000, attributes)

    told = (
        event("gen_ai.user.message", 1, content="Q"),
        event("gen_ai.choice", 2, message="A", finish_reason="length"),
    )
    (response,) = events(span(1, CHAT, events=told))["ResponseEvent"]
    assert (response.response.text, response.response.finish_reason) == ("A", "length")
    wrapped = (event("gen_ai.choice", 2, **{"gen_ai.event.content": '{"content": "B"}'}),)
    (response,) = events(span(1, CHAT, events=wrapped))["ResponseEvent"]
    assert response.response.text == "B"
    details = (event("gen_ai.client.inference.operation.details", 3, **turn("Q", "A")),)
    found = events(span(1, CHAT, events=details))
    assert found["PromptEvent"][0].prompt.text == "Q"


def test_a_call_without_any_content_is_an_invocation_only() -> None:
    found = events(
        span(1, {**CHAT, "gen_ai.usage.input_tokens": 7, "gen_ai.usage.output_tokens": 2})
    )
    assert found.keys() == {"InvocationEvent"}
    assert found["InvocationEvent"][0].payload.token_count == 9


def test_old_openllmetry_has_an_attribute_for_each_field() -> None:
    prompt, completion = "gen_ai.prompt", "gen_ai.completion"
    base = {
        "llm.request.type": "chat",
        "gen_ai.system": "OpenAI",
        "gen_ai.request.model": "gpt",
        "gen_ai.response.model": "gpt-1",
        "gen_ai.usage.prompt_tokens": 4,
        "gen_ai.usage.completion_tokens": 3,
        "llm.usage.total_tokens": 7,
        "gen_ai.usage.cache_read_input_tokens": 1,
        "traceloop.association.properties.session_id": "s1",
        "traceloop.association.properties.user_id": "u1",
        "traceloop.association.properties.plan": "free",
        f"{prompt}.0.role": "user",
        f"{prompt}.0.content": "Weather?",
        "llm.request.functions.0.name": "weather",
    }
    asking = {
        **base,
        f"{completion}.0.finish_reason": "tool_calls",
        f"{completion}.0.role": "assistant",
        f"{completion}.0.tool_calls.0.id": "c1",
        f"{completion}.0.tool_calls.0.name": "weather",
        f"{completion}.0.tool_calls.0.arguments": json.dumps(CITY),
    }
    answering = {
        **base,
        f"{prompt}.1.role": "assistant",
        f"{prompt}.1.tool_calls.0.id": "c1",
        f"{prompt}.1.tool_calls.0.name": "weather",
        f"{prompt}.1.tool_calls.0.arguments": json.dumps(CITY),
        f"{prompt}.2.role": "tool",
        f"{prompt}.2.tool_call_id": "c1",
        f"{prompt}.2.content": "ERROR: no station",
        f"{completion}.0.content": "No idea.",
        f"{completion}.0.finish_reason": "stop",
    }
    run = {
        "traceloop.span.kind": "tool",
        "traceloop.entity.name": "weather",
        "traceloop.entity.input": json.dumps({"args": [], "kwargs": CITY}),
    }
    found = events(
        span(1, {"traceloop.span.kind": "workflow", "traceloop.entity.name": "w"}, lasts=90),
        span(2, asking, parent=1),
        span(3, run, parent=1, error="no station"),
        span(4, answering, parent=1),
    )
    (asked,) = found["PromptEvent"]
    assert (asked.prompt.text, asked.session.id, asked.session.user_id) == ("Weather?", "s1", "u1")
    assert asked.prompt.metadata == {"plan": "free"}
    assert asked.tools_available == ["weather"]
    first, second = found["ResponseEvent"]
    assert (first.response.finish_reason, second.response.text) == ("tool_calls", "No idea.")
    assert (second.usage.prompt_tokens, second.usage.cached_tokens) == (4, 1)
    (tool,) = found["ToolEvent"]
    assert (tool.status, tool.error, tool.result) == ("failed", "no station", "ERROR: no station")
    assert tool.parameters == CITY
    assert second.informed_by == [tool.invocation_id]


def test_a_langchain_agent_told_by_openllmetry() -> None:
    call = {"type": "tool_call", "id": "c1", "name": "lookup", "arguments": {"order_id": "1182"}}
    thread = {"traceloop.association.properties.thread_id": "t1"}
    message = "content='sent' name='lookup' tool_call_id='c1'"
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "shop"}
    run = {
        **thread,
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "lookup",
        "traceloop.entity.input": '{"input_str": "{\'order_id\': \'1182\'}", "kwargs": {}}',
        "traceloop.entity.output": json.dumps({"output": message}),
    }
    found_documents = [
        {"page_content": "Refunds.", "metadata": {"score": 0.9}},
        {"lc": 1, "id": ["langchain", "Document"], "kwargs": {"page_content": "Food."}},
    ]
    found = events(
        span(1, {**agent, "gen_ai.conversation.id": "t1"}, lasts=900),
        span(2, {**agent, "traceloop.span.kind": "workflow"}, parent=1, lasts=800),
        span(
            3,
            chat(
                [said("user", part("Returns?"))],
                [said("assistant", call)],
                **thread,
                **{"gen_ai.system_instructions": json.dumps([part("You sell.")])},
            ),
            parent=2,
        ),
        span(4, {**run, "traceloop.span.kind": "tool"}, parent=2, lasts=30),
        span(5, {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "lookup"}, parent=4),
        span(
            6,
            {**thread, "traceloop.entity.output": json.dumps({"outputs": found_documents})},
            name="vector_db_retrieve Policies",
            parent=4,
        ),
    )
    assert [e.agent.id for e in found["AgentEvent"]] == ["shop"]
    (prompt,) = found["PromptEvent"]
    assert (prompt.session.id, prompt.agent_id) == ("t1", "shop")
    assert [m.content for m in prompt.context.conversation_history] == ["You sell."]
    documents = [(d.content, d.relevance_score) for d in prompt.context.documents]
    assert documents == [("Refunds.", 0.9), ("Food.", None)]
    (tool,) = found["ToolEvent"]
    assert (tool.parameters, tool.result) == ({"order_id": "1182"}, "sent")
    assert tool.metadata["call_id"] == "c1"


def test_documents_of_a_vector_store_are_events_of_its_span() -> None:
    results = tuple(
        SpanEvent(
            "db.query.result",
            START_NS,
            {"db.query.result.id": f"d{n}", "db.query.result.document": f"text {n}"},
        )
        for n in range(2)
    )
    found = events(
        span(1, {"traceloop.span.kind": "task"}, name="vector_db_retrieve x", events=results),
        span(2, turn("Q", "A")),
    )
    documents = found["PromptEvent"][0].context.documents
    assert [(d.id, d.content) for d in documents] == [("d0", "text 0"), ("d1", "text 1")]
    listed = [{"id": "r1", "score": "0.5", "content": "text"}, {"neither": 1}]
    retrieval = {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.retrieval.documents": json.dumps(listed),
    }
    (document,) = events(span(1, retrieval), span(2, turn("Q", "A")))["PromptEvent"][
        0
    ].context.documents
    assert (document.id, document.relevance_score) == ("r1", 0.5)


def test_handoffs_have_attributes_of_their_own() -> None:
    told = {"gen_ai.handoff.from_agent": "a", "gen_ai.handoff.to_agent": "b"}
    found = events(span(1, turn("Q", "A")), span(2, {"traceloop.span.kind": "handoff", **told}))
    (handoff,) = found["HandoffEvent"]
    assert (handoff.from_agent_id, handoff.to_agent_id) == ("a", "b")


def test_older_pydantic_ai_has_other_names() -> None:
    history = [
        {"event.name": "gen_ai.user.message", "content": "Q", "role": "user"},
        {"event.name": "gen_ai.choice", "index": 0, "message": {"role": "assistant", "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "t", "arguments": {"x": 1}}}]}},
    ]  # fmt: skip
    run = {
        "gen_ai.tool.name": "t",
        "gen_ai.tool.call.id": "c1",
        "tool_arguments": '{"x": 1}',
        "tool_response": "done",
    }
    sums = {"gen_ai.usage.input_tokens": 99, "gen_ai.usage.output_tokens": 99}
    found = events(
        span(1, {"agent_name": "helper", "model_name": "gpt", **sums}, name="agent run", lasts=90),
        span(
            2, {**CHAT, "model_request_parameters": "{}", "events": json.dumps(history)}, parent=1
        ),
        span(3, {"logfire.json_schema": "{}", **run}, name="running tool", parent=1),
    )
    assert [e.agent.id for e in found["AgentEvent"]] == ["helper"]
    assert found["PromptEvent"][0].agent_id == "helper"
    (tool,) = found["ToolEvent"]
    assert (tool.result, tool.parameters) == ("done", {"x": 1})
    assert tool.response_id == found["ResponseEvent"][0].event_id
    assert all(e.payload.token_count is None for e in found["InvocationEvent"])


OLDER = "01a1fe99-576d-70a8-b92d-bbd8acff5003"
NEWER = "01a1fe99-576d-70a8-b92d-bbd9913cd09b"


def pydantic_run(conversation: str, run: str = OLDER, **more: Any) -> dict[str, Any]:
    return {
        "gen_ai.conversation.id": conversation,
        "gen_ai.agent.call.id": run,
        "pydantic_ai.cache.hit_ratio": 0.5,
        **more,
    }


@pytest.mark.parametrize(
    ("conversation", "is_given"),
    [
        ("conv-1", True),
        (OLDER, True),
        (NEWER, False),
        ("f47ac10b-58cc-4372-a567-0e02b2c3d479", True),
    ],
)
def test_a_conversation_id_that_a_run_made_up_is_no_session(
    conversation: str, is_given: bool
) -> None:
    (prompt,) = events(span(1, turn("Q", "A", **pydantic_run(conversation))))["PromptEvent"]
    given = prompt.session.id != prompt.trace_context.trace_id
    assert given is is_given
    if is_given:
        assert prompt.session.id == conversation


def test_the_session_of_the_program_counts_before_one_that_a_run_made_up() -> None:
    found = events(
        span(1, {"session.id": "s1"}, lasts=90),
        span(2, turn("Q", "A", **pydantic_run(NEWER)), parent=1),
    )
    assert found["PromptEvent"][0].session.id == "s1"


def test_a_run_tells_what_its_last_failed_call_was_asked() -> None:
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"}
    messages = [said("user", part("Q"))]
    found = events(
        span(1, {**agent, "pydantic_ai.all_messages": json.dumps(messages)}, error="x", lasts=90),
        span(2, CHAT, parent=1, error="429"),
    )
    (response,) = found["ResponseEvent"]
    assert response.error.message == "429"
    assert response.prompt_event_id == found["PromptEvent"][0].event_id
    assert found["PromptEvent"][0].derived is None
    # A call that succeeded without telling is not guessed at.
    quiet = events(
        span(1, {**agent, "pydantic_ai.all_messages": json.dumps(messages)}, lasts=90),
        span(2, CHAT, parent=1),
    )
    assert quiet["PromptEvent"][0].derived == ["created_at"]
    assert "ResponseEvent" not in quiet


def test_parts_of_other_apis_are_messages_too() -> None:
    asked = [
        {"role": "user", "content": [{"type": "text", "text": "Q"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "tool_use", "id": "c1", "name": "t", "input": {"x": 1}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "c1",
                    "content": [part("42") | {"text": "42"}],
                }
            ],
        },
        {"type": "function_call", "call_id": "c2", "name": "u", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c2", "output": "7"},
        ["nonsense"],
        {"role": "nobody", "content": "?"},
    ]
    found = events(span(1, chat(asked, [said("assistant", part("A"))])))
    assert [e.prompt.text for e in found["PromptEvent"]] == ["Q"]
    results = {e.metadata["call_id"]: e.result for e in found["ToolEvent"]}
    assert results == {"c1": 42, "c2": 7}
    final = next(e for e in found["ResponseEvent"] if e.response.text == "A")
    assert len(final.informed_by) == 1


def test_messages_that_a_limit_cut_off_are_no_ones_words() -> None:
    attributes = turn("Q", "A")
    attributes["gen_ai.input.messages"] = attributes["gen_ai.input.messages"][:30]
    found = events(span(1, attributes))
    assert "PromptEvent" not in found
    assert found["ResponseEvent"][0].response.text == "A"
    whole = events(
        span(1, {**CHAT, "gen_ai.input.messages": "[hello]", "gen_ai.output.messages": "A"})
    )
    assert whole["PromptEvent"][0].prompt.text == "[hello]"
