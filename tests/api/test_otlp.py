"""The doors of OpenTelemetry: what they take, what they answer, and who sees what came of it."""

from __future__ import annotations

import gzip
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from werkzeug.test import TestResponse

from memgraph.bootstrap import App
from memgraph.domain.access import Role
from memgraph.domain.errors import Overloaded
from memgraph.domain.events import PromptEvent
from memgraph.services.ingest.formats.otlp.decode import JSON, PROTOBUF
from memgraph.services.ingest.traces import Traces
from tests.api.conftest import Caller, CallerAs
from tests.support.otlp_checker import compare, table
from tests.support.otlp_graph import graph_records
from tests.support.otlp_recordings import FOLDERS, Recording

TRACE = "0af7651916cd43dd8448eb211c80319c"
Json = dict[str, Any]


def attributes(**said: Any) -> list[Json]:
    return [{"key": k.replace("__", "."), "value": {"stringValue": v}} for k, v in said.items()]


def span(**more: Any) -> Json:
    messages = [{"role": "user", "parts": [{"type": "text", "content": "Where is my parcel?"}]}]
    answers = [{"role": "assistant", "parts": [{"type": "text", "content": "On its way."}]}]
    return {
        "traceId": TRACE,
        "spanId": "b7ad6b7169203331",
        "name": "chat auster-mini",
        "startTimeUnixNano": "1767605400000000000",
        "endTimeUnixNano": "1767605401000000000",
        "attributes": attributes(
            gen_ai__operation__name="chat",
            gen_ai__request__model="auster-mini",
            gen_ai__conversation__id="s-otlp",
            gen_ai__input__messages=orjson.dumps(messages).decode(),
            gen_ai__output__messages=orjson.dumps(answers).decode(),
        ),
    } | more


def body(*spans: Any) -> Json:
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def send(caller: Caller, data: bytes, media: str, path: str = "/v1/traces") -> TestResponse:
    return caller("POST", path, data=data, content_type=media)


@pytest.fixture
def traces(parts: App, monkeypatch: pytest.MonkeyPatch) -> Traces:
    """The service of the application, which waits for nothing."""
    found = parts.services.traces
    impatient = dict.fromkeys(("settle_s", "root_settle_s", "patience_s"), 0.0)
    monkeypatch.setitem(found.__dict__, "settings", found.settings.model_copy(update=impatient))
    return found


def settle(traces: Traces, tenant: str) -> None:
    while traces.assemble_of(tenant):
        pass


def test_json_is_kept_and_then_in_the_graph(api: Caller, traces: Traces, tenant: str) -> None:
    answer = api.post("/v1/traces", body(span()))
    assert (answer.status_code, answer.mimetype, answer.json) == (200, JSON, {})
    settle(traces, tenant)
    [prompt] = api.get("/sessions/s-otlp/prompts").json["items"]
    assert prompt["text"] == "Where is my parcel?"
    [response] = api.get(f"/prompts/{prompt['prompt_id']}/responses").json["items"]
    assert response["text"] == "On its way."


def test_protobuf_is_answered_in_protobuf(api: Caller) -> None:
    answer = send(api, b"", PROTOBUF)
    assert (answer.status_code, answer.mimetype, answer.data) == (200, PROTOBUF, b"")
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(name="no ids")
    answer = send(api, request.SerializeToString(), PROTOBUF)
    told = ExportTraceServiceResponse.FromString(answer.data).partial_success
    assert (answer.status_code, told.rejected_spans) == (200, 1)
    assert "startTimeUnixNano" in told.error_message


def test_gzip_is_taken(api: Caller) -> None:
    packed = gzip.compress(orjson.dumps(body(span())))
    headers = {"Content-Encoding": "gzip"}
    answer = api("POST", "/v1/traces", data=packed, content_type=JSON, headers=headers)
    assert (answer.status_code, answer.json) == (200, {})


def test_what_is_refused_of_a_body_is_told_and_the_rest_taken(
    api: Caller, traces: Traces, tenant: str
) -> None:
    answer = api.post("/v1/traces", body(span(traceId="x"), span(), "no span"))
    assert answer.status_code == 200
    told = answer.json["partialSuccess"]
    assert told["rejectedSpans"] == "2"
    assert told["errorMessage"].startswith("item 1: traceId: must be")
    assert traces.count_waiting(tenant) == 1


def test_an_attribute_that_is_refused_refuses_no_span(api: Caller) -> None:
    broken = [*span()["attributes"], {"key": "broken", "value": {"no": "value"}}]
    told = api.post("/v1/traces", body(span(attributes=broken))).json["partialSuccess"]
    assert "rejectedSpans" not in told
    assert "attributes.broken" in told["errorMessage"]


