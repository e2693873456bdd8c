"""The inbox of traces, and what comes of it: in any order, twice, late, by several at once."""

from __future__ import annotations

import threading
from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from memgraph.domain.errors import GraphUnavailable
from memgraph.domain.schema import GraphModel
from memgraph.graph.dead_letters import DeadLetterStore
from memgraph.graph.digest import digest
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.graph.traces import TraceInbox
from memgraph.services.ingest import traces as traces_module
from memgraph.services.ingest.formats.otlp import Span, unpack_span
from memgraph.services.ingest.formats.otlp.decode import PROTOBUF
from memgraph.services.ingest.traces import Traces
from memgraph.settings import OtlpSettings
from tests.support.otlp_recordings import DATA, EXCERPT, FOLDERS
from tests.support.otlp_spans import OTHER_TRACE, TRACE, span
from tests.support.pipelines import graph_pipeline

LATE = 1_000.0
CHOSEN = ("f_responses", "openllmetry_langchain")
SERVER = 2
Make = Callable[..., Traces]


@pytest.fixture
def make(graph: Graph, model: GraphModel) -> Make:
    """Make a service as a process has it: it waits for nothing, unless told so."""

    def make(*, lease_s: float = 60.0, **waits: float) -> Traces:
        settings = {"settle_s": 0.0, "root_settle_s": 0.0, "patience_s": 0.0, **waits}
        return Traces(
            TraceInbox(graph, lease_s=lease_s),
            graph_pipeline(graph, model),
            OtlpSettings(**settings),
        )

    return make


def settle(traces: Traces, tenant: str) -> int:
    done = 0
    while more := traces.assemble_of(tenant):
        done += more
    return done


def time_passes(graph: Graph, tenant: str) -> None:
    """Whatever is waited for in vain is due now."""
    graph.run(
        "MATCH (a:TraceAssembly {tenant_id: $tenant}) WHERE a.due_at IS NOT NULL "
        "SET a.due_at = datetime()",
        tenant=tenant,
    )


def requests(folder: Path) -> list[ExportTraceServiceRequest]:
    paths = sorted(folder.glob("*.binpb"))
    return [ExportTraceServiceRequest.FromString(path.read_bytes()) for path in paths]


def one_by_one(folder: Path) -> list[Any]:
    """A request for each span, in the order in which the spans ended."""
    found = []
    for request in requests(folder):
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                for one in scope.spans:
                    alone = ExportTraceServiceRequest()
                    outer = alone.resource_spans.add(resource=resource.resource)
                    outer.scope_spans.add(scope=scope.scope).spans.append(one)
                    found.append((one.end_time_unix_nano, alone))
    return [alone for _, alone in sorted(found, key=lambda pair: pair[0])]


def send(traces: Traces, tenant: str, requests: list[Any]) -> None:
    for request in requests:
        kept = traces.keep_spans(tenant, request.SerializeToString(), PROTOBUF)
        assert kept.rejected == 0


def keep(traces: Traces, tenant: str, *spans: Span) -> None:
    """Keep spans made by hand, as a body of their own."""
    traces.inbox.keep(tenant, traces._fragments(spans))


def told(reader: Reader, tenant: str) -> dict[str, int]:
    """The figures of the door, which add up."""
    [row] = reader.list_sources(tenant)
    settled = ("stored", "duplicate", "rejected", "dead_lettered")
    assert row["received"] == sum(row[name] for name in settled)
    return {name: row[name] for name in (*settled, "kept")}


# A trace spread over bodies, and a deep one; where two traces tell of one call the first holds.
RECORDED = [f for f in FOLDERS if f.is_relative_to(DATA) or f.name in CHOSEN]


@pytest.fixture(params=RECORDED, ids=lambda folder: f"{folder.parent.parent.name}-{folder.name}")
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_the_way_in_does_not_matter(
    graph: Graph, model: GraphModel, reader: Reader, make: Make, tenant: str, folder: Path
) -> None:
    traces = make()
    whole = f"{tenant}-whole"
    send(traces, whole, requests(folder))
    settle(traces, whole)
    expected = digest(graph, model, whole)
    assert sum(expected.nodes.values()) > 10

    shuffled = [*one_by_one(folder), *one_by_one(folder)]
    Random(7).shuffle(shuffled)
    send(traces, tenant, shuffled)
    settle(traces, tenant)
    assert digest(graph, model, tenant) == expected
    send(traces, tenant, shuffled)
    assert traces.count_waiting(tenant) == 0
    assert told(reader, tenant)["dead_lettered"] == 0


