"""Question 6: tools that fail and the paths of errors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from statistics import mean

import pytest

from memgraph.graph.reader import Reader
from memgraph.graph.writer import Writer
from tests.support import demo
from tests.support.demo import Json
from tests.support.events import at, event
from tests.support.questions import write


def expected_failures(tool: str) -> Json:
    calls = [c for c in demo.CALLS.values() if c["tool_name"] == tool]
    after: dict[str, list[bool]] = defaultdict(list)
    for call in calls:
        for read in demo.RESPONSES[call["response_id"]].get("informed_by", ()):
            if demo.CALLS[read]["status"] == "failed":
                after[demo.CALLS[read]["tool_name"]].append(call["status"] == "failed")
    return {
        "tool_name": tool,
        "invocations": len(calls),
        "failed": sum(c["status"] == "failed" for c in calls),
        "retries": sum(c["retry_count"] for c in calls),
        "average_duration_ms": pytest.approx(mean(c["duration_ms"] for c in calls)),
        "after": [
            {"tool_name": name, "times": len(failed), "failed": sum(failed)}
            for name, failed in sorted(after.items(), key=lambda i: (-len(i[1]), i[0]))
        ],
    }


def test_tool_failures(reader: Reader, tenant: str) -> None:
    tools = {c["tool_name"] for c in demo.CALLS.values()}
    expected = sorted(
        map(expected_failures, tools),
        key=lambda t: (-t["failed"], -t["invocations"], t["tool_name"]),
    )
    assert reader.list_tool_failures(tenant) == expected
    assert expected[0]["tool_name"] == "carrier_track"
    assert any(t["after"] for t in expected)
    assert reader.list_tool_failures(tenant, "kb_search") == [expected_failures("kb_search")]
    assert reader.list_tool_failures(tenant, "kb_") == []


@pytest.mark.parametrize("error_id", sorted(demo.ERRORS))
def test_the_path_of_an_error(reader: Reader, tenant: str, error_id: str) -> None:
    chain = [demo.ERRORS[error_id]]
    while (before := chain[-1]["payload"].get("triggered_by")) is not None:
        chain.append(demo.ERRORS[before])
    found = reader.get_error_path(tenant, error_id)
    assert [step["error_id"] for step in found] == [e["event_id"] for e in chain]
    for step, error in zip(found, chain, strict=True):
        payload = error["payload"]
        assert {n: step[n] for n in ("error_type", "message", "severity", "created_at")} == {
            **{n: payload.get(n) for n in ("error_type", "message", "severity")},
            "created_at": demo.at(error),
        }
        caused = payload.get("invocation_id")
        assert (step["invocation"] or {}).get("invocation_id") == caused


def errors(*pairs: tuple[str, str]) -> Iterator[bytes]:
    for number, (id_, before) in enumerate(pairs):
        payload = {"error_type": "x", **({"triggered_by": before} if before else {})}
        yield event(
            event_type="llm.error.occurred", event_id=id_, timestamp=at(number), payload=payload
        )


def test_an_error_without_a_beginning_has_a_path_too(
    writer: Writer, reader: Reader, own: str
) -> None:
    write(writer, own, *errors(("a", "b"), ("b", "c"), ("c", "a")))
    assert [e["error_id"] for e in reader.get_error_path(own, "a")] == ["a", "b", "c"]
    write(writer, own, *errors(*((f"e{i:02}", f"e{i - 1:02}" if i else "") for i in range(40))))
    path = [e["error_id"] for e in reader.get_error_path(own, "e39")]
    assert path == [f"e{i:02}" for i in range(39, 6, -1)]
    assert len(reader.get_error_path(own, "e32")) == 33


def test_an_error_whose_trigger_has_not_arrived_begins_its_path(
    writer: Writer, reader: Reader, own: str
) -> None:
    write(writer, own, *errors(("a", "b"), ("b", "missing")))
    assert [e["error_id"] for e in reader.get_error_path(own, "a")] == ["a", "b"]
