"""What events ask of the graph."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from typing import Any

import pytest

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import read_event
from memgraph.domain.mutations import WEAK, Mutation
from memgraph.services.ingest.graph_rows import text_sha256, to_mutation
from tests.support.events import at, event


def mutation(**fields: Any) -> Mutation:
    return to_mutation(read_event(event(**fields)))


def prompt(**more: Any) -> Mutation:
    fields = {
        "event_id": "p",
        "timestamp": at(0),
        "prompt": {"text": "grüße"},
        "session": {"id": "s"},
    }
    return mutation(**{**fields, **more})


def edges(m: Mutation) -> set[tuple[Any, str, Any]]:
    return {(e.start, e.type, e.end) for e in m.edges}


def test_a_prompt_names_its_session_model_agent_and_template() -> None:
    m = prompt(
        session={"id": "s", "user_id": "u", "application_id": "a"},
        model={"id": "m", "version": "1"},
        agent_id="g",
        template={"id": "t", "version": "1.0.0", "bindings": {"x": 1}},
        previous_prompt_id="q",
    )
    p = ("Prompt", ("p",))
    assert edges(m) == {
        (p, "PART_OF", ("Session", ("s",))),
        (("Session", ("s",)), "STARTED_BY", ("User", ("u",))),
        (("Session", ("s",)), "IN_APPLICATION", ("Application", ("a",))),
        (p, "USES_MODEL", ("Model", ("m",))),
        (p, "USES_MODEL", ("ModelVersion", ("m", "1"))),
        (("ModelVersion", ("m", "1")), "VERSION_OF", ("Model", ("m",))),
        (p, "HANDLED_BY", ("Agent", ("g",))),
        (p, "INSTANTIATES", ("PromptTemplate", ("t", "1.0.0"))),
    }
    assert m.place is not None
    assert m.place.previous_prompt_id == "q"
    assert m.fact_properties["text_sha256"] == text_sha256("grüße")
    assert m.fact_properties["text_length"] == 5


def test_an_inline_image_is_reduced_to_digest_and_size() -> None:
    data = b"not really a picture"
    encoded = base64.b64encode(data).decode()
    m = prompt(prompt={"text": "x", "images": [{"base64": encoded, "mime_type": "image/png"}]})
    assert m.fact_properties["images"] == [
        {
            "mime_type": "image/png",
            "sha256": hashlib.sha256(data).hexdigest(),
            "size_bytes": len(data),
        }
    ]
    with pytest.raises(InvalidInput, match="is not base64"):
        prompt(prompt={"text": "x", "images": [{"base64": "!!!"}]})


def test_a_document_given_twice_counts_once_with_its_first_rank() -> None:
    documents = [{"id": "d", "relevance_score": 0.9}, {"id": "d"}, {"id": "e"}]
    m = prompt(context={"documents": documents})
    ranks = {e.end[1][0]: e.properties["rank"] for e in m.edges if e.type == "REFERENCES"}
    assert ranks == {"d": 0, "e": 2}
    assert all(c.rank == WEAK for c in m.changes)


def response(**body: Any) -> Mutation:
    return mutation(event_id="r", timestamp=at(1), prompt_event_id="p", response=body)


def test_tool_calls_are_said_in_passing_and_their_arguments_are_json() -> None:
    m = response(
        tool_calls=[
            {"id": "t1", "function": {"name": "f", "arguments": '{"a": 1}'}},
            {"id": "t1", "function": {"name": "f"}},
            {"id": "t2", "function": {"name": "g", "arguments": "no json"}},
            {"id": "t3", "function": {"name": "g", "arguments": "12345678901234567890123"}},
            {"id": "t4", "function": {"name": "g", "arguments": "[" * 300 + "]" * 300}},
        ],
        function_call={"name": "old", "arguments": "{}"},
    )
    said = {c.ref[1][0]: c.properties["parameters"] for c in m.changes}
    assert said == {
        "t1": {"a": 1},
        "t2": "no json",
        "t3": "12345678901234567890123",
        "t4": "[" * 300 + "]" * 300,
        "r:0": {},
    }
    assert {c.rank for c in m.changes} == {WEAK}


def test_the_digest_of_a_fact_is_that_of_its_content_alone() -> None:
    base = prompt().fact_hash()
    assert prompt(timestamp="2026-01-01T01:00:00+01:00").fact_hash() == base
    assert prompt(prompt={"text": "grüsse"}).fact_hash() != base
    assert prompt(session={"id": "other"}).fact_hash() != base
    assert prompt(agent_id="g").fact_hash() != base
    assert -(2**63) <= base < 2**63


def test_an_aggregate_keeps_its_values() -> None:
    m = mutation(
        event_type="llm.metrics.aggregated",
        event_id="e",
        timestamp=at(0),
        metadata={"source": "x"},
        payload={"total_invocations": 3, "error_rate": 0.5},
    )
    assert m.fact_properties["metadata"] == {
        "source": "x",
        "total_invocations": 3,
        "error_rate": 0.5,
    }


def test_a_later_word_about_a_version_does_not_move_its_price() -> None:
    def said(**version: str) -> list[tuple[int, Any]]:
        body = {"id": "m"}, {"version": "1", **version}
        m = mutation(event_id="e", type="model", timestamp=at(0), model=body[0], version=body[1])
        changes = [c for c in m.changes if c.ref[0] == "ModelVersion"]
        return [(c.rank, c.properties.get("valid_from")) for c in changes]

    assert said(valid_from=at(1)) == [(0, datetime.fromisoformat(at(1)))]
    ended = said(deprecated_at=at(2))
    assert ended == [(0, None), (WEAK, datetime.fromisoformat(at(0)))]
