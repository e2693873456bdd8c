"""What the records of topics mean."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import read_event
from memgraph.services.ingest.topics import payload_of

TIME = "2025-11-06T20:00:00Z"
SESSIONS, TELEMETRY, REGISTRY = "llm.sessions.v1", "llm-telemetry-events", "registry-changes"


def read(topic: str, **fields: Any) -> Any:
    return read_event(payload_of(topic, orjson.dumps(fields)))


def test_a_topic_says_the_type_of_events_without_one() -> None:
    said = b' {"eventId":"e",  "timestamp":"2025-11-06T20:00:00Z","session":{"id":"s"}}'
    payload = payload_of(SESSIONS, said)
    assert payload == b'{"type":"session",' + said[2:]
    assert read_event(payload).type == "session"
    # A dead letter holds this payload, and is read the same way without its topic.
    assert payload_of(SESSIONS, payload) == payload


def test_a_type_that_is_there_is_heeded() -> None:
    said = b'{"type":"score","event_id":"e"}'
    assert payload_of(SESSIONS, said) == said


@pytest.mark.parametrize("topic", ["llm.prompts.v1", SESSIONS, TELEMETRY, REGISTRY, "other"])
@pytest.mark.parametrize("value", [b"", b"{", b"{}", b"[]", b"3", b'"x"', b"\xff", b"null"])
def test_what_is_no_event_stays_and_is_refused(topic: str, value: bytes) -> None:
    assert payload_of(topic, value) == value
    with pytest.raises(InvalidInput):
        read_event(payload_of(topic, value))


def test_a_topic_of_no_meaning_changes_nothing() -> None:
    assert payload_of("other", b'{"session":{}}') == b'{"session":{}}'


class TestTelemetry:
    def test_the_flat_record_of_the_schema(self) -> None:
        event = read(
            TELEMETRY,
            event_id="e",
            event_type="llm.invocation.complete",
            timestamp=1_762_459_200_123,
            model_id="gpt-4",
            provider="openai",
            token_count=7,
            latency_ms=1.5,
            status="SUCCESS",
            trace_id="t1",
            span_id="s1",
            metadata={"a": "b"},
        )
        assert event.payload.model_id == "gpt-4"
        assert event.payload.status == "success"
        assert event.timestamp.isoformat() == "2025-11-06T20:00:00.123000+00:00"
        assert event.trace_id == "t1"

    def test_the_message_of_the_stream(self) -> None:
        event = read(
            TELEMETRY,
            event_id="e",
            event_type="llm.latency.measured",
            timestamp_ms=1_762_459_200_000,
            payload={"invocation_id": "i", "latency_ms": 2.0},
        )
        assert event.payload.latency_ms == 2.0

    def test_ours_stays_byte_for_byte(self) -> None:
        said = orjson.dumps(
            {"event_type": "llm.tokens.consumed", "event_id": "e", "timestamp": TIME}
        )
        assert payload_of(TELEMETRY, said) == said
        assert payload_of(TELEMETRY, b'{"type":"score"}') == b'{"type":"score"}'

    @pytest.mark.parametrize("time", [-1, 5, 10**18, True, None, 1.5])
    def test_a_time_that_is_none_is_refused(self, time: Any) -> None:
        with pytest.raises(InvalidInput) as caught:
            read(
                TELEMETRY,
                event_id="e",
                event_type="llm.invocation.start",
                timestamp=time,
                model_id="m",
            )
        assert "timestamp" in caught.value.field

    def test_an_unknown_status_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match=r"payload\.status"):
            read(
                TELEMETRY,
                event_id="e",
                event_type="llm.invocation.start",
                timestamp=TIME,
                model_id="m",
                status="SOMETHING",
            )


class TestRegistry:
    def test_the_webhook_of_a_model(self) -> None:
        event = read(
            REGISTRY,
            event_id="e",
            event_type="model.updated",
            timestamp=TIME,
            model={
                "model_id": "gpt-4-turbo",
                "version": "2024-11-01",
                "provider": "openai",
                "capabilities": ["chat", "vision"],
                "context_window": 128_000,
                "training_cutoff": "2023-12-01",
                "cost_per_1k_tokens": {"input": 0.01, "output": 0.03},
                "metadata": {"a": 1},
            },
            change_summary={"updated_fields": ["version"]},
        )
        assert event.model.id == "gpt-4-turbo"
        assert event.model.capabilities == ["chat", "vision"]
        assert event.model.context_window == 128_000
        assert event.version.version == "2024-11-01"
        assert event.version.output_usd_per_1k == 0.03
        assert event.version.valid_from == event.timestamp

    @pytest.mark.parametrize(
        ("said", "found"), [("DEPRECATED", "deprecated_at"), ("DELETED", "is_deleted")]
    )
    def test_the_update_of_the_subscription(self, said: str, found: str) -> None:
        event = read(
            REGISTRY,
            updateId="e",
            timestamp=TIME,
            updateType=said,
            model={"modelId": "m", "version": "1", "provider": "x", "contextWindow": 5},
            previousState={"modelId": "m"},
            changelog="text",
        )
        assert event.event_id == "e"
        assert event.model.context_window == 5
        assert event.version.changelog == "text"
        assert getattr(event.model, found)

    def test_ours_stays(self) -> None:
        said = orjson.dumps({"type": "model", "event_id": "e", "model": {"id": "m"}})
        assert payload_of(REGISTRY, said) == said
        untagged = orjson.dumps({"event_id": "e", "model": {"id": "m"}})
        assert payload_of(REGISTRY, untagged) == untagged

    def test_a_change_of_no_model_is_refused(self) -> None:
        with pytest.raises(InvalidInput):
            read(REGISTRY, event_id="e", event_type="capability.updated", timestamp=TIME)
        with pytest.raises(InvalidInput):
            read(REGISTRY, event_id="e", timestamp=TIME, model={"model_id": 7, "version": "1"})
