"""Events out: what is written is told, in order, at least once, by the one relay that works."""

from __future__ import annotations

import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest

from memgraph.domain.errors import GraphUnavailable, StreamRefused, StreamUnavailable
from memgraph.domain.events import read_event
from memgraph.domain.events.changes import ChangeKind
from memgraph.domain.mutations import Mutation
from memgraph.domain.schema import GraphModel
from memgraph.graph.deletion import Deletion
from memgraph.graph.lease import Lease
from memgraph.graph.outbox import Entry, Outbox, packed, read_waiting, unpacked
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.metrics import OUTBOX_DELIVERED, OUTBOX_FAILED, Metric
from memgraph.services.ingest.graph_rows import to_mutation
from memgraph.services.metering import NullMeters
from memgraph.services.ports import EventSink, Message
from memgraph.services.relay import JOB, HoldsLease, Relay, TopicSink
from memgraph.settings import OutboxSettings
from tests.support.events import at, event, late_events, small_story
from tests.support.sinks import InMemorySink, OwnLease
from tests.support.twins import told_by


def mutations(events: Sequence[bytes]) -> list[Mutation]:
    return [to_mutation(read_event(e), e) for e in events]


def prompt(id_: str, session: str = "s", second: float = 1) -> bytes:
    return event(event_id=id_, timestamp=at(second), prompt={"text": "hi"}, session={"id": session})


def response(id_: str, prompt_id: str, second: float = 2) -> bytes:
    return event(
        event_id=id_, timestamp=at(second), prompt_event_id=prompt_id, response={"text": "yes"}
    )


@pytest.fixture
def outbox(graph: Graph) -> Outbox:
    return Outbox(graph)


@pytest.fixture
def sink() -> InMemorySink:
    return InMemorySink()


MakeRelay = Callable[..., Relay]


@pytest.fixture
def relay(outbox: Outbox, tenant: str) -> MakeRelay:
    """Make a relay of this test's tenant."""

    def make(*sinks: EventSink, lease: HoldsLease | None = None, **more: Any) -> Relay:
        settings = more.pop("settings", OutboxSettings(entries=3, poll_s=0.01))
        return Relay(
            more.pop("outbox", outbox),
            sinks,
            lease or OwnLease(),
            settings,
            **{"tenant_id": tenant, **more},
        )

    return make


def waiting(outbox: Outbox, tenant: str) -> list[int]:
    return [entry.sequence for entry in outbox.list_entries(tenant, 0, 10_000)]


# What is told


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


# Order


def test_order_per_key_under_writers_at_the_same_time(
    graph: Graph,
    model: GraphModel,
    outbox: Outbox,
    tenant: str,
    relay: MakeRelay,
    sink: InMemorySink,
) -> None:
    """Each thread changes an agent of its own and one of all, a commit after the other."""
    lanes, steps = 4, 12
    stop = threading.Event()
    committed: list[tuple[str, int]] = []

    def work(lane: int) -> None:
        writer = Writer(graph, model)
        for step in range(steps):
            word = event(
                type="agent",
                event_id=f"{lane}-{step}",
                timestamp=at(step),
                agent={"id": f"a{lane}", "name": str(step)},
            )
            assert writer.write(tenant, mutations([word])).outcomes == ["stored"]
            committed.append((f"a{lane}", step))

    reading = threading.Thread(target=relay(sink).work, args=(stop,))
    reading.start()
    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(work, range(lanes)))
    give_up = time.monotonic() + 60
    while waiting(outbox, tenant) and time.monotonic() < give_up:
        time.sleep(0.02)
    stop.set()
    reading.join()
    assert waiting(outbox, tenant) == []
    told = defaultdict(list)
    for body in sink.bodies:
        if body["kind"] == "node_updated":
            told[body["node_id"]].append(body["occurred_at"])
    assert len(told) == lanes
    for times in told.values():
        assert len(times) == steps
        assert times == sorted(times)


def test_numbers_have_no_gaps(graph: Graph, model: GraphModel, outbox: Outbox, tenant: str) -> None:
    writer = Writer(graph, model)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: writer.write(tenant, mutations([prompt(f"p{n}")])), range(24)))
    assert waiting(outbox, tenant) == list(range(1, 25))


