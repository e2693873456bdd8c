"""Events are read strictly, in both spellings, and errors quote nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import EVENT, EVENT_CLASSES, EVENT_TYPES, PromptEvent, read_event
from memgraph.domain.values import MAX_TEXT_CHARS
from tests.support.events import at, event, small_story

CANARY = "canary-91b2"


def read(**fields: Any) -> Any:
    return read_event(orjson.dumps(fields))


def prompt(**more: Any) -> dict[str, Any]:
    return {
        "event_id": "p",
        "timestamp": at(0),
        "prompt": {"text": "hello"},
        "session": {"id": "s"},
        **more,
    }


def test_camel_case_and_snake_case_read_the_same() -> None:
    snake = read(**prompt(token_count=3, trace_context={"trace_id": "ab"}))
    camel = read_event(
        event(
            eventId="p",
            timestamp=at(0),
            prompt={"text": "hello"},
            session={"id": "s"},
            tokenCount=3,
            traceContext={"traceId": "ab"},
        )
    )
    assert snake == camel
    assert isinstance(snake, PromptEvent)


def test_every_event_of_the_story_survives_a_round_trip() -> None:
    seen = set()
    for line in small_story():
        read_once = read_event(line)
        assert EVENT.validate_json(EVENT.dump_json(read_once, by_alias=True)) == read_once
        seen.add(type(read_once))
    assert seen == set(EVENT_CLASSES)


def test_the_printed_schemas_of_senders_are_accepted() -> None:
    """The camelCase prompt and response events as observability tools print them."""
    read_event(
        event(
            eventId="6f1c1a52-6f0e-4b8e-9a53-0e6f6b3b1c11",
            timestamp="2026-05-01T10:00:00+02:00",
            prompt={
                "text": "hi",
                "template": "hi {{x}}",
                "parameters": {"x": 1},
                "images": [{"url": "https://example.com/a.png", "mimeType": "image/png"}],
                "metadata": {"k": [1]},
            },
            session={"id": "s", "userId": "u", "applicationId": "a", "purpose": "chat"},
            model={
                "id": "m",
                "provider": "p",
                "version": "1",
                "parameters": {"temperature": 0.5, "topP": 1.0, "maxTokens": 10},
            },
            context={
                "conversationHistory": [{"role": "user", "content": "x"}],
                "documents": [{"id": "d", "content": "c", "relevanceScore": 0.5}],
                "retrievalMethod": "hybrid",
            },
            tags=["t"],
            traceContext={"traceId": "a1", "spanId": "b2", "parentSpanId": "c3"},
        )
    )
    read_event(
        event(
            eventId="r",
            timestamp="2026-05-01T10:00:01Z",
            promptEventId="p",
            response={
                "text": "x",
                "finishReason": "function_call",
                "functionCall": {"name": "f", "arguments": "{}"},
                "toolCalls": [
                    {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
                ],
            },
            usage={"promptTokens": 1, "completionTokens": 2, "totalTokens": 3},
            metrics={"latency": 5, "ttft": 1, "throughput": 2.5, "cost": 0.01},
            error={"code": "c", "message": "m", "type": "t", "recoverable": True},
        )
    )


def test_times_come_out_in_utc() -> None:
    read_once = read(**prompt(timestamp="2026-05-01T10:00:00+02:00"))
    assert read_once.timestamp == datetime(2026, 5, 1, 8, tzinfo=UTC)
    assert read_once.timestamp.tzinfo == UTC


@pytest.mark.parametrize(
    ("fields", "field", "rule"),
    [
        (prompt(colour=CANARY), "colour", "is not a field"),
        (prompt(prompt={"text": 5}), "prompt.text", "valid string"),
        (prompt(prompt={}), "prompt.text", "is required"),
        (prompt(prompt={"text": ""}), "prompt.text", "at least 1"),
        (prompt(prompt={"text": CANARY + "a" * MAX_TEXT_CHARS}), "prompt.text", "at most"),
        (prompt(prompt={"text": CANARY + "\x00"}), "prompt.text", "not allowed"),
        ({"type": "session"}, "event_id", "is required"),
        ({"type": "session", "eventId": 5}, "eventId", "valid string"),
        (prompt(event_id="k" * 513), "event_id", "at most 512"),
        (prompt(event_id="a\nb"), "event_id", "not allowed"),
        (prompt(timestamp="1970-01-01T00:00:00Z"), "timestamp", "before 2015"),
        (prompt(timestamp="2099-01-01T00:00:00Z"), "timestamp", "future"),
        (prompt(timestamp="0001-01-01T00:00:01+08:00"), "timestamp", "years 1 to 9999"),
        (prompt(timestamp="9999-12-31T23:59:59-08:00"), "timestamp", "years 1 to 9999"),
        (prompt(timestamp="2026-01-01T00:00:00"), "timestamp", "timezone"),
        (prompt(timestamp=CANARY), "timestamp", "datetime"),
        (prompt(prompt={"text": "x", "metadata": {"a": "\x00"}}), "prompt.metadata", "NUL"),
        (prompt(prompt={"text": "x", "metadata": {"a": 2**70}}), "prompt.metadata", "64 bits"),
        (prompt(session={"id": "s", "purpose": CANARY}), "session.purpose", "should be"),
        (prompt(token_count=-1), "token_count", "greater than or equal to 0"),
        (prompt(token_count=2**40 + 1), "token_count", f"less than or equal to {2**40}"),
        (prompt(template={"id": "t", "version": "01.0.0"}), "template.version", "not allowed"),
        ({"type": CANARY, "event_id": "x"}, "event", "type is not one of"),
        ({"event_id": CANARY}, "event", "type is missing"),
        ([CANARY], "event", "type is missing"),
    ],
)
def test_a_broken_rule_names_field_and_rule_and_quotes_nothing(
    fields: Any, field: str, rule: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_event(json.dumps(fields))
    assert caught.value.field == field
    assert rule in caught.value.rule
    assert CANARY not in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a": "\\ud800"}',
        b'{"type": "prompt", "prompt": ' + b"[" * 5_000,
        b'{"type":"prompt","event_id":"p","timestamp":"2026-01-01T00:00:00Z",'
        b'"prompt":{"text":"x","metadata":{"a":1e999}},"session":{"id":"s"}}',
    ],
)
def test_what_is_no_json_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        read_event(data)


def test_free_form_json_is_bounded_in_depth_and_size() -> None:
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(InvalidInput, match="deeper than 32"):
        read(**prompt(prompt={"text": "x", "metadata": {"a": deep}}))
    with pytest.raises(InvalidInput, match="exceed"):
        read(**prompt(prompt={"text": "x", "metadata": {"a": ["b" * 1000] * 1100}}))


def test_a_score_has_one_target() -> None:
    score = {"type": "score", "event_id": "e", "timestamp": at(0), "name": "n", "value": 1.0}
    with pytest.raises(InvalidInput, match="exactly one"):
        read(**score)
    with pytest.raises(InvalidInput, match="exactly one"):
        read(**score, prompt_id="p", response_id="r")
    assert read(**score, prompt_id="p").prompt_id == "p"


def test_the_number_of_further_problems_is_told() -> None:
    with pytest.raises(InvalidInput) as caught:
        read(**prompt(colour=1, size=2))
    assert caught.value.facts["more"] == 1


def test_every_tag_is_listed() -> None:
    assert {"prompt", "tool", "handoff", "llm.invocation.start"} <= set(EVENT_TYPES)
