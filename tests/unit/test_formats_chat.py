from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from memgraph.domain.events import (
    AgentEvent,
    HandoffEvent,
    ModelEvent,
    PromptEvent,
    ResponseEvent,
    ScoreEvent,
    SessionEvent,
    ToolEvent,
    read_event,
)
from memgraph.services.ingest import formats
from memgraph.services.ingest.formats import FormatOptions, Problem, Record

SYSTEM = {"role": "system", "content": "Rules.\n# House rules\n\nBe kind."}
HELLO = {"role": "user", "content": "Hello,\n  I need help."}
HI = {"role": "assistant", "content": "Hi!"}


def call(id_: str, name: str = "look_up", arguments: Any = '{"n": 1}') -> dict[str, Any]:
    return {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}


def calling(*calls: dict[str, Any], content: Any = None) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": list(calls)}


def result(id_: str, content: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "name": "look_up", "content": content}


def task(*messages: Any, task_id: Any = 7, trial: Any = 1, **others: Any) -> dict[str, Any]:
    return {"task_id": task_id, "trial": trial, "traj": list(messages), **others}


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read_records(
        *conversations: Any, name: str = "chats.jsonl", **options: Any
    ) -> list[Record | Problem]:
        path = tmp_path / name
        path.write_text("".join(f"{json.dumps(c)}\n" for c in conversations), "utf-8")
        return list(formats.read(path, "chat", FormatOptions(**options)))

    return read_records


def of(items: Sequence[Record | Problem], event_class: type) -> list[Any]:
    return [i.event for i in items if isinstance(i, Record) and isinstance(i.event, event_class)]


def problem_of(items: Sequence[Record | Problem]) -> tuple[str, str, str]:
    [problem] = items
    assert isinstance(problem, Problem)
    return problem.position, problem.error.field, problem.error.rule


def test_a_task_becomes_a_session(read: Any) -> None:
    info = {"task": {"user_id": "mia"}, "source": "user"}
    created, closed = of(read(task(SYSTEM, HELLO, HI, info=info, reward=1)), SessionEvent)
    session = created.session
    assert (created.action, closed.action) == ("created", "closed")
    assert session.id == closed.session.id == "chats-7-1"
    assert (session.user_id, session.application_id, session.purpose) == ("mia", "chats", "chat")
    assert session.title == "Hello, I need help."
    assert session.metadata == {"task_id": 7, "trial": 1, "info": info}


def test_a_trial_is_not_needed(read: Any) -> None:
    created, _ = of(read(task(HELLO, trial=None)), SessionEvent)
    assert created.session.id == "chats-7"


@pytest.mark.parametrize(
    ("said", "session_id", "metadata"),
    [
        ({"id": "a"}, "a", None),
        ({"id": 12}, "12", None),
        ({"session_id": "s", "id": "a"}, "s", {"id": "a"}),
        ({}, "chats-1", None),
        ({"metadata": {"x": 1}, "tools": [], "y": None}, "chats-1", {"x": 1, "tools": []}),
    ],
)
def test_any_other_conversation_becomes_a_session(
    read: Any, said: dict[str, Any], session_id: str, metadata: Any
) -> None:
    created, _ = of(read({"messages": [HELLO, HI], **said}), SessionEvent)
    assert (created.session.id, created.session.metadata) == (session_id, metadata)


def test_what_a_conversation_says_is_taken(read: Any) -> None:
    items = read(
        {"messages": [HELLO, HI], "user_id": "u", "title": "T", "model": "m-1", "reward": 0.5},
        application_id="shop",
        model_id="other",
    )
    created, _ = of(items, SessionEvent)
    assert (created.session.user_id, created.session.title) == ("u", "T")
    assert created.session.application_id == "shop"
    assert created.derived == ["created_at"]
    [prompt], [response] = of(items, PromptEvent), of(items, ResponseEvent)
    assert prompt.model.id == response.model.id == "m-1"
    assert prompt.derived == ["created_at", "token_count"]
    assert response.metrics.cost is None
    assert "cost_usd" not in response.derived
    assert [score.value for score in of(items, ScoreEvent)] == [0.5]


def test_sessions_are_named_after_the_file(read: Any) -> None:
    for name, id_ in (("a.b.json", "a.b-1"), ("a", "a-1")):
        assert of(read({"messages": [HELLO]}, name=name), SessionEvent)[0].session.id == id_


