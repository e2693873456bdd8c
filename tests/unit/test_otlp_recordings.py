"""Recordings of real libraries, compared with what their programs say they did."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from random import Random
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from memgraph.domain.events import read_event
from memgraph.services.ingest import formats
from memgraph.services.ingest.formats.otlp import (
    assemble,
    is_recalled,
    pack,
    unpack_log,
    unpack_span,
)
from memgraph.services.ingest.formats.records import Record
from memgraph.services.ingest.graph_rows import to_mutation
from tests.support.otlp_checker import compare, main, table
from tests.support.otlp_recordings import FOLDERS, Recording, Request, assembled

REQUESTS = {"/v1/traces": ExportTraceServiceRequest, "/v1/logs": ExportLogsServiceRequest}


@pytest.fixture(params=FOLDERS, ids=lambda folder: f"{folder.parent.parent.name}-{folder.name}")
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


@pytest.fixture
def recording(folder: Path) -> Recording:
    return Recording.of(folder)


def payloads(records: list[Record]) -> list[bytes]:
    return [record.payload for record in records]


def test_there_are_recordings() -> None:
    assert FOLDERS


def test_nothing_is_missing_and_nothing_invented(folder: Path, recording: Recording) -> None:
    differences = compare(recording, recording.records())
    wrong = [d.kind for d in differences if d.missing or d.invented]
    assert wrong == [], "\n" + table(folder.name, differences)
    assert sum(d.found for d in differences) > 20


def test_the_checker_sees_what_is_taken_away_and_what_is_added(recording: Recording) -> None:
    records = recording.records()
    silent = ("AgentEvent", "InvocationEvent")  # other traces or calls say the same
    unnoticed = [
        record
        for record in records
        if type(record.event).__name__ not in silent
        and not any(d.missing for d in compare(recording, [r for r in records if r is not record]))
    ]
    # What was not sent as the program has it may be there and may not.
    assert len(unnoticed) <= len(recording.unsent)
    assert {type(record.event).__name__ for record in unnoticed} <= {"ToolEvent"}
    extra = next(r for r in records if type(r.event).__name__ == "PromptEvent")
    double = Record.of(extra.event.model_copy(update={"event_id": "another"}), "")
    assert any(d.invented for d in compare(recording, [*records, double]))


def test_the_order_of_spans_and_bodies_does_not_matter(recording: Recording) -> None:
    expected = payloads(recording.records())
    spans, logs = recording.spans, recording.logs
    for seed in range(5):
        Random(seed).shuffle(spans)
        Random(seed).shuffle(logs)
        assert payloads(assembled(spans, logs)) == expected
    assert payloads(assembled([*spans, *spans], [*logs, *logs])) == expected


def test_a_trace_alone_gives_the_same_ids(recording: Recording) -> None:
    together = {r.event.event_id for r in recording.records()}
    alone = set()
    for trace_id in {span.trace_id for span in recording.spans}:
        spans = [s for s in recording.spans if s.trace_id == trace_id]
        items = assemble(spans, [log for log in recording.logs if log.trace_id == trace_id])
        alone |= {item.event.event_id for item in items if isinstance(item, Record)}
    assert alone == together


def test_what_a_history_recalls_is_marked_and_later_told_better(recording: Recording) -> None:
    recalled = {
        item.event.event_id
        for item in assemble(recording.spans, recording.logs)
        if isinstance(item, Record) and is_recalled(item.event)
    }
    settled = {r.event.event_id: r.event for r in recording.records()}
    left = {id_ for id_ in recalled if is_recalled(settled[id_])}
    # Only tools without a span of their own are known by nothing but their results.
    assert all(settled[id_].type == "tool" for id_ in left)


def test_spans_come_back_from_their_bytes(recording: Recording) -> None:
    for span in recording.spans:
        assert unpack_span(pack(span)) == span
    back = [unpack_span(pack(span)) for span in recording.spans]
    logs = [unpack_log(pack(log)) for log in recording.logs]
    assert payloads(assembled(back, logs)) == payloads(recording.records())


def test_events_are_those_of_the_api_and_have_a_place_in_the_graph(recording: Recording) -> None:
    for record in recording.records():
        assert read_event(record.payload) == record.event
        to_mutation(record.event, record.payload)


def test_every_body_is_known_as_otlp(folder: Path) -> None:
    assert {formats.detect(path) for path in folder.glob("*.binpb")} == {"otlp"}


@pytest.mark.parametrize("folder", [f for f in FOLDERS if Recording.of(f).is_whole], indirect=True)
def test_a_body_is_a_file_as_it_lies_there(folder: Path, recording: Recording) -> None:
    found = [item for path in sorted(folder.glob("*.binpb")) for item in formats.read(path)]
    ids = {item.event.event_id for item in found if isinstance(item, Record)}
    assert ids == {r.event.event_id for r in recording.records()}


def test_the_requests_of_a_program_are_one_file(recording: Recording, tmp_path: Path) -> None:
    path = tmp_path / "all"
    if recording.logs:
        path.write_bytes(b"\n".join(as_json(request) for request in recording.requests))
    else:
        # Protobuf requests one after the other are one request.
        path.write_bytes(b"".join(request.data for request in recording.requests))
    found = [item for item in formats.read(path) if isinstance(item, Record)]
    assert sorted(payloads(found)) == sorted(payloads(recording.records()))
    assert [r.event.timestamp for r in found] == sorted(r.event.timestamp for r in found)


def as_json(request: Request) -> bytes:
    """The request as OTLP/JSON, which writes ids in hex."""
    message = REQUESTS[request.path].FromString(request.data)
    said = json.loads(MessageToJson(message, indent=None))

    def hexed(node: Any) -> Any:
        if isinstance(node, list):
            return [hexed(item) for item in node]
        if not isinstance(node, dict):
            return node
        ids = ("traceId", "spanId", "parentSpanId")
        return {k: b64decode(v).hex() if k in ids else hexed(v) for k, v in node.items()}

    return json.dumps(hexed(said)).encode()


def test_the_checker_prints_a_table(
    recording: Recording, folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([str(folder)]) == 0
    assert "missing" in capsys.readouterr().out
    scenario = json.loads((folder / "scenario.json").read_bytes())
    scenario["expected"]["conversations"][0]["turns"][0]["user"] = "never asked"
    for path in folder.glob("*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "scenario.json").write_text(json.dumps(scenario))
    assert main([str(tmp_path)]) == 1
    assert "never asked" in capsys.readouterr().out
