"""What is told of a write, and what never is."""

from __future__ import annotations

import uuid

import orjson

from memgraph.domain.events.changes import ChangeKind
from memgraph.domain.schema import GraphModel
from memgraph.graph.deletion import Deletion
from memgraph.graph.outbox import Outbox, packed, unpacked
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from tests.support.events import at, event, late_events, small_story
from tests.support.relaying import MakeRelay, mutations, prompt, response, waiting
from tests.support.sinks import InMemorySink
from tests.support.twins import told_by


def test_every_kind_is_told_once(
    writer: Writer, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    writer.write(tenant, mutations(small_story()))
    writer.write(tenant, mutations(small_story()))
    relay(sink).drain()
    bodies = sink.bodies
    assert len({body["id"] for body in bodies}) == len(bodies)
    kinds = {body["kind"] for body in bodies}
    assert kinds == set(ChangeKind) - {ChangeKind.NODE_DELETED}
    assert {body["tenant_id"] for body in bodies} == {tenant}


def test_a_prompt_and_what_came_of_it(
    writer: Writer, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    writer.write(tenant, mutations(small_story()))
    relay(sink).drain()
    told = {(b["kind"], b["node_id"]): b for b in sink.bodies}
    asked = told["prompt_submitted", "p2"]
    assert asked["session_id"] == asked["key"] == "s1"
    assert asked["occurred_at"] == "2026-01-01T00:00:20Z"
    assert (asked["agent_id"], asked["model_id"], asked["content_length"]) == ("a1", "m", 10)
    answered = told["response_generated", "r2b"]
    assert (answered["prompt_id"], answered["total_tokens"]) == ("p2", 3)
    assert answered["session_id"] == "s1"
    instantiated = told["template_instantiated", "p2"]
    assert (instantiated["template_id"], instantiated["version"]) == ("tpl", "1.1.0")
    called = told["tool_invoked", "t1"]
    assert (called["status"], called["duration_ms"], called["response_id"]) == ("success", 5, "r1")
    assert called["session_id"] == "s1"
    handed = told["agent_handoff", "r3"]
    assert (handed["to_agent_id"], handed["session_id"]) == ("human", "s1")
    assert told["node_created", "tpl@1.1.0"]["node_type"] == "PromptTemplate"
    assert told["node_updated", "human"]["session_id"] is None
    assert told["session_created", "s1"]["key"] == "s1"
    assert told["session_closed", "s1"]["key"] == "s1"
    edges = {(b["edge_type"], b["start_id"], b["end_id"]) for b in sink.bodies if "edge_type" in b}
    assert {("REFERENCES", "p2", "doc"), ("INVOKES", "r1", "t1")} <= edges
    assert {("INFORMED_BY", "r1b", "t1"), ("HAS_METRIC", "inv", "i4")} <= edges
    assert not any(type_ in ("PART_OF", "RESPONDS_TO") for type_, *_ in edges)


def test_content_is_never_told(
    writer: Writer, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    canary = f"canary{uuid.uuid4().hex}"
    story = [orjson.loads(e) for e in (*small_story(), *late_events())]
    writer.write(tenant, mutations([orjson.dumps(told_by(canary, e)) for e in story]))
    relay(sink).drain()
    assert len(sink.bodies) > 40
    assert canary not in repr(sink.taken)


def test_only_what_was_stored_is_told(
    writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    writer.write(tenant, mutations([prompt("p")]))
    conflict = event(event_id="p", timestamp=at(1), prompt={"text": "other"}, session={"id": "s"})
    writer.write(tenant, mutations([prompt("p"), conflict]))
    assert len(waiting(outbox, tenant)) == 1
    relay(sink).drain()
    assert [b["node_id"] for b in sink.bodies] == ["p"]


def test_what_is_deleted_is_told(
    graph: Graph,
    model: GraphModel,
    writer: Writer,
    tenant: str,
    relay: MakeRelay,
    sink: InMemorySink,
) -> None:
    writer.write(tenant, mutations(small_story()))
    deletion = Deletion(graph, model)
    deletion.delete_session(tenant, "s1")
    # What belongs to it and comes later was never there for anybody.
    writer.write(tenant, mutations([response("late", "p0")]))
    relay(sink).drain()
    deleted = [b for b in sink.bodies if b["kind"] == "node_deleted"]
    assert {b["session_id"] for b in deleted} == {"s1"}
    assert {("Session", "s1"), ("Prompt", "p0"), ("Response", "r0b"), ("ToolInvocation", "t0")} <= {
        (b["node_type"], b["node_id"]) for b in deleted
    }
    assert "late" not in {b["node_id"] for b in sink.bodies}
    assert [b["node_id"] for b in deleted[-2:]] == ["s1", "sc1"]


def test_a_tool_call_that_goes_with_a_late_answer_is_told(
    graph: Graph,
    model: GraphModel,
    writer: Writer,
    tenant: str,
    relay: MakeRelay,
    sink: InMemorySink,
) -> None:
    call = event(type="tool", event_id="e", timestamp=at(3), invocation_id="t", status="success")
    writer.write(tenant, mutations([prompt("p"), call]))
    Deletion(graph, model).delete_session(tenant, "s")
    late = orjson.loads(response("r", "p"))
    late["response"] = {"tool_calls": [{"id": "t", "function": {"name": "x"}}]}
    writer.write(tenant, mutations([orjson.dumps(late)]))
    relay(sink).drain()
    last = sink.bodies[-1]
    assert (last["kind"], last["node_id"]) == ("node_deleted", "t")
    assert "r" not in {b["node_id"] for b in sink.bodies}


def test_nothing_is_kept_when_it_is_switched_off(
    graph: Graph, model: GraphModel, outbox: Outbox, tenant: str
) -> None:
    Writer(graph, model, announces=False).write(tenant, mutations(small_story()))
    Deletion(graph, model, announces=False).delete_session(tenant, "s1")
    assert waiting(outbox, tenant) == []


def test_a_session_that_another_batch_told_is_found(
    writer: Writer, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    tool = event(type="tool", event_id="e", timestamp=at(3), invocation_id="t", status="success")
    late = orjson.loads(response("r", "p"))
    late["response"] = {"tool_calls": [{"id": "t", "function": {"name": "x"}}]}
    score = event(type="score", event_id="sc", timestamp=at(4), name="n", value=1, response_id="r")
    lost = response("r9", "p9")
    for one in (prompt("p"), orjson.dumps(late), tool, score, lost):
        writer.write(tenant, mutations([one]))
    relay(sink).drain()
    sessions = {b["node_id"]: (b["session_id"], b["key"]) for b in sink.bodies}
    assert sessions == {**dict.fromkeys(("p", "r", "t", "sc"), ("s", "s")), "r9": (None, "p9")}


def test_notes_are_packed_when_that_pays() -> None:
    few, many = [["a", 1]], [["prompt_submitted", n] for n in range(200)]
    assert packed([]) is None
    for notes in (few, many):
        text = packed(notes)
        assert text is not None
        assert unpacked(text) == notes
        orjson.loads(text)
    assert len(packed(many) or "") < len(orjson.dumps(many)) / 3
