"""The inbox of traces, and what comes of it: in any order, twice, late, by several at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from memgraph.domain.errors import GraphUnavailable
from memgraph.domain.schema import GraphModel
from memgraph.graph.digest import digest
from memgraph.graph.hashes import FactHashes
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.graph.traces import TraceInbox
from memgraph.services.ingest import traces as traces_module
from memgraph.services.ingest.formats.otlp import Span
from memgraph.services.ingest.formats.otlp.decode import PROTOBUF
from memgraph.services.ingest.traces import Traces
from memgraph.settings import OtlpSettings
from tests.support.otlp_checker import FOLDERS
from tests.support.otlp_spans import TRACE, span
from tests.support.pipelines import graph_pipeline

LATE = 1_000.0
Make = Callable[..., Traces]


@pytest.fixture
def make(graph: Graph, model: GraphModel) -> Make:
    """Make a service as a process has it: it waits for nothing, unless told so."""

    def make(*, lease_s: float = 60.0, **waits: float) -> Traces:
        settings = {"settle_s": 0.0, "root_settle_s": 0.0, "patience_s": 0.0, **waits}
        return Traces(
            TraceInbox(graph, lease_s=lease_s),
            graph_pipeline(graph, model),
            FactHashes(graph, model).find,
            OtlpSettings(**settings),
        )

    return make


def settle(traces: Traces) -> int:
    done = 0
    while more := traces.assemble_due():
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


@pytest.fixture(params=FOLDERS, ids=lambda folder: f"{folder.parent.parent.name}-{folder.name}")
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_the_way_in_does_not_matter(
    graph: Graph, model: GraphModel, reader: Reader, make: Make, tenant: str, folder: Path
) -> None:
    traces = make()
    whole = f"{tenant}-whole"
    send(traces, whole, requests(folder))
    settle(traces)
    expected = digest(graph, model, whole)
    assert expected.count > 10

    shuffled = [*one_by_one(folder), *one_by_one(folder)]
    Random(7).shuffle(shuffled)
    send(traces, tenant, shuffled)
    settle(traces)
    assert digest(graph, model, tenant) == expected
    send(traces, tenant, shuffled)
    assert traces.count_waiting(tenant) == 0
    assert told(reader, tenant)["dead_lettered"] == 0


def test_spans_that_come_as_they_end_give_the_same(
    graph: Graph, model: GraphModel, reader: Reader, make: Make, tenant: str, folder: Path
) -> None:
    whole = f"{tenant}-whole"
    send(make(), whole, requests(folder))
    settle(make())
    patient = make(patience_s=LATE)
    for request in one_by_one(folder):
        send(patient, tenant, [request])
        settle(patient)
    time_passes(graph, tenant)
    settle(make())
    assert digest(graph, model, tenant) == digest(graph, model, whole)
    assert told(reader, tenant)["dead_lettered"] == 0
