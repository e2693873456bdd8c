"""Histories: the same message told by many calls and traces is one node, and nobody's time."""

from __future__ import annotations

import json
from itertools import permutations
from typing import Any

from memgraph.services.ingest.formats.otlp import assemble, is_recalled, prefer
from memgraph.services.ingest.formats.records import Record
from tests.support.otlp_spans import OTHER_TRACE, TRACE, events, log, problems, span

Turn = tuple[str, str]


def message(role: str, text: str, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": text, **more}


def call(history: list[Any], answer: str | None, session: str | None = "s1") -> dict[str, Any]:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": json.dumps(history),
    }
    if answer is not None:
        attributes["gen_ai.output.messages"] = json.dumps([message("assistant", answer)])
    if session:
        attributes["session.id"] = session
    return attributes


def dialogue(*texts: str) -> list[Any]:
    return [message(("user", "assistant")[n % 2], text) for n, text in enumerate(texts)]


def test_a_later_trace_tells_of_the_same_messages_by_the_same_ids() -> None:
    first = events(span(1, call(dialogue("Q1"), "A1")))
    later = events(span(9, call(dialogue("Q1", "A1", "Q2"), "A2"), trace=OTHER_TRACE))
    (q1,), (a1,) = first["PromptEvent"], first["ResponseEvent"]
    recalled, q2 = later["PromptEvent"]
    assert (recalled.event_id, recalled.derived) == (q1.event_id, ["created_at"])
    assert (q2.previous_prompt_id, q2.derived) == (q1.event_id, None)
    assert recalled.timestamp < later["ResponseEvent"][0].timestamp < q2.timestamp
    assert later["ResponseEvent"][0].event_id == a1.event_id
    assert later["ResponseEvent"][0].usage is None
    assert later["ResponseEvent"][1].prompt_event_id == q2.event_id


def test_another_session_has_other_messages() -> None:
    ids = {
        events(span(1, call(dialogue("Q"), "A", session)))["PromptEvent"][0].event_id
        for session in ("s1", "s2", None)
    }
    assert len(ids) == 3


def test_a_history_that_is_cut_at_its_start_keeps_the_ids_of_the_rest() -> None:
    whole = events(span(1, call(dialogue("Q1", "A1", "Q2", "A2", "Q3"), "A3")))
    cut = events(span(1, call(dialogue("Q1", "A1", "Q2", "A2", "Q3")[1:], "A3")))
    ids = [e.event_id for e in whole["PromptEvent"]]
    assert [e.event_id for e in cut["PromptEvent"]] == ids[1:]
    assert [m.content for m in cut["PromptEvent"][0].context.conversation_history] == ["A1"]


def test_the_same_words_a_second_time_are_a_second_message() -> None:
    found = events(span(1, call(dialogue("yes", "ok", "yes"), "ok")))
    assert len({e.event_id for e in found["PromptEvent"]}) == 2
    assert len({e.event_id for e in found["ResponseEvent"]}) == 2
    turn = [
        message("user", "Q"),
        message("assistant", "hm"),
        message("tool", "1", tool_call_id="x"),
    ]
    found = events(span(1, call([*turn, message("assistant", "hm")], "A")))
    assert [e.response.text for e in found["ResponseEvent"]] == ["hm", "hm", "A"]


def test_what_an_assistant_says_in_one_go_is_one_response() -> None:
    asked = {"id": "c1", "function": {"name": "t", "arguments": "{}"}}
    history = [
        message("user", "Q"),
        message("assistant", "One moment."),
        message("assistant", "", tool_calls=[asked]),
        message("tool", "7", tool_call_id="c1"),
        message("assistant", ""),
    ]
    found = events(span(1, call(history, "A")))
    assert [e.response.text for e in found["ResponseEvent"]] == ["One moment.", "A"]
    (tool,) = found["ToolEvent"]
    assert (tool.result, tool.status, tool.derived) == (7, "success", ["created_at", "status"])
    assert found["ResponseEvent"][1].informed_by == [tool.invocation_id]


def test_a_result_that_tells_of_an_error_is_a_failure() -> None:
    asked = {"id": "c1", "function": {"name": "t", "arguments": "{}"}}
    history = [
        message("user", "Q"),
        message("assistant", "", tool_calls=[asked]),
        message("tool", "Error: no such thing", tool_call_id="c1"),
        message("tool", "never asked for", tool_call_id="c9"),
    ]
    (tool,) = events(span(1, call(history, "A")))["ToolEvent"]
    assert (tool.status, tool.error) == ("failed", "Error: no such thing")


def test_equal_calls_of_one_trace_are_calls_of_their_own() -> None:
    found = events(*(span(n, call(dialogue("Classify: x"), "spam")) for n in (1, 2, 3)))
    assert len(found["PromptEvent"]) == 1
    assert len({e.event_id for e in found["ResponseEvent"]}) == 3
    assert len({e.trace_context.span_id for e in found["ResponseEvent"]}) == 3