def test_the_model_and_the_agents_come_first_and_once(read: Any) -> None:
    items = read(task(HELLO, HI), task(HELLO, HI, task_id=8))
    model, assistant, human = (item.event for item in items[:3])
    assert isinstance(model, ModelEvent)
    assert (model.model.id, model.model.provider, model.version.version) == (
        "gpt-4o",
        "openai",
        "2024-05-13",
    )
    assert (model.version.input_usd_per_1k, model.version.output_usd_per_1k) == (0.005, 0.015)
    assert model.timestamp == model.version.valid_from == model.model.released_at
    assert (assistant.agent.id, assistant.agent.model_id) == ("chats-assistant", "gpt-4o")
    assert human.agent.id == "human"
    assert len(of(items, ModelEvent)) == 1
    assert len(of(items, AgentEvent)) == 2
    again = read(task(HELLO, HI, task_id=9))
    assert [item.payload for item in again[:3]] == [item.payload for item in items[:3]]


def test_a_model_is_assumed_only_where_it_is_known(read: Any) -> None:
    [assumed] = of(read(task(HELLO)), PromptEvent)
    assert (assumed.model.id, assumed.model.version) == ("gpt-4o", "2024-05-13")
    assert {"model_id", "provider", "model_version", "application_id"} <= set(assumed.derived)
    [stated] = of(read(task(HELLO), model_id="gpt-4o"), PromptEvent)
    assert stated.model == assumed.model
    assert "model_id" not in stated.derived
    [other] = of(read(task(HELLO), model_id="mine"), PromptEvent)
    assert (other.model.id, other.model.provider) == ("mine", None)
    items = read({"messages": [HELLO, HI]})
    assert of(items, PromptEvent)[0].model is None
    assert not of(items, ModelEvent)


def test_a_system_message_is_a_document_of_every_later_prompt(read: Any) -> None:
    later = {"role": "developer", "content": "No heading"}
    empty = {"role": "system", "content": ""}
    prompts = of(read(task(SYSTEM, empty, HELLO, HI, later, HELLO, SYSTEM, HELLO)), PromptEvent)
    titles = [[d.title for d in p.context.documents] for p in prompts]
    both = ["House rules", "System message"]
    assert titles == [["House rules"], both, both]
    [document] = prompts[0].context.documents
    assert document.content == SYSTEM["content"]
    assert (document.kind, document.relevance_score) == ("document", None)
    assert document.id == f"system-{sha256(SYSTEM['content'].encode()).hexdigest()[:16]}"
    assert of(read(task(HELLO)), PromptEvent)[0].context is None


def test_user_messages_are_prompts_and_assistant_messages_answer_the_last_one(read: Any) -> None:
    items = read(task(HELLO, HI, HI, HELLO, HELLO, HI))
    assert [p.event_id for p in of(items, PromptEvent)] == [f"chats-7-1-p{n}" for n in (1, 2, 3)]
    prompt = of(items, PromptEvent)[0]
    assert prompt.prompt.text == HELLO["content"]
    assert (prompt.session.id, prompt.agent_id) == ("chats-7-1", "chats-assistant")
    assert [(r.event_id, r.prompt_event_id) for r in of(items, ResponseEvent)] == [
        ("chats-7-1-p1-r1", "chats-7-1-p1"),
        ("chats-7-1-p1-r2", "chats-7-1-p1"),
        ("chats-7-1-p3-r1", "chats-7-1-p3"),
    ]


