"""Small events as JSON, the way senders write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(second: float) -> str:
    """A time so many seconds into the story."""
    return (START + timedelta(seconds=second)).isoformat()


def event(**fields: Any) -> bytes:
    return orjson.dumps(fields)


def small_story() -> list[bytes]:
    """Every kind of event, tied together: a forked session with tools, templates and telemetry."""
    story = []
    for i in range(6):
        more = {"previous_prompt_id": "p1"} if i == 4 else {}
        if i == 2:
            more["template"] = {"id": "tpl", "version": "1.1.0", "bindings": {"x": "y"}}
            more["context"] = {"documents": [{"id": "doc", "content": "c", "title": "Doc"}]}
        story += [
            event(
                eventId=f"p{i}",
                timestamp=at(10 * i),
                prompt={"text": f"question {i}"},
                session={"id": "s1" if i != 5 else "s2", "userId": "u", "applicationId": "app"},
                model={"id": "m", "version": "1"},
                agent_id="a1",
                **more,
            ),
            event(
                event_id=f"r{i}",
                timestamp=at(10 * i + 2),
                prompt_event_id=f"p{i}",
                response={
                    "tool_calls": [{"id": f"t{i}", "function": {"name": "x", "arguments": "{}"}}]
                },
                model={"id": "m"},
            ),
            event(
                type="tool",
                event_id=f"te{i}",
                timestamp=at(10 * i + 1),
                invocation_id=f"t{i}",
                response_id=f"r{i}",
                status="success" if i % 2 else "failed",
                result={"b": i},
                duration_ms=5,
            ),
            event(
                event_id=f"r{i}b",
                timestamp=at(10 * i + 3),
                prompt_event_id=f"p{i}",
                response={"text": "answer", "finish_reason": "stop"},
                informed_by=[f"t{i}"],
                usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
            ),
        ]
    return story + _around()


def _around() -> list[bytes]:
    def session(id_: str, second: int, action: str, **body: Any) -> bytes:
        return event(
            type="session",
            event_id=id_,
            timestamp=at(second),
            action=action,
            session={"id": "s1", **body},
        )

    def template(version: str, **more: Any) -> bytes:
        body = {"id": "tpl", "version": version, "name": "T", "text": "hi {{x}}", **more}
        return event(type="template", event_id=f"tpl-{version}", timestamp=at(0), template=body)

    return [
        session("se1", -5, "created", title="T", metadata={"task_id": 5}),
        session("se2", 500, "closed", title="T2"),
        event(
            type="score",
            event_id="sc1",
            timestamp=at(501),
            name="reward",
            value=1.0,
            session_id="s1",
        ),
        event(
            type="score", event_id="sc2", timestamp=at(502), name="ok", value=0.5, response_id="r1b"
        ),
        event(
            type="handoff", event_id="h1", timestamp=at(30), response_id="r3", to_agent_id="human"
        ),
        event(
            type="agent", event_id="ag1", timestamp=at(0), agent={"id": "human", "name": "Human"}
        ),
        event(
            type="agent", event_id="ag2", timestamp=at(9), agent={"id": "human", "status": "busy"}
        ),
        template("1.0.0"),
        template("1.1.0", previous_version="1.0.0", parent={"id": "base", "version": "1.0.0"}),
        event(
            type="model",
            event_id="mo1",
            timestamp=at(0),
            model={"id": "m", "provider": "x"},
            version={"version": "1", "input_usd_per_1k": 0.1, "output_usd_per_1k": 0.2},
        ),
        event(
            type="schema",
            event_id="sch1",
            timestamp=at(0),
            schema={"id": "sc", "version": "2", "previous_version": "1"},
        ),
        event(
            event_type="llm.invocation.start",
            event_id="i1",
            timestamp=at(1),
            payload={"invocation_id": "inv", "model_id": "m"},
        ),
        event(
            event_type="llm.invocation.complete",
            event_id="i2",
            timestamp=at(2),
            payload={"invocation_id": "inv", "model_id": "m", "follows": "inv0"},
        ),
        event(
            event_type="llm.tokens.consumed",
            event_id="i3",
            timestamp=at(3),
            payload={"invocation_id": "inv", "token_count": 7},
        ),
        event(
            event_type="llm.latency.measured",
            event_id="i4",
            timestamp=at(3),
            payload={"invocation_id": "inv", "latency_ms": 9.5},
        ),
        event(
            event_type="llm.error.occurred",
            event_id="er2",
            timestamp=at(4),
            payload={"error_type": "x", "invocation_id": "inv", "triggered_by": "er1"},
        ),
        event(
            event_type="llm.metrics.aggregated",
            event_id="agg",
            timestamp=at(5),
            payload={"model_id": "m", "total_invocations": 3},
        ),
    ]


def late_events() -> list[bytes]:
    """What nobody sent before about the first session of the small story."""
    return [
        event(event_id="late-p", timestamp=at(900), prompt={"text": "late"}, session={"id": "s1"}),
        event(event_id="late-q", timestamp=at(901), prompt={"text": "late"}, session={"id": "s1"}),
        event(
            event_id="late-r",
            timestamp=at(902),
            prompt_event_id="late-p",
            response={
                "text": "late",
                "tool_calls": [{"id": "late-t", "function": {"name": "x", "arguments": "{}"}}],
            },
        ),
        event(
            event_id="late-r0", timestamp=at(903), prompt_event_id="p0", response={"text": "late"}
        ),
        event(
            type="tool",
            event_id="late-te",
            timestamp=at(904),
            invocation_id="late-t2",
            response_id="r0",
            tool_name="x",
            parameters={"late": 1},
        ),
        event(
            type="score",
            event_id="late-x",
            timestamp=at(905),
            name="n",
            value=1.0,
            comment="late",
            response_id="r0b",
        ),
        event(
            type="handoff",
            event_id="late-h",
            timestamp=at(906),
            response_id="r0",
            to_agent_id="human",
            context_summary="late",
        ),
        event(
            type="session",
            event_id="late-s",
            timestamp=at(907),
            session={"id": "s1", "title": "late", "user_id": "u"},
        ),
    ]