def test_a_call_that_is_tried_again_fails_once_and_answers_once() -> None:
    found = events(
        span(1, call(dialogue("Q"), None), error="429"), span(2, call(dialogue("Q"), "A"))
    )
    (prompt,) = found["PromptEvent"]
    failed, answered = found["ResponseEvent"]
    assert failed.prompt_event_id == answered.prompt_event_id == prompt.event_id
    assert (failed.error.message, answered.error) == ("429", None)
    assert prompt.timestamp < failed.timestamp


def test_an_answer_is_kept_when_its_question_was_not_sent() -> None:
    attributes = call([], "A")
    del attributes["gen_ai.input.messages"]
    found = events(span(1, attributes), span(2, attributes))
    assert "PromptEvent" not in found
    assert len({e.prompt_event_id for e in found["ResponseEvent"]}) == 2


def test_a_system_prompt_that_differs_is_told_with_the_answer() -> None:
    first = [message("system", "Route."), message("user", "Q")]
    second = [message("developer", "Refund."), *first[1:]]
    found = events(span(1, call(first, "A1")), span(2, call(second, "A2")))
    assert [m.content for m in found["PromptEvent"][0].context.conversation_history] == ["Route."]
    assert [e.response.metadata for e in found["ResponseEvent"]] == [None, {"system": ["Refund."]}]


def test_the_better_telling_holds_in_any_order() -> None:
    spans = [
        span(1, call(dialogue("Q1"), "A1")),
        span(5, call(dialogue("Q1", "A1", "Q2"), "A2"), trace=OTHER_TRACE),
        span(9, call(dialogue("Q1"), "A1"), trace="2" * 32),
    ]
    tellings = [
        item
        for item in assemble(spans)
        if isinstance(item, Record) and getattr(item.event, "prompt", None)
    ]
    (first_id,) = {t.event.event_id for t in tellings if t.event.prompt.text == "Q1"}
    told = [t for t in tellings if t.event.event_id == first_id]
    assert len(told) == 3
    for one, two, three in permutations(told):
        chosen = prefer(prefer(one, two), three).event
        assert not is_recalled(chosen)
        assert chosen.trace_context.trace_id == TRACE


def test_what_cannot_be_stored_is_reported_and_the_rest_is_kept() -> None:
    found = assemble([span(1, call(dialogue("Q\x00"), "A"))])
    assert problems(span(1, call(dialogue("Q\x00"), "A"))) == [
        "text: holds a character or form that is not allowed here"
    ]
    assert [type(i.event).__name__ for i in found if isinstance(i, Record)] == ["ResponseEvent"]
    old = span(1, call(dialogue("Q"), "A"), at=-500_000_000_000)
    assert set(problems(old)) == {"timestamp: must not be before 2015-01-01"}


def test_a_call_id_may_be_anything() -> None:
    for call_id in ("x" * 600, "line\nbreak", "ünïcode"):
        asked = {"id": call_id, "function": {"name": "t", "arguments": "no json"}}
        history = [
            message("user", "Q"),
            message("assistant", "", tool_calls=[asked]),
            message("tool", "7", tool_call_id=call_id),
        ]
        found = events(span(1, call(history, "A")))
        (tool,) = found["ToolEvent"]
        assert (tool.parameters, tool.metadata["call_id"]) == ("no json", call_id)


def test_circles_twins_and_long_chains_of_spans_do_no_harm() -> None:
    circle = [span(n, call(dialogue(f"Q{n}"), "A"), parent=n % 3 + 1) for n in (1, 2, 3)]
    assert len(events(*circle)["PromptEvent"]) == 1  # each is inside the one before
    itself = span(1, call(dialogue("Q"), "A"), parent=1)
    assert len(events(itself)["PromptEvent"]) == 1
    poorer = span(1, {"gen_ai.operation.name": "chat"})
    assert events(poorer, itself) == events(itself, poorer) == events(itself)
    chain = [span(n, {}, parent=n - 1) for n in range(2, 5_000)]
    found = events(
        span(1, {"session.id": "s9"}),
        *chain,
        span(5_000, call(dialogue("Q"), "A", None), parent=4_999),
    )
    assert found["PromptEvent"][0].session.id == "s9"


def test_a_log_record_of_no_span_tells_nothing() -> None:
    told = log(7, "gen_ai.user.message", {"content": "lost"})
    assert list(assemble([span(1, {})], [told])) == []
    assert assemble([], [told]) == []


def test_a_service_is_an_application_unless_its_name_was_made_up() -> None:
    def application(name: Any) -> str | None:
        told = span(1, call(dialogue("Q"), "A"))
        named = type(told)(
            **{f: getattr(told, f) for f in told.__slots__} | {"resource": {"service.name": name}}
        )
        found: str | None = events(named)["PromptEvent"][0].session.application_id
        return found

    assert application("shop") == "shop"
    assert application("unknown_service:python") is None
    assert application(7) is None
