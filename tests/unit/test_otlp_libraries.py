"""What recordings of real libraries brought to light, one thing at a time, and its limits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.otlp_spans import OTHER_TRACE, events, span

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt", "gen_ai.system": "openai"}


def said(role: str, text: str) -> list[Any]:
    return [{"role": role, "parts": [{"type": "text", "content": text}]}]


def chat(question: list[Any], answer: list[Any], **more: Any) -> dict[str, Any]:
    told = {"gen_ai.input.messages": question, "gen_ai.output.messages": answer}
    return {**CHAT, **{name: json.dumps(value) for name, value in told.items()}, **more}


def turn(question: str, answer: str, **more: Any) -> dict[str, Any]:
    return chat(said("user", question), said("assistant", answer), **more)


def test_a_document_may_have_no_text() -> None:
    told = {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.retrieval.documents": json.dumps([{"id": "d1", "score": 0.5}]),
    }
    (prompt,) = events(span(1, told), span(2, turn("Q", "A")))["PromptEvent"]
    [document] = prompt.context.documents
    assert (document.id, document.content, document.relevance_score) == ("d1", None, 0.5)


@pytest.mark.parametrize(("waited_s", "ttft"), [(0.002, 2), (9.0, None), ("nan", None)])
def test_the_first_piece_of_a_stream_comes_while_the_span_lasts(waited_s: Any, ttft: Any) -> None:
    told = turn("Q", "A", **{"gen_ai.response.time_to_first_chunk": waited_s})
    (response,) = events(span(1, told))["ResponseEvent"]
    assert response.metrics.ttft == ttft


def of_the_sdk(**more: Any) -> dict[str, Any]:
    """What an SDK says of a call by itself: no words."""
    return {**CHAT, "gen_ai.response.model": "gpt-1", **more}


def test_a_call_that_two_instrumentations_tell_of_is_one_in_two_traces_too() -> None:
    answer = {"gen_ai.response.id": "msg_1", "gen_ai.usage.input_tokens": 7}
    told = turn("Q", "A", **of_the_sdk(**answer, **{"gen_ai.usage.output_tokens": 3}))
    bare = of_the_sdk(**answer, **{"gen_ai.usage.output_tokens": 2})
    found = events(span(1, told), span(2, bare, trace=OTHER_TRACE))
    assert len({e.event_id for e in found["InvocationEvent"]}) == 1
    assert len({e.payload.invocation_id for e in found["InvocationEvent"]}) == 1


def test_a_failed_call_that_is_told_of_twice_beside_each_other_is_one() -> None:
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a"}
    asked = chat(said("user", "Q"), [])
    found = events(
        span(1, agent, lasts=90),
        span(2, asked, parent=1, error="429: slow down"),
        span(3, of_the_sdk(), parent=1, at=21, error=""),
    )
    (response,) = found["ResponseEvent"]
    assert response.error.message == "429: slow down"
    assert len(found["InvocationEvent"]) == 1
    assert "ErrorEvent" not in found
    # Another time, another call.
    later = events(
        span(1, agent, lasts=90),
        span(2, asked, parent=1, error="429: slow down"),
        span(3, of_the_sdk(), parent=1, error=""),
    )
    assert len(later["InvocationEvent"]) == 2


def test_an_agent_with_a_name_is_not_known_by_the_id_of_its_run() -> None:
    run = {"gen_ai.operation.name": "invoke_agent", "traceloop.span.kind": "workflow"}
    named = {**run, "gen_ai.agent.name": "desk", "gen_ai.agent.id": "run-1"}
    found = events(span(1, named, lasts=90), span(2, turn("Q", "A"), parent=1))
    assert [e.agent.id for e in found["AgentEvent"]] == ["desk"]
    nameless = events(span(1, {**run, "gen_ai.agent.id": "run-1"}, lasts=90))
    assert [e.agent.id for e in nameless["AgentEvent"]] == ["run-1"]