def test_log_records_complete_the_span_that_they_name(
    api: Caller, traces: Traces, tenant: str
) -> None:
    spoken = [
        ("gen_ai.user.message", {"content": "Where is it?"}),
        ("gen_ai.choice", {"index": 0, "message": {"content": "Here."}, "finish_reason": "stop"}),
    ]
    records = [
        {
            "traceId": TRACE,
            "spanId": span()["spanId"],
            "timeUnixNano": f"176760540000000000{number}",
            "eventName": name,
            "body": {"kvlistValue": {"values": [_pair(k, v) for k, v in said.items()]}},
        }
        for number, (name, said) in enumerate(spoken)
    ]
    line = {"traceId": TRACE, "spanId": span()["spanId"], "body": {"stringValue": "a line"}}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [*records, line]}]}]}
    assert api.post("/v1/logs", logs).json == {}
    told = attributes(
        gen_ai__operation__name="chat",
        gen_ai__request__model="auster-mini",
        gen_ai__system="openai",
        gen_ai__conversation__id="s-logs",
    )
    api.post("/v1/traces", body(span(attributes=told)))
    settle(traces, tenant)
    [prompt] = api.get("/sessions/s-logs/prompts").json["items"]
    assert prompt["text"] == "Where is it?"


def _pair(key: str, value: Any) -> Json:
    if isinstance(value, dict):
        inner = [_pair(k, v) for k, v in value.items()]
        return {"key": key, "value": {"kvlistValue": {"values": inner}}}
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": value}}
    return {"key": key, "value": {"stringValue": value}}


def test_log_records_are_answered_as_spans_are(api: Caller) -> None:
    record = {"traceId": "x", "eventName": "gen_ai.choice"}
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}
    assert api.post("/v1/logs", logs).json["partialSuccess"]["rejectedLogRecords"] == "1"
    answer = send(api, b"", PROTOBUF, "/v1/logs")
    assert answer.status_code == 200
    assert not ExportLogsServiceResponse.FromString(answer.data).HasField("partial_success")


@pytest.mark.parametrize("data", [b"no protobuf", b"\x0a\xff"])
def test_what_is_no_otlp_is_no_request(api: Caller, data: bytes) -> None:
    answer = send(api, data, PROTOBUF)
    assert (answer.status_code, answer.mimetype) == (400, PROTOBUF)
    assert "protobuf" in Status.FromString(answer.data).message
    answer = send(api, data, JSON)
    assert (answer.status_code, answer.json["status"]) == (400, 400)
    assert answer.json["code"] == "invalid_input"
    assert send(api, data, "text/plain").status_code == 415


def test_a_refusal_says_in_protobuf_when_to_come_back(
    api: Caller, traces: Traces, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise Overloaded("too much", retry_after_s=7)

    monkeypatch.setattr(traces.inbox, "keep", refuse)
    for media, data in ((PROTOBUF, b""), (JSON, b"{}")):
        answer = send(api, data, media)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")
    assert Status.FromString(send(api, b"", PROTOBUF).data).message == "too much"


def test_who_may_not_write_is_refused(web: Any, caller: CallerAs) -> None:
    answer = send(Caller(web, None), b"", PROTOBUF)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert Status.FromString(answer.data).message
    assert send(caller(Role.DATA_SCIENTIST), b"", PROTOBUF).status_code == 403


@pytest.mark.parametrize(
    "folder", FOLDERS, ids=lambda folder: f"{folder.parent.parent.name}-{folder.name}"
)
def test_a_recording_is_in_the_graph_as_its_program_says(
    api: Caller, traces: Traces, parts: App, tenant: str, folder: Path
) -> None:
    recording = Recording.of(folder)
    for request in recording.requests:
        data = gzip.compress(request.data)
        headers = {"Content-Encoding": "gzip"}
        answer = api("POST", request.path, data=data, content_type=PROTOBUF, headers=headers)
        assert (answer.status_code, answer.data) == (200, b"")
    settle(traces, tenant)
    texts = {
        sha256(document.content.encode()).hexdigest(): document.content
        for record in recording.records()
        if isinstance(record.event, PromptEvent) and record.event.context
        for document in record.event.context.documents or ()
        if document.content is not None
    }
    records = graph_records(parts.graph, parts.model, tenant, texts)
    differences = compare(recording, records)
    wrong = [d.kind for d in differences if d.missing or d.invented]
    assert wrong == [], "\n" + table(folder.name, differences)
    assert sum(d.found for d in differences) > 20


def test_another_tenant_sees_nothing(
    api: Caller, caller: CallerAs, traces: Traces, tenant: str
) -> None:
    other = caller(tenant_id=f"{TRACE}-other")
    api.post("/v1/traces", body(span()))
    assert traces.count_waiting(f"{TRACE}-other") == 0
    settle(traces, tenant)
    assert api.get("/sessions/s-otlp/prompts").json["items"]
    assert other.get("/sessions/s-otlp/prompts").status_code == 404