def test_spans_that_come_as_they_end_give_the_same(
    graph: Graph, model: GraphModel, reader: Reader, make: Make, tenant: str, folder: Path
) -> None:
    whole = f"{tenant}-whole"
    send(make(), whole, requests(folder))
    settle(make(), whole)
    patient = make(patience_s=LATE)
    for request in one_by_one(folder):
        send(patient, tenant, [request])
        settle(patient, tenant)
    time_passes(graph, tenant)
    settle(make(), tenant)
    assert digest(graph, model, tenant) == digest(graph, model, whole)
    assert told(reader, tenant)["dead_lettered"] == 0


def chat(number: int, question: str, answer: str, **more: Any) -> Span:
    """A call of a model that says all that it can."""
    told = more.pop("told", {})
    return span(
        number,
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "auster-mini",
            "gen_ai.conversation.id": "s-1",
            "gen_ai.input.messages": _messages("user", question),
            "gen_ai.output.messages": _messages("assistant", answer),
            **told,
        },
        **more,
    )


def _messages(role: str, text: str) -> str:
    part = {"type": "text", "content": text}
    return orjson.dumps([{"role": role, "parts": [part]}]).decode()


def texts(reader: Reader, tenant: str, session_id: str = "s-1") -> list[str]:
    return [prompt["text"] for prompt in reader.get_thread(tenant, session_id)["prompts"]]


def test_a_trace_waits_for_more_and_for_the_spans_above(
    graph: Graph, reader: Reader, make: Make, tenant: str
) -> None:
    patient = make(settle_s=LATE, patience_s=LATE)
    keep(patient, tenant, chat(2, "Where is it?", "Here.", parent=1))
    assert settle(patient, tenant) == 0
    keep(patient, tenant, span(1, {}))  # the root: nothing more is waited for
    assert patient.count_waiting(tenant) == 1
    settle(patient, tenant)
    assert patient.count_waiting(tenant) == 0
    assert texts(reader, tenant) == ["Where is it?"]


def test_what_never_comes_is_not_waited_for_for_ever(
    graph: Graph, reader: Reader, make: Make, tenant: str
) -> None:
    patient = make(patience_s=LATE)
    keep(patient, tenant, chat(2, "Where is it?", "Here.", parent=1))
    settle(patient, tenant)
    assert patient.count_waiting(tenant) == 1
    time_passes(graph, tenant)
    settle(make(), tenant)
    assert texts(reader, tenant) == ["Where is it?"]


def test_a_span_whose_parent_is_another_service_waits_for_nothing(
    reader: Reader, make: Make, tenant: str
) -> None:
    patient = make(patience_s=LATE)
    keep(patient, tenant, replace(chat(2, "Where is it?", "Here.", parent=1), kind=SERVER))
    settle(patient, tenant)
    assert texts(reader, tenant) == ["Where is it?"]


def test_a_late_span_adds_what_is_new_and_conflicts_with_nothing(
    reader: Reader, make: Make, tenant: str
) -> None:
    traces = make()
    known = chat(1, "Where is it?", "Here.")
    keep(traces, tenant, known)
    settle(traces, tenant)
    before = told(reader, tenant)
    other = {"gen_ai.usage.input_tokens": 5, "gen_ai.usage.output_tokens": 2}
    keep(traces, tenant, chat(1, "Where is it?", "Here.", told=other), chat(2, "When?", "Soon."))
    settle(traces, tenant)
    after = told(reader, tenant)
    assert texts(reader, tenant) == ["Where is it?", "When?"]
    assert after["stored"] > before["stored"]
    assert after["duplicate"] > before["duplicate"]
    assert (after["dead_lettered"], after["kept"]) == (0, 0)
    [response] = reader.get_thread(tenant, "s-1")["prompts"][0]["responses"]
    assert response.get("total_tokens") is None  # what is stored stays