def test_content_may_come_in_parts(read: Any) -> None:
    parts = [
        {"type": "text", "text": "What is"},
        {"type": "text", "text": "this?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
    ]
    [prompt] = of(read(task({"role": "user", "content": parts})), PromptEvent)
    assert prompt.prompt.text == "What is\nthis?"
    assert [(i.url, i.base64, i.mime_type) for i in prompt.prompt.images] == [
        ("https://example.org/a.png", None, None),
        (None, "AAAA", "image/png"),
    ]


def test_tool_calls_and_their_results(read: Any) -> None:
    items = read(
        task(
            HELLO,
            calling(call("c1"), call("c2", arguments={"a": "é"}), content="Let me see"),
            result("c2", "Error: no such thing"),
            result("c1", '{"found": [1, 2.5]}'),
            HI,
            calling(call("c1", "wait", ""), call("c9")),
            result("c1", ""),
            HELLO,
            HI,
        )
    )
    first, second, third, fourth = of(items, ResponseEvent)
    assert first.response.text == "Let me see"
    assert [r.response.finish_reason.value for r in of(items, ResponseEvent)] == [
        "tool_calls",
        "stop",
        "tool_calls",
        "stop",
    ]
    assert [(c.id, c.function.name, c.function.arguments) for c in first.response.tool_calls] == [
        ("chats-7-1-p1-r1-c1", "look_up", '{"n": 1}'),
        ("chats-7-1-p1-r1-c2", "look_up", '{"a":"é"}'),
    ]
    failed, found, waited = of(items, ToolEvent)
    assert (failed.invocation_id, failed.invocation_order) == ("chats-7-1-p1-r1-c2", 1)
    assert (failed.status, failed.error, failed.result) == (
        "failed",
        "Error: no such thing",
        None,
    )
    assert (found.status, found.error, found.result) == ("success", None, {"found": [1, 2.5]})
    assert (found.response_id, found.parameters) == ("chats-7-1-p1-r1", {"n": 1})
    assert (waited.invocation_id, waited.result, waited.parameters) == (
        "chats-7-1-p1-r3-c1",
        "",
        "",
    )
    assert first.informed_by is None
    assert second.informed_by == [failed.invocation_id, found.invocation_id]
    assert third.informed_by is None
    assert fourth.informed_by == [waited.invocation_id]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("255.0", 255.0),
        ("plain", "plain"),
        ("[1", "[1"),
        ("NaN", "NaN"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1e999", "1e999"),
        ("[" * 40 + "]" * 40, "[" * 40 + "]" * 40),
        ('"\\u0000"', '"\\u0000"'),
        ("null", None),
        (None, ""),
        ([{"type": "text", "text": "[1]"}], [1]),
    ],
)
def test_a_result_is_json_if_the_graph_can_keep_it(read: Any, content: Any, expected: Any) -> None:
    [event] = of(read(task(HELLO, calling(call("c")), result("c", content))), ToolEvent)
    assert event.result == expected


def test_an_error_that_is_too_long_stays_whole(read: Any) -> None:
    text = "Error " + "x" * 30_000
    [event] = of(read(task(HELLO, calling(call("c")), result("c", text))), ToolEvent)
    assert (event.error, event.result) == (text[:20_000], text)


@pytest.mark.parametrize(
    ("arguments", "reason", "summary"),
    [
        ('{"summary": "wants more", "reason": "policy"}', "policy", "wants more"),
        ('{"summary": 3}', None, None),
        ("not json", None, None),
        (None, None, None),
    ],
)
def test_a_transfer_hands_over_to_the_human_desk(
    read: Any, arguments: Any, reason: Any, summary: Any
) -> None:
    transfer = call("c", "transfer_to_human_agents", arguments)
    [handoff] = of(read(task(HELLO, calling(transfer))), HandoffEvent)
    assert handoff.response_id == "chats-7-1-p1-r1"
    assert (handoff.from_agent_id, handoff.to_agent_id) == ("chats-assistant", "human")
    assert (handoff.handoff_reason, handoff.context_summary) == (reason, summary)


def test_a_reward_is_a_score_of_the_session(read: Any) -> None:
    items = read(task(HELLO, reward=0.0), task(HELLO, task_id=8))
    [score] = of(items, ScoreEvent)
    assert (score.name, score.value, score.source) == ("reward", 0.0, "benchmark")
    assert score.session_id == "chats-7-1"


def test_the_session_frames_its_messages_and_time_only_grows(read: Any) -> None:
    transfer = call("c2", "transfer_to_human_agents")
    items = read(task(SYSTEM, HELLO, calling(call("c1"), transfer), result("c1", "1"), reward=1.0))
    records = items[3:]
    assert [item.position for item in records] == [
        "session 1",
        "session 1, message 2",
        "session 1, message 3",
        "session 1, message 3",
        "session 1, message 4",
        "session 1",
        "session 1",
    ]
    times = [item.event.timestamp for item in records]
    assert all(a < b for a, b in pairwise(times))
    assert [item.event.type for item in records] == [
        "session",
        "prompt",
        "response",
        "handoff",
        "tool",
        "score",
        "session",
    ]


