"""Every request is told of, by logs, spans and figures, and none of them holds what was sent."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from memgraph.adapters.meters import PrometheusMeters
from memgraph.api import create_app
from memgraph.bootstrap import build
from memgraph.domain.access import Role
from memgraph.domain.errors import GraphUnavailable
from memgraph.graph.session import Graph, Row
from memgraph.services import metering
from memgraph.settings import Neo4jSettings, Settings
from tests.api.conftest import Caller

CANARY = "zwitscher-canary"
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    # It stays for the rest of the run, but keeps nothing any more.
    provider.shutdown()


@dataclass
class Observed:
    """A service of its own with everything that tells of it."""

    api: Caller
    spans: InMemorySpanExporter
    log: io.StringIO

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def figures(self) -> dict[str, float]:
        text = self.api.app.test_client().get("/metrics").text
        found = re.findall(r"^(llm_memory_graph_.+) (\S+)$", text, re.MULTILINE)
        return {name: float(value) for name, value in found}

    def told(self) -> str:
        """All of it as text."""
        attributes = [(s.name, dict(s.attributes or {}), s.events) for s in self.finished()]
        return "\n".join([self.log.getvalue(), str(attributes), str(self.figures())])

    def finished(self) -> tuple[ReadableSpan, ...]:
        return self.spans.get_finished_spans()


@pytest.fixture
def observed(
    graph: Graph,
    server: Neo4jSettings,
    spans: InMemorySpanExporter,
    log: io.StringIO,
    tenant: str,
) -> Iterator[Observed]:
    meters = PrometheusMeters()
    with build(Settings(neo4j=server), meters=meters) as app:
        _, key = app.services.access.create_key(tenant, name="test", roles=[Role.ADMIN])
        spans.clear()
        web = create_app(app.services, meters.registry)
        yield Observed(Caller(web, key), spans, log)


def test_the_size_of_the_graph_is_told_at_most_twice_a_minute(
    observed: Observed, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = 'llm_memory_graph_graph_nodes_total{label="Prompt"}'
    body = {"prompt": {"text": "x"}}
    observed.api.post("/sessions/s/prompts", body)
    first = observed.figures()
    assert first[name] >= 1
    assert first['llm_memory_graph_graph_edges_total{type="PART_OF"}'] >= 1
    # A class that nobody uses is told of too, so that what was deleted does not stay.
    assert 'llm_memory_graph_graph_nodes_total{label="Archive"}' in first
    observed.api.post("/sessions/s/prompts", body)
    assert observed.figures()[name] == first[name]
    later = time.monotonic() + 31
    monkeypatch.setattr(metering.time, "monotonic", lambda: later)
    assert observed.figures()[name] >= first[name] + 1


def test_without_the_graph_the_other_figures_are_told(
    observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count() -> list[Row]:
        raise GraphUnavailable("gone")

    monkeypatch.setattr(observed.api.app.extensions["memgraph"].census, "count", count)
    assert "llm_memory_graph_permits_limit" in observed.figures()


def test_a_request_is_told_of_in_all_three(observed: Observed, tenant: str) -> None:
    headers = {"traceparent": PARENT, "X-Request-ID": "r-1"}
    made = observed.api.post(
        "/sessions/s/prompts", {"id": "p", "prompt": {"text": "x"}}, headers=headers
    )
    assert made.status_code == 201

    (line,) = observed.lines()
    assert (line["operation"], line["method"], line["status"]) == ("create_prompt", "POST", 201)
    assert (line["request_id"], line["tenant_id"], line["trace_id"]) == ("r-1", tenant, TRACE)
    assert isinstance(line["ms"], float)

    by_name = {span.name: span for span in observed.finished()}
    request = by_name["create_prompt"]
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == PARENT.split("-")[2]
    assert (request.attributes or {})["http.response.status_code"] == 201
    assert {"access/find_key", "MERGE Prompt"} <= set(by_name)
    for name in ("access/find_key", "MERGE Prompt"):
        statement = by_name[name]
        assert dict(statement.attributes or {}) == {
            "db.system.name": "neo4j",
            "db.query.summary": name,
        }
        assert statement.parent is not None
        assert statement.parent.span_id == request.context.span_id

    figures = observed.figures()
    prefix = "llm_memory_graph_"
    asked = 'http_requests_total{method="POST",operation="create_prompt",status="201"}'
    assert figures[prefix + asked] == 1
    assert figures[prefix + 'events_processed_total{event_type="Prompt",status="stored"}'] == 1
    assert figures[prefix + 'events_received_total{event_type="Prompt",source="api"}'] == 1
    assert figures[prefix + 'queries_total{status="ok",type="access/find_key"}'] == 1
    assert figures[prefix + 'write_latency_seconds_count{storage_backend="neo4j"}'] == 1
    assert figures[prefix + "permits_active"] == 0
    assert figures[prefix + "recorder_waiting"] == 0
    assert figures[prefix + "nodes_created_total"] >= 2


def test_a_request_that_no_route_takes_is_told_of_without_its_path(observed: Observed) -> None:
    assert observed.api.get(f"/{CANARY}").status_code == 404
    (line,) = observed.lines()
    assert (line["operation"], line["status"]) == ("unmatched", 404)
    assert CANARY not in observed.told()


def test_a_method_that_does_not_exist_makes_no_figure_of_its_own(observed: Observed) -> None:
    observed.api(CANARY.upper(), "/sessions")
    assert CANARY.upper() not in observed.told()
    assert any('method="OTHER"' in name for name in observed.figures())


def test_a_statement_that_fails_is_counted_by_its_code(observed: Observed) -> None:
    services = observed.api.app.extensions["memgraph"]
    with pytest.raises(Exception, match="refused"):
        services.reader._graph.read(f"MATCH (n:Prompt) WHERE n.text = '{CANARY}' RETRUN n")
    name = 'llm_memory_graph_queries_total{status="graph_refused",type="MATCH Prompt"}'
    assert observed.figures()[name] == 1
    assert CANARY not in observed.told()


def test_nothing_that_was_sent_is_told(observed: Observed) -> None:
    api = observed.api
    said = {"id": f"p-{CANARY}", "prompt": {"text": CANARY, "system_prompt": CANARY}}
    said |= {"model": {"id": f"m-{CANARY}"}, "metadata": {"of": CANARY}}
    assert api.post(f"/sessions/s-{CANARY}/prompts", said).status_code in (201, 422)
    del said["metadata"], said["prompt"]["system_prompt"]  # type: ignore[attr-defined]
    assert api.post(f"/sessions/s-{CANARY}/prompts", said).status_code == 201
    call = {"tool_name": CANARY, "parameters": {CANARY: CANARY}}
    assert api.post(f"/responses/r-{CANARY}/tool-invocations", call).status_code == 201
    other = {**said, "prompt": {"text": CANARY * 2}}
    assert api.post(f"/sessions/s-{CANARY}/prompts", other).status_code == 409
    assert api.post("/sessions", {"titel": CANARY, CANARY: 1}).status_code == 422
    assert api.post("/sessions", {"title": [CANARY]}).status_code == 422
    assert api.get(f"/prompts/p-{CANARY}?{CANARY}={CANARY}").status_code in (200, 422)
    assert api.get(f"/sessions/s-{CANARY}/thread?limit={CANARY}").status_code == 422
    assert api.get(f"/lineage/{CANARY}/{CANARY}").status_code in (404, 422)
    odd = {"X-Request-ID": f"{CANARY} ", "User-Agent": CANARY, "Cookie": CANARY}
    assert api.get("/prompts/none", headers=odd).status_code == 404
    wrong = Caller(api.app, f"mg_{CANARY}.000000000000.{CANARY}")
    assert wrong.get("/prompts/none").status_code == 401

    assert api.credential is not None
    told = observed.told()
    assert "create_prompt" in told
    assert CANARY not in told
    assert api.credential not in told
    assert api.credential.rpartition(".")[2] not in told
