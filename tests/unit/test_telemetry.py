"""Logs are one line each, say whose request it was, and hold nothing secret."""

from __future__ import annotations

import io
import json
import logging
from typing import Any

import pytest
import structlog
from opentelemetry import trace

from memgraph import telemetry
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel
from memgraph.graph.naming import name_of
from memgraph.graph.queries import load_queries
from tests.support.statements import all_statements

KEY = "mg_ZGVmYXVsdA.895b5dea917d.osAwywGqRJSvm6_hF6pz-SmT8Ly7gKcOTWgqNPPM9sQ"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    "said",
    [
        f"the key {KEY} was sent",
        f"Authorization: Bearer {TOKEN}",
        f"authorization: bearer {KEY}",
        "Basic bmVvNGo6c2VjcmV0 was tried",
        "bolt://neo4j:hunter2@10.0.0.1:7687 does not answer",
        "redis://:hunter2@10.0.0.1:6379/0",
        TOKEN,
    ],
)
def test_what_looks_like_a_credential_is_left_out(said: str) -> None:
    kept = telemetry.redacted({"facts": [{"why": said}]})["facts"][0]["why"]
    assert telemetry.REDACTED in kept
    assert not any(secret in kept for secret in (KEY, TOKEN, "hunter2", "bmVvNGo6c2VjcmV0"))


@pytest.mark.parametrize(
    "name",
    [
        *("authorization", "Api-Key", "password", "neo4j_password", "Set-Cookie", "client_secret"),
        *("prompt", "system_prompt", "text", "parameters", "rows", "payload", "metadata"),
    ],
)
def test_what_stands_under_a_secret_name_is_left_out(name: str) -> None:
    assert telemetry.redacted({name: "canary"}) == {name: telemetry.REDACTED}
    assert telemetry.redacted({"a": [{name: {"b": "canary"}}]})["a"] == [{name: telemetry.REDACTED}]


def test_everything_else_is_kept() -> None:
    said = {"operation": "read_prompt", "status": 200, "ms": 1.5, "tokens": 3, "of": ["a", None]}
    assert telemetry.redacted(said) == said


def test_what_nests_too_deep_is_left_out() -> None:
    deep: Any = "canary"
    for _ in range(telemetry.MOST_DEPTH + 2):
        deep = [deep]
    assert "canary" not in str(telemetry.redacted(deep))


def test_a_line_says_what_is_bound(log: io.StringIO) -> None:
    structlog.contextvars.bind_contextvars(request_id="r-1", tenant_id="t-1")
    structlog.get_logger().info("request", operation="read_prompt", text="canary", status=200)
    (line,) = lines(log)
    assert line["event"] == "request"
    assert (line["request_id"], line["tenant_id"]) == ("r-1", "t-1")
    assert (line["operation"], line["status"], line["level"]) == ("read_prompt", 200, "info")
    assert line["text"] == telemetry.REDACTED


def test_a_line_says_which_trace_it_belongs_to(log: io.StringIO) -> None:
    span = telemetry.start_request_span(telemetry.caller_of({"traceparent": PARENT}))
    with trace.use_span(span):
        structlog.get_logger().info("request")
    structlog.get_logger().info("later")
    within, after = lines(log)
    assert within["trace_id"] == PARENT.split("-")[1]
    assert "trace_id" not in after


def test_exceptions_are_told_by_type_and_place(log: io.StringIO) -> None:
    try:
        raise ValueError("canary")
    except ValueError:
        structlog.get_logger().error("failed", exc_info=True)
        logging.getLogger("some.library").exception("it failed")
    ours, theirs = lines(log)
    for line in (ours, theirs):
        assert line["exception"] == "ValueError"
        assert any("test_telemetry" in place for place in line["places"])
    assert "ValueError: canary" not in log.getvalue()


def test_libraries_log_the_same_way(log: io.StringIO) -> None:
    logging.getLogger("some.library").warning("connected to %s", "redis://:hunter2@host:1/0")
    logging.getLogger("some.library").info("chatter")
    (line,) = lines(log)
    assert (line["level"], line["event"]) == ("warning", "connected to redis://[redacted]@host:1/0")


def test_a_terminal_gets_lines_for_people(log: io.StringIO) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    telemetry.configure_logging(terminal)
    structlog.get_logger().info("request", operation="read_prompt", password="canary")
    shown = terminal.getvalue()
    assert "read_prompt" in shown
    assert not shown.startswith("{")
    assert "canary" not in shown


def test_without_a_collector_no_spans_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(telemetry.ENDPOINT, raising=False)
    before = trace.get_tracer_provider()
    telemetry.configure_tracing()
    assert trace.get_tracer_provider() is before


class TestNamesOfStatements:
    def test_a_query_is_named_by_its_file(self) -> None:
        for name, query in load_queries().items():
            assert name_of(query.text) == name

    def test_others_by_what_they_do(self) -> None:
        assert name_of("RETURN 1 AS one") == "RETURN"
        assert name_of("MATCH (n:Prompt {tenant_id: 'MERGE (x:Y)'}) RETURN n") == "MATCH Prompt"

    def test_no_statement_has_a_long_or_odd_name(self) -> None:
        for text in all_statements(GraphModel.of(NODE_CLASSES)).values():
            name = name_of(text)
            assert len(name) < 60
            assert name.replace("/", "").replace("_", "").replace(" ", "").isalnum()