def test_two_assemblers_at_once_do_no_harm(
    graph: Graph, model: GraphModel, reader: Reader, make: Make, tenant: str
) -> None:
    whole = f"{tenant}-whole"
    folder = EXCERPT / "f_responses"
    send(make(), whole, requests(folder))
    settle(make(), whole)
    send(make(), tenant, one_by_one(folder))
    # A lease that is over at once lets all take the same traces.
    several = [make(lease_s=0.0) for _ in range(2)]
    threads = [threading.Thread(target=traces.assemble_of, args=(tenant,)) for traces in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    time_passes(graph, tenant)
    settle(make(), tenant)
    assert digest(graph, model, tenant) == digest(graph, model, whole)
    assert told(reader, tenant)["dead_lettered"] == 0


def test_what_one_has_taken_another_leaves_alone(make: Make, tenant: str) -> None:
    traces = make()
    keep(traces, tenant, chat(1, "Where is it?", "Here."))
    _, taken = traces.inbox.take(tenant, 10)
    assert [one.trace_id for one in taken] == [TRACE]
    assert traces.inbox.take(tenant, 10)[1] == []


def test_who_is_killed_before_assembling_loses_nothing(
    reader: Reader, make: Make, tenant: str
) -> None:
    dying = make(lease_s=0.0)
    keep(dying, tenant, chat(1, "Where is it?", "Here."))
    dying.inbox.take(tenant, 10)
    settle(make(), tenant)
    assert texts(reader, tenant) == ["Where is it?"]


def test_what_comes_while_a_trace_is_assembled_is_assembled_too(
    reader: Reader, make: Make, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = make()
    keep(traces, tenant, chat(1, "Where is it?", "Here."))
    read = traces.inbox.read

    def read_then_more(*asked: Any) -> Any:
        found = read(*asked)
        monkeypatch.setattr(traces.inbox, "read", read)
        keep(traces, tenant, chat(2, "When?", "Soon."))
        return found

    monkeypatch.setattr(traces.inbox, "read", read_then_more)
    settle(traces, tenant)
    assert texts(reader, tenant) == ["Where is it?", "When?"]


def test_a_quiet_trace_leaves_the_inbox(graph: Graph, make: Make, tenant: str) -> None:
    traces = make(keep_s=0.0)
    keep(traces, tenant, chat(1, "Where is it?", "Here."))
    assert settle(traces, tenant) == 2  # assembled, then removed
    left = "MATCH (n:TraceFragment|TraceAssembly {tenant_id: $t}) RETURN count(n) AS n"
    assert graph.read(left, t=tenant) == [{"n": 0}]
    assert traces.count_waiting(tenant) == 0


class TestPersonalData:
    """What lies in the inbox and in dead letters where it is redacted or refused."""

    ASKED = "Write to maria.keller@example.com"

    @pytest.fixture(params=["redact", "refuse"])
    def policy(self, graph: Graph, tenant: str, request: pytest.FixtureRequest) -> str:
        graph.run(
            "MERGE (t:Tenant {tenant_id: $tenant}) SET t.pii_policy = $policy, "
            "t.created_at = datetime()",
            tenant=tenant,
            policy=request.param,
        )
        policy: str = request.param
        return policy

    def test_spans_go_as_soon_as_their_trace_is_put_together(
        self, graph: Graph, reader: Reader, make: Make, tenant: str, policy: str
    ) -> None:
        traces = make(keep_s=LATE)
        keep(traces, tenant, chat(1, self.ASKED, "Here."))
        assert settle(traces, tenant) == 2
        fragments = "MATCH (n:TraceFragment {tenant_id: $t}) RETURN count(n) AS n"
        assert graph.read(fragments, t=tenant) == [{"n": 0}]
        kept = graph.read(
            "MATCH (n {tenant_id: $t}) RETURN [k IN keys(n) | toStringOrNull(n[k])] AS v", t=tenant
        )
        assert "keller" not in str(kept)
        if policy == "redact":
            assert texts(reader, tenant) == ["Write to [email]"]

    def test_late_spans_of_a_trace_that_went_do_no_harm(
        self, reader: Reader, make: Make, tenant: str, policy: str
    ) -> None:
        traces = make(keep_s=LATE)
        keep(traces, tenant, chat(1, "Where is it?", "Here."))
        settle(traces, tenant)
        keep(traces, tenant, chat(1, "Where is it?", "Here."))
        keep(traces, tenant, chat(2, "When?", "Soon."))
        settle(traces, tenant)
        assert texts(reader, tenant) == ["Where is it?", "When?"]
        assert told(reader, tenant)["dead_lettered"] == 0

    def test_a_span_without_a_place_is_kept_without_it(
        self, graph: Graph, model: GraphModel, make: Make, tenant: str, policy: str
    ) -> None:
        found = {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.retrieval.documents": f'[{{"id": "d-1", "content": "{self.ASKED}"}}]',
        }
        keep(make(), tenant, span(1, found))
        settle(make(), tenant)
        store = DeadLetterStore(graph, model)
        [letter] = store.list_letters(tenant, source="otlp", reason=None, after="", limit=9)
        [whole] = store.read(tenant, [letter["dead_letter_id"]])
        payload = b64decode(whole["payload"])
        assert b"keller" not in payload
        if policy == "redact":
            assert "[email]" in str(unpack_span(payload).attributes)
        else:
            assert payload == b""


def test_what_has_no_place_becomes_a_dead_letter_once(
    graph: Graph, model: GraphModel, reader: Reader, make: Make, tenant: str
) -> None:
    found = {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.retrieval.documents": '[{"id": "d-1", "content": "text"}]',
    }
    patient = make(patience_s=LATE)
    keep(patient, tenant, span(1, found))
    settle(patient, tenant)  # its prompt may come yet
    assert reader.list_sources(tenant) == []
    time_passes(graph, tenant)
    settle(make(), tenant)
    keep(make(), tenant, span(2, {}))
    settle(make(), tenant)
    assert told(reader, tenant) == {
        "stored": 0,
        "duplicate": 0,
        "rejected": 0,
        "dead_lettered": 2,
        "kept": 1,
    }
    store = DeadLetterStore(graph, model)
    [letter] = store.list_letters(tenant, source="otlp", reason=None, after="", limit=9)
    assert letter["stage"] == "assemble"
    [whole] = store.read(tenant, [letter["dead_letter_id"]])
    assert unpack_span(b64decode(whole["payload"])).trace_id == TRACE


def test_a_trace_that_breaks_us_stays_and_holds_up_no_other(
    reader: Reader, make: Make, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = make()
    keep(traces, tenant, chat(1, "Where is it?", "Here."))
    keep(traces, tenant, chat(2, "When?", "Soon.", trace=OTHER_TRACE))
    assemble = traces_module.assemble

    def break_for_one(spans: list[Span], logs: Any) -> Any:
        if spans[0].trace_id == OTHER_TRACE:
            raise RecursionError
        return assemble(spans, logs)

    monkeypatch.setattr(traces_module, "assemble", break_for_one)
    settle(traces, tenant)
    assert texts(reader, tenant) == ["Where is it?"]
    assert traces.count_waiting(tenant) == 1


def test_a_server_that_is_away_is_waited_for(
    reader: Reader, make: Make, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = make(poll_s=0.01)
    keep(traces, tenant, chat(1, "Where is it?", "Here."))
    list_tenants = traces.inbox.list_tenants
    calls: list[int] = []
    stop = threading.Event()

    def away_at_first() -> list[str]:
        calls.append(1)
        if len(calls) < 3:
            raise GraphUnavailable("away")
        if len(calls) > 4:
            stop.set()
        return list_tenants()

    monkeypatch.setattr(traces.inbox, "list_tenants", away_at_first)
    traces.work(stop)
    assert texts(reader, tenant) == ["Where is it?"]


def test_a_failed_write_leaves_the_trace_in_the_inbox(
    make: Make, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    traces = make()
    keep(traces, tenant, chat(1, "Where is it?", "Here."))

    def refuse(*_: Any, **__: Any) -> None:
        raise GraphUnavailable("away")

    monkeypatch.setattr(type(traces.pipeline), "run", refuse)
    with pytest.raises(GraphUnavailable):
        traces.assemble_of(tenant)
    assert traces.count_waiting(tenant) == 1
