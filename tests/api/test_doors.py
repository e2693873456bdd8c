"""The same events make the same graph, whichever door they come in by."""

from __future__ import annotations

import gzip
import random
from pathlib import Path
from typing import Any

import orjson
import pytest

from memgraph.bootstrap import App
from memgraph.domain.access import Role
from memgraph.domain.schema import GraphModel
from memgraph.graph.digest import Digest, digest
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.services.ingest import formats
from memgraph.services.ingest.formats.records import Record
from memgraph.services.ingest.service import Ingestion
from tests.api.conftest import Caller, CallerAs

CONVERSATIONS = Path(__file__).parents[1] / "data" / "tau_bench_airline.json"


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Real conversations as events."""
    read = list(formats.read(CONVERSATIONS, "chat"))
    assert len(read) > 50
    return [record for record in read if isinstance(record, Record)]


@pytest.fixture(scope="module")
def by_file(parts: App, records: list[Record]) -> Digest:
    """The digest of the graph that the file makes."""
    tenant_id = f"doors-{random.randrange(1 << 60)}"
    report = Ingestion(parts.pipeline, tenant_id=tenant_id, source="tau", batch=100).run(records)
    assert report.totals.stored == len(records)
    return digest(parts.graph, parts.model, tenant_id)


def test_the_door_for_events(
    caller: CallerAs,
    graph: Graph,
    model: GraphModel,
    tenant: str,
    records: list[Record],
    by_file: Digest,
) -> None:
    api = caller(Role.ADMIN)
    events = [orjson.loads(record.payload) for record in records]
    random.Random(7).shuffle(events)
    sent = 0
    for at in range(0, len(events), 150):
        body: Any = gzip.compress(orjson.dumps(events[at : at + 150]))
        headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
        answer = api("POST", "/events", data=body, headers=headers)
        assert answer.status_code == 200, answer.json
        sent += answer.json["stored"] + answer.json["duplicate"]
    assert sent == len(events)
    assert digest(graph, model, tenant).value == by_file.value
    [source] = Reader(graph, model).list_sources(tenant)
    assert (source["source"], source["received"]) == ("events", len(events))


def test_events_in_log_records_of_opentelemetry(
    caller: CallerAs,
    graph: Graph,
    model: GraphModel,
    tenant: str,
    records: list[Record],
    by_file: Digest,
) -> None:
    api = caller(Role.ADMIN)
    sent = [
        {"eventName": "memgraph.event", "body": {"stringValue": record.payload.decode()}}
        for record in records
    ]
    random.Random(8).shuffle(sent)
    for at in range(0, len(sent), 200):
        body = {"resourceLogs": [{"scopeLogs": [{"logRecords": sent[at : at + 200]}]}]}
        answer = api.app.test_client().post("/v1/logs", json=body, headers=bearer(api))
        assert (answer.status_code, answer.json) == (200, {})
    assert digest(graph, model, tenant).value == by_file.value
    [source] = Reader(graph, model).list_sources(tenant)
    assert (source["source"], source["stored"]) == ("otlp", len(records))


def test_an_event_in_a_log_record_is_judged_like_any_other(
    caller: CallerAs, graph: Graph, model: GraphModel, tenant: str
) -> None:
    api = caller(Role.SERVICE)
    model_event = {
        "type": "model",
        "event_id": "m-1",
        "timestamp": "2026-01-05T09:30:00Z",
        "model": {"id": "m"},
    }
    bodies = [
        {"stringValue": orjson.dumps(model_event).decode()},
        {"stringValue": "{}"},
        {"kvlistValue": {"values": [{"key": "type", "value": {"stringValue": "prompt"}}]}},
    ]
    sent = [{"eventName": "memgraph.event", "body": body} for body in bodies]
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": sent}]}]}
    answer = api.app.test_client().post("/v1/logs", json=body, headers=bearer(api))
    told = answer.json["partialSuccess"]
    assert (int(told["rejectedLogRecords"]), told["errorMessage"]) == (3, "event 1: forbidden")
    assert Reader(graph, model).count(tenant)["nodes"].get("Model", 0) == 0


def bearer(api: Caller) -> dict[str, str]:
    return {"Authorization": f"Bearer {api.credential}"}