class Overtaken(Outbox):
    """Reads once as a reader does who passed the place of an entry before it was committed."""

    def __init__(self, graph: Graph, unseen: int) -> None:
        super().__init__(graph)
        self.unseen = {unseen}

    def list_entries(self, tenant_id: str, after: int, limit: int) -> list[Entry]:
        entries = super().list_entries(tenant_id, after, limit)
        seen = [entry for entry in entries if entry.sequence not in self.unseen]
        self.unseen -= {entry.sequence for entry in entries}
        return seen


@pytest.mark.parametrize("unseen", [1, 2, 4, 5])
def test_an_entry_that_a_read_overtook_is_not_left_behind(
    graph: Graph, writer: Writer, tenant: str, relay: MakeRelay, sink: InMemorySink, unseen: int
) -> None:
    for n in range(6):
        writer.write(tenant, mutations([prompt(f"p{n}")]))
    relay(sink, outbox=Overtaken(graph, unseen)).drain()
    assert [b["node_id"] for b in sink.bodies] == [f"p{n}" for n in range(6)]


# At least once


def test_what_was_delivered_and_not_removed_comes_again(
    graph: Graph, writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    class Dying(Outbox):
        def remove(self, tenant_id: str, sequence: int) -> int:
            raise KeyboardInterrupt  # as far as a relay can be killed inside a test

    writer.write(tenant, mutations(small_story()))
    writer.write(tenant, mutations([prompt("later")]))
    with pytest.raises(KeyboardInterrupt):
        relay(sink, outbox=Dying(graph)).drain()
    delivered = len(sink.taken)
    assert delivered
    relay(sink).drain()
    assert waiting(outbox, tenant) == []
    assert len(sink.taken) == 2 * delivered
    assert len(sink.first_ids) == delivered
    assert sink.bodies[-1]["node_id"] == "later"


def test_a_delivery_that_broke_off_comes_again_whole(
    writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    writer.write(tenant, mutations(small_story()))
    sink.most = 5
    relay(sink).run_once()
    assert waiting(outbox, tenant) == [1]
    broken = [event.id for _, event in sink.taken]
    sink.most = None
    relay(sink).drain()
    assert sink.first_ids[:5] == broken
    assert waiting(outbox, tenant) == []


def test_a_lost_commit_answer_tells_nothing_twice(
    graph: Graph, model: GraphModel, outbox: Outbox, tenant: str
) -> None:
    class Lossy(Graph):
        lost = 0

        def write(self, work: Any) -> Any:
            answer = super().write(work)
            if not self.lost:
                self.lost += 1
                # The driver does so when the answer to a commit does not arrive.
                return super().write(work)
            return answer

    lossy = Lossy(graph.driver, database=graph.database)
    result = Writer(lossy, model).write(tenant, mutations(small_story()))
    assert lossy.lost == 1
    assert set(result.outcomes) == {"stored"}
    assert waiting(outbox, tenant) == [1]


@pytest.mark.parametrize(
    "events", ["", "nonsense", '"nonsense"', '"bm9uc2Vuc2U="', '[["later_kind"]]', "[1]", "{}"]
)
def test_what_cannot_be_read_stays(
    graph: Graph,
    writer: Writer,
    outbox: Outbox,
    tenant: str,
    relay: MakeRelay,
    sink: InMemorySink,
    events: str,
) -> None:
    writer.write(tenant, mutations([prompt("p")]))
    graph.run(
        "MATCH (o:Outbox {tenant_id: $tenant_id}) SET o.events = $events",
        tenant_id=tenant,
        events=events,
    )
    assert relay(sink).drain() == 0
    assert sink.taken == []
    assert waiting(outbox, tenant) == ([] if events == "{}" else [1])


def test_an_entry_that_tells_nothing_goes(
    graph: Graph, writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    writer.write(tenant, mutations([prompt("p")]))
    graph.run("MATCH (o:Outbox {tenant_id: $tenant_id}) REMOVE o.events", tenant_id=tenant)
    relay(sink).drain()
    assert waiting(outbox, tenant) == []


def test_a_refusal_of_a_sink_is_no_reason_to_drop_anything(
    writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    class Refusing(InMemorySink):
        def deliver(self, *_: Any) -> None:
            raise StreamRefused("not allowed")

    writer.write(tenant, mutations([prompt("p")]))
    assert relay(Refusing("refusing"), sink).run_once() == 1
    assert waiting(outbox, tenant) == [1]


# Sinks that are away


class Counting(NullMeters):
    def __init__(self) -> None:
        self.counted: dict[Metric, float] = defaultdict(float)

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        self.counted[metric] += amount


def test_a_sink_that_is_away_holds_no_other_up(
    writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memgraph.services.relay._FIRST_PAUSE_S", 0.05)
    here, away, meters = InMemorySink("here"), InMemorySink("away"), Counting()
    away.is_away = True
    both = relay(here, away, meters=meters)
    for n in range(8):
        writer.write(tenant, mutations([prompt(f"p{n}")]))
    both.drain()
    assert [b["node_id"] for b in here.bodies] == [f"p{n}" for n in range(8)]
    assert waiting(outbox, tenant) == list(range(1, 9))
    assert meters.counted[OUTBOX_FAILED] >= 1
    away.is_away = False
    give_up = time.monotonic() + 60
    while waiting(outbox, tenant) and time.monotonic() < give_up:
        both.run_once()
    assert [b["node_id"] for b in away.bodies] == [f"p{n}" for n in range(8)]
    assert len(here.taken) == 8
    assert meters.counted[OUTBOX_DELIVERED] == 16


def test_a_sink_that_is_away_is_asked_less_and_less(
    writer: Writer,
    tenant: str,
    relay: MakeRelay,
    sink: InMemorySink,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("memgraph.services.relay._FIRST_PAUSE_S", 60.0)
    writer.write(tenant, mutations([prompt("p")]))
    sink.is_away = True
    meters = Counting()
    one = relay(sink, meters=meters)
    for _ in range(20):
        one.run_once()
    assert meters.counted[OUTBOX_FAILED] == 1


def test_numbers_that_begin_anew_are_told(
    graph: Graph, model: GraphModel, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    one = relay(sink)
    for n in range(3):
        Writer(graph, model).write(tenant, mutations([prompt(f"p{n}")]))
    one.drain()
    graph.run("MATCH (n {tenant_id: $tenant_id}) DETACH DELETE n", tenant_id=tenant)
    Writer(graph, model).write(tenant, mutations([prompt("again")]))
    one.drain()
    one.drain()
    assert sink.bodies[-1]["node_id"] == "again"


def test_without_sinks_old_entries_are_removed(
    graph: Graph, writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay
) -> None:
    for n in range(4):
        writer.write(tenant, mutations([prompt(f"p{n}")]))
    graph.run(
        "MATCH (o:Outbox {tenant_id: $tenant_id}) WHERE o.sequence < 3 "
        "SET o.created_at = datetime() - duration('P8D')",
        tenant_id=tenant,
    )
    nobody = relay()
    assert nobody.drain() == 0
    assert waiting(outbox, tenant) == [3, 4]
    assert nobody.sinks == []


# One relay at a time


def test_only_the_holder_of_the_lease_works(
    graph: Graph, writer: Writer, tenant: str, relay: MakeRelay
) -> None:
    one, other = InMemorySink(), InMemorySink()
    leases = [Lease(graph, JOB, tenant) for _ in range(2)]
    first, second = (relay(s, lease=lease) for s, lease in zip((one, other), leases, strict=True))
    writer.write(tenant, mutations([prompt("p0")]))
    assert first.drain() == 1
    writer.write(tenant, mutations([prompt("p1")]))
    assert second.drain() == 0
    leases[0].let_go()
    assert second.drain() == 1
    assert [b["node_id"] for b in other.bodies] == ["p1"]


def test_a_dead_holder_is_succeeded(graph: Graph, tenant: str) -> None:
    dead, next_ = (Lease(graph, JOB, tenant) for _ in range(2))
    assert dead.hold()
    assert dead.hold()
    assert not next_.hold()
    # By the clock of the server it died long ago.
    graph.run(
        "MATCH (j:JobRun {tenant_id: '', job: $job, slot: $slot}) "
        "SET j.heartbeat_at = datetime() - duration('PT1H')",
        job=JOB,
        slot=tenant,
    )
    assert next_.hold()
    assert not dead.hold()
    dead.let_go()
    assert next_.hold()


def test_two_relays_lose_nothing_when_one_takes_over_in_the_middle(
    graph: Graph, writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    stops = [threading.Event(), threading.Event()]
    threads = [
        threading.Thread(target=relay(sink, lease=Lease(graph, JOB, tenant)).work, args=(stop,))
        for stop in stops
    ]
    for thread in threads:
        thread.start()
    for n in range(12):
        writer.write(tenant, mutations([prompt(f"p{n}")]))
        if n == 5:
            stops[0].set()
            threads[0].join()
    give_up = time.monotonic() + 60
    while waiting(outbox, tenant) and time.monotonic() < give_up:
        time.sleep(0.02)
    stops[1].set()
    threads[1].join()
    first = dict.fromkeys(b["node_id"] for b in sink.bodies)
    assert list(first) == [f"p{n}" for n in range(12)]


def test_work_waits_for_a_graph_that_is_away(
    graph: Graph, writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay, sink: InMemorySink
) -> None:
    class Away(Outbox):
        failures = 3

        def list_entries(self, tenant_id: str, after: int, limit: int) -> list[Entry]:
            if self.failures:
                self.failures -= 1
                raise GraphUnavailable("away")
            return super().list_entries(tenant_id, after, limit)

    stop = threading.Event()
    writer.write(tenant, mutations([prompt("p")]))
    thread = threading.Thread(target=relay(sink, outbox=Away(graph)).work, args=(stop,))
    thread.start()
    give_up = time.monotonic() + 60
    while waiting(outbox, tenant) and time.monotonic() < give_up:
        time.sleep(0.02)
    stop.set()
    thread.join()
    assert [b["node_id"] for b in sink.bodies] == ["p"]


def test_work_ends_with_an_error_that_would_not_pass(relay: MakeRelay, graph: Graph) -> None:
    class Faulty(Outbox):
        def list_entries(self, *_: Any) -> list[Entry]:
            raise StreamRefused("never")

    with pytest.raises(StreamRefused):
        relay(InMemorySink(), outbox=Faulty(graph)).work(threading.Event())


# Tenants


def test_tenants_are_never_mixed(
    writer: Writer, graph: Graph, tenant: str, sink: InMemorySink
) -> None:
    """The same ids in two tenants, with all others between them left alone."""
    tenants = [f"{tenant}-{n}" for n in range(3)]
    for each in tenants:
        writer.write(each, mutations([prompt("p"), response("r", "p")]))

    class Ours(Outbox):
        def find_tenant(self, after: str) -> str | None:
            while (found := super().find_tenant(after)) is not None and found not in tenants:
                after = found
            return found

    relay = Relay(Ours(graph), [sink], OwnLease(), OutboxSettings())
    relay.drain()
    assert [t for t, _ in sink.taken] == [t for t in sorted(tenants) for _ in range(2)]
    assert all(b["tenant_id"] == t for b, (t, _) in zip(sink.bodies, sink.taken, strict=True))
    assert len(sink.first_ids) == 6


def test_what_waits_is_counted(graph: Graph, writer: Writer, tenant: str) -> None:
    def figures() -> dict[str, int]:
        return {row["name"]: row["n"] for row in read_waiting(graph) if row["kind"] == "outbox"}

    writer.write(tenant, mutations([prompt("p")]))
    graph.run(
        "MATCH (o:Outbox {tenant_id: $tenant_id}) "
        "SET o.created_at = datetime() - duration('P400D')",
        tenant_id=tenant,
    )
    found = figures()
    assert found["waiting"] >= 1
    assert found["oldest_s"] >= 400 * 86_400
    Outbox(graph).remove(tenant, 1)


# Kafka


class Publishing:
    """Keeps records, as a broker does."""

    def __init__(self) -> None:
        self.topics: dict[str, list[Message]] = defaultdict(list)

    def publish(self, topic: str, messages: Sequence[Message]) -> None:
        self.topics[topic] += messages

    def close(self) -> None: ...


def test_records_carry_tenant_and_key(writer: Writer, tenant: str, relay: MakeRelay) -> None:
    publisher = Publishing()
    writer.write(tenant, mutations([prompt("p"), response("r", "p")]))
    relay(TopicSink(publisher, "out")).drain()
    assert [key for key, _, _ in publisher.topics["out"]] == [f"{tenant}/s".encode()] * 2
    _, value, headers = publisher.topics["out"][1]
    assert orjson.loads(value or b"")["kind"] == "response_generated"
    assert dict(headers)["tenant_id"] == tenant.encode()


def test_a_broker_that_is_away_is_waited_for(
    writer: Writer, outbox: Outbox, tenant: str, relay: MakeRelay
) -> None:
    class Away(Publishing):
        def publish(self, *_: Any) -> None:
            raise StreamUnavailable("no broker")

    writer.write(tenant, mutations([prompt("p")]))
    relay(TopicSink(Away(), "out")).drain()
    assert waiting(outbox, tenant) == [1]