def test_what_is_derived_is_named(read: Any) -> None:
    items = read(task(SYSTEM, HELLO, calling(call("c1")), result("c1", "1"), HI, reward=1.0))
    created, closed = of(items, SessionEvent)
    assert created.derived == ["created_at", "title"]
    assert closed.derived == ["created_at", "title", "closed_at", "is_active"]
    assert of(items, PromptEvent)[0].derived == [
        "created_at",
        "token_count",
        "application_id",
        "model_id",
        "provider",
        "model_version",
    ]
    response = of(items, ResponseEvent)[1]
    assert response.derived == [
        "created_at",
        "finish_reason",
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "latency_ms",
        "ttft_ms",
        "tokens_per_second",
        "cost_usd",
        "model_id",
        "provider",
    ]
    usage = response.usage
    # A quarter of the characters, and 4 for each message: system, user, call, result.
    call_tokens = -(-len('look_up{"n": 1}') // 4)
    assert usage.prompt_tokens == 8 + 6 + call_tokens + 1 + 4 * 4
    assert (usage.completion_tokens, usage.total_tokens) == (1, usage.prompt_tokens + 1)
    cost = usage.prompt_tokens * 0.005 / 1000 + 1 * 0.015 / 1000
    assert response.metrics.cost == pytest.approx(cost)
    assert of(items, ToolEvent)[0].derived == ["created_at", "duration_ms", "status"]
    assert of(items, ScoreEvent)[0].metadata == {"derived_properties": ["created_at"]}


def test_one_seed_gives_the_same_bytes_wherever_the_session_stands(read: Any) -> None:
    one, two = task(SYSTEM, HELLO, HI), task(SYSTEM, HELLO, HI, task_id=8)

    def payloads(items: list[Any], task_id: int) -> list[bytes]:
        key = f"chats-{task_id}-1"
        return [item.payload for item in items if item.event.event_id.startswith(key)]

    both, turned = read(one, two), read(two, one)
    other = read(one, two, seed=1)
    for task_id in (7, 8):
        assert payloads(both, task_id) == payloads(turned, task_id)
        assert payloads(both, task_id) != payloads(other, task_id)
    assert payloads(both, 7) != payloads(both, 8)
    assert [item.payload for item in both] == [item.payload for item in read(one, two)]


def test_payloads_are_the_events(read: Any) -> None:
    items = read(task(SYSTEM, HELLO, calling(call("c")), result("c", "null"), HI, info={"a": None}))
    for item in items:
        assert read_event(item.payload) == item.event


LONG = "x" * 1_000_001


@pytest.mark.parametrize(
    ("messages", "number", "field", "rule"),
    [
        ([HI, HELLO], 1, "role", "must not be assistant before the first user message"),
        ([{"role": "user", "content": ""}], 1, "content", "must not be empty in a user message"),
        ([{"role": "user"}], 1, "content", "must not be empty in a user message"),
        ([HELLO, {"role": "assistant"}], 2, "content", "must not be empty without tool calls"),
        ([HELLO, calling()], 2, "content", "must not be empty without tool calls"),
        ([{"content": "x"}], 1, "role", "is required"),
        ([HELLO, {"role": "robot", "content": "x"}], 2, "role", "Input should be 'system', "),
        ([HELLO, "text"], 2, "event", "Input should be "),
        ([HELLO, result("c", "1")], 2, "tool_call_id", "answers no open call"),
        (
            [HELLO, calling(call("c")), result("c", "1"), result("c", "1")],
            4,
            "tool_call_id",
            "answers no open call",
        ),
        ([HELLO, {"role": "tool", "content": "1"}], 2, "tool_call_id", "is required"),
        ([HELLO, calling(call("c"), call("c"))], 2, "tool_calls", "must have different ids"),
        ([HELLO, calling({"id": "c"})], 2, "tool_calls.0.function", "is required"),
        ([HELLO, calling(call("c\n"))], 2, "tool_calls.0.id", "holds a character or form"),
        ([HELLO, calling(call("c", ""))], 2, "tool_calls.0.function.name", "String should"),
        ([HELLO, {"role": "assistant", "function_call": {}}], 2, "function_call", "Input should"),
        ([HELLO, {"role": "assistant", "content": 5}], 2, "content", "must be a text, or a list"),
        ([{"role": "user", "content": [5]}], 1, "content", "must be a text, or a list"),
        ([{"role": "user", "content": LONG}], 1, "text", "String should have at most"),
        ([{"role": "user", "content": "a\0b"}], 1, "text", "holds a character or form"),
        (
            [
                HELLO,
                {
                    "role": "assistant",
                    "content": [{"type": "image_url", "image_url": {"url": "https://e.org"}}],
                },
            ],
            2,
            "content",
            "may show images in user messages only",
        ),
    ],
)
def test_a_message_with_a_fault_refuses_its_session(
    read: Any, messages: list[Any], number: int, field: str, rule: str
) -> None:
    position, at, why = problem_of(read(task(*messages)))
    assert (position, at) == (f"session 1, message {number}", field)
    assert why.startswith(rule)


@pytest.mark.parametrize(
    ("conversation", "field", "rule"),
    [
        (task(), "traj", "List should have at least 1 item"),
        ({"id": "x", "messages": None}, "messages", "Input should be a valid list"),
        ({"id": "x"}, "messages", "is required"),
        (task(SYSTEM), "messages", "must hold a user message"),
        (task(HELLO, task_id=True), "task_id", "must be a text or a whole number"),
        (task(HELLO, task_id=[1]), "task_id", "must be a text or a whole number"),
        ({"id": {}, "messages": [HELLO]}, "id", "must be a text or a whole number"),
        ({"id": "", "messages": [HELLO]}, "id", "String should have at least 1 character"),
        (task(HELLO, reward="good"), "reward", "Input should be a valid number"),
        (task(HELLO, reward=True), "reward", "Input should be a valid number"),
        (task(HELLO, user_id=""), "user_id", "String should have at least 1 character"),
        (task(HELLO, info={"a": "\0"}), "metadata", "must not hold a NUL"),
        (task(HELLO, info={"a": 2**64 - 1}), "metadata", "must fit 64 bits"),
        (5, "record", "must be a JSON object"),
    ],
)
def test_a_conversation_with_a_fault_is_refused(
    read: Any, conversation: Any, field: str, rule: str
) -> None:
    position, at, why = problem_of(read(conversation))
    assert (position, at) == ("session 1", field)
    assert why.startswith(rule)


def test_deep_metadata_is_refused(read: Any) -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    assert problem_of(read(task(HELLO, info=deep)))[1].startswith("metadata")


def test_the_good_sessions_around_a_refused_one_are_delivered(tmp_path: Path) -> None:
    good = [json.dumps(task(HELLO, HI, task_id=n)) for n in (1, 2, 3)]
    bad = [json.dumps(task(HELLO, HI, {"role": "?"}, task_id=4)), '{"traj": [', '"\\ud800"']
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join([bad[0], good[0], bad[1], good[1], bad[2], good[2]]))
    items = list(formats.read(path))
    problems = [item for item in items if isinstance(item, Problem)]
    assert [p.position for p in problems] == ["session 1, message 3", "session 3", "session 5"]
    assert len(of(items, SessionEvent)) == 6
    assert len(of(items, ModelEvent)) == 1


def test_a_long_title_is_cut(read: Any) -> None:
    created, _ = of(read(task({"role": "user", "content": "word " * 30})), SessionEvent)
    assert len(created.session.title) <= 80
    assert created.session.title.endswith("word…")


def test_names_of_files_that_are_no_text_are_read(tmp_path: Path) -> None:
    path = tmp_path / "chat\udcff.jsonl"
    try:
        path.write_text(json.dumps(task(HELLO)))
    except OSError:  # a file system of Unicode names only
        return
    [created, _] = of(list(formats.read(path)), SessionEvent)
    assert created.session.id == "chat?-7-1"


def test_a_truncated_file_gives_the_sessions_before_and_one_problem(tmp_path: Path) -> None:
    path = tmp_path / "chats.json"
    path.write_text(json.dumps([task(HELLO, HI, task_id=n) for n in (1, 2, 3)])[:-40])
    *good, last = formats.read(path)
    assert [e.session.id for e in of(good, SessionEvent)][::2] == ["chats-1-1", "chats-2-1"]
    assert isinstance(last, Problem)
    assert last.error.rule == "the file ends before its array is closed"
