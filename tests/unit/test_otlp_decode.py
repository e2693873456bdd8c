"""Bodies of OTLP/HTTP: both encodings say the same, and what is wrong is named and no more."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from memgraph.domain.errors import InvalidInput, UnsupportedMedia
from memgraph.services.ingest import formats
from memgraph.services.ingest.formats.otlp import (
    LogRecord,
    Span,
    decode_logs,
    decode_traces,
    pack,
    unpack_log,
    unpack_span,
)
from memgraph.services.ingest.formats.otlp.decode import JSON, PROTOBUF
from memgraph.services.ingest.formats.records import Problem, Record
from tests.support.otlp_spans import START_NS, TRACE

SPAN_ID = "00f067aa0ba902b7"


def json_span(**fields: Any) -> dict[str, Any]:
    return {
        "traceId": TRACE,
        "spanId": SPAN_ID,
        "name": "chat",
        "startTimeUnixNano": str(START_NS),
        "endTimeUnixNano": str(START_NS + 5),
        **fields,
    }


def request(*spans: Any, **resource: Any) -> bytes:
    scoped = {"scope": {"name": "lib"}, "spans": list(spans)}
    return json.dumps({"resourceSpans": [{**resource, "scopeSpans": [scoped]}]}).encode()


def attribute(key: str, value: Any) -> dict[str, Any]:
    return {"key": key, "value": value}


def one(items: list[Any]) -> Any:
    (item,) = items
    return item


VALUES: list[tuple[dict[str, Any], AnyValue, Any]] = [
    ({"stringValue": "ü"}, AnyValue(string_value="ü"), "ü"),
    ({"boolValue": False}, AnyValue(bool_value=False), False),
    ({"intValue": "-9007199254740993"}, AnyValue(int_value=-9007199254740993), -9007199254740993),
    ({"doubleValue": 0.5}, AnyValue(double_value=0.5), 0.5),
    ({"bytesValue": "AAE="}, AnyValue(bytes_value=b"\x00\x01"), "AAE="),
    ({}, AnyValue(), None),
    (
        {"arrayValue": {"values": [{"intValue": 1}, {"stringValue": "a"}]}},
        AnyValue(
            array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value="a")])
        ),
        [1, "a"],
    ),
    (
        {"kvlistValue": {"values": [{"key": "k", "value": {"boolValue": True}}]}},
        AnyValue(
            kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(bool_value=True))])
        ),
        {"k": True},
    ),
]


@pytest.mark.parametrize(("plain", "message", "expected"), VALUES)
def test_both_encodings_give_the_same_span(
    plain: dict[str, Any], message: AnyValue, expected: Any
) -> None:
    body = request(
        json_span(
            parentSpanId="0" * 15 + "1",
            kind="SPAN_KIND_CLIENT",
            status={"code": 2, "message": "broken"},
            attributes=[attribute("a", plain)],
            events=[{"name": "e", "timeUnixNano": START_NS, "attributes": [attribute("b", plain)]}],
        ),
        resource={"attributes": [attribute("service.name", {"stringValue": "shop"})]},
    )
    told = ExportTraceServiceRequest()
    resource_spans = told.resource_spans.add()
    resource_spans.resource.attributes.add(key="service.name").value.string_value = "shop"
    scoped = resource_spans.scope_spans.add()
    scoped.scope.name = "lib"
    span = scoped.spans.add(
        trace_id=bytes.fromhex(TRACE),
        span_id=bytes.fromhex(SPAN_ID),
        parent_span_id=bytes.fromhex("0" * 15 + "1"),
        name="chat",
        kind=3,
        start_time_unix_nano=START_NS,
        end_time_unix_nano=START_NS + 5,
        attributes=[KeyValue(key="a", value=message)],
    )
    span.status.code, span.status.message = 2, "broken"
    span.events.add(
        name="e", time_unix_nano=START_NS, attributes=[KeyValue(key="b", value=message)]
    )
    read = one(decode_traces(body, "application/json; charset=utf-8"))
    assert read == one(decode_traces(told.SerializeToString(), PROTOBUF))
    assert isinstance(read, Span)
    assert (read.attributes, read.events[0].attributes) == ({"a": expected}, {"b": expected})
    assert (read.kind, read.failed, read.scope) == (3, True, "lib")
    assert read.resource == {"service.name": "shop"}
    assert unpack_span(pack(read)) == read


@pytest.mark.parametrize(
    ("body", "content_type", "field"),
    [
        (b"{", JSON, "body"),
        (b"[]", JSON, "body"),
        (b'{"resourceSpans": 1}', JSON, "resourceSpans"),
        (b'{"resourceSpans": [1]}', JSON, "resourceSpans"),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": 5}]}]}', JSON, "spans"),
        (b"\xff\xff", PROTOBUF, "body"),
    ],
)
def test_a_wrong_body_is_refused_as_a_whole(body: bytes, content_type: str, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        decode_traces(body, content_type)
    assert caught.value.field == field


def test_another_content_type_is_refused() -> None:
    with pytest.raises(UnsupportedMedia):
        decode_traces(b"", "text/plain")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"traceId": "0" * 32}, "traceId"),
        ({"traceId": "xyz"}, "traceId"),
        ({"spanId": 7}, "spanId"),
        ({"parentSpanId": "12"}, "parentSpanId"),
        ({"startTimeUnixNano": None}, "startTimeUnixNano"),
        ({"startTimeUnixNano": "soon"}, "startTimeUnixNano"),
        ({"endTimeUnixNano": True}, "endTimeUnixNano"),
        ({"endTimeUnixNano": "9" * 5000}, "endTimeUnixNano"),
        ({"name": 1}, "name"),
        ({"status": 1}, "status"),
        ({"kind": "LOUD"}, "kind"),
        ({"events": {}}, "events"),
        ({"attributes": [1]}, "attributes"),
    ],
)
def test_one_bad_span_does_not_condemn_the_body(fields: dict[str, Any], field: str) -> None:
    first, second, third = decode_traces(request(json_span(), json_span(**fields), 3), JSON)
    assert isinstance(first, Span)
    assert isinstance(second, Problem)
    assert (second.position, second.error.field) == ("item 2", field)
    assert isinstance(third, Problem)


def deep(levels: int) -> dict[str, Any]:
    value: dict[str, Any] = {"intValue": 1}
    for _ in range(levels):
        value = {"arrayValue": {"values": [value]}}
    return value


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        (deep(40), "must not nest deeper than 32"),
        ({"stringValue": "x" * 1_000_001}, "must not exceed 1000000 characters"),
        ({"stringValue": "\x00"}, "must not hold a NUL character"),
        ({"doubleValue": "NaN"}, "must be a finite number"),
        ({"doubleValue": "much"}, "must be a number"),
        ({"intValue": "2" * 19}, None),
        ({"intValue": "2" * 20}, "must fit 64 bits"),
        ({"otherValue": 1}, "is not a value of OTLP"),
        ({"kvlistValue": {"values": [{"key": 1}]}}, "must be a text"),
        (7, "must be an object"),
    ],
)
def test_an_attribute_that_breaks_a_limit_is_lost_alone(value: Any, rule: str | None) -> None:
    attributes = [attribute("kept", {"intValue": 1}), attribute("odd", value)]
    items = decode_traces(request(json_span(attributes=attributes)), JSON)
    assert items[0].attributes["kept"] == 1
    rules = [(i.error.field, i.error.rule) for i in items[1:]]
    assert rules == ([("attributes.odd", rule)] if rule else [])


def json_log(**fields: Any) -> dict[str, Any]:
    return {"traceId": TRACE, "spanId": SPAN_ID, "timeUnixNano": str(START_NS), **fields}


def logs_request(*records: Any) -> bytes:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": list(records)}]}]}).encode()


def test_log_records_keep_name_body_and_time() -> None:
    body = {"kvlistValue": {"values": [attribute("content", {"stringValue": "Hi"})]}}
    named = [attribute("event.name", {"stringValue": "gen_ai.user.message"})]
    read = decode_logs(
        logs_request(
            json_log(eventName="gen_ai.choice", body=body),
            json_log(attributes=named, timeUnixNano=None, observedTimeUnixNano=START_NS + 1),
            {"body": {"stringValue": "no trace"}},
            json_log(traceId="bad"),
        ),
        JSON,
    )
    first, second, bad = read
    assert isinstance(first, LogRecord)
    assert isinstance(second, LogRecord)
    assert (first.event_name, first.body) == ("gen_ai.choice", {"content": "Hi"})
    assert (second.event_name, second.time_ns) == ("gen_ai.user.message", START_NS + 1)
    assert isinstance(bad, Problem)
    assert unpack_log(pack(first)) == first
    told = ExportLogsServiceRequest()
    record = (
        told.resource_logs.add()
        .scope_logs.add()
        .log_records.add(
            trace_id=bytes.fromhex(TRACE),
            span_id=bytes.fromhex(SPAN_ID),
            time_unix_nano=START_NS,
            event_name="gen_ai.choice",
        )
    )
    record.body.kvlist_value.values.add(key="content").value.string_value = "Hi"
    assert decode_logs(told.SerializeToString(), PROTOBUF) == [first]


KEYS = ["resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "events", "values"]
KEYS += ["arrayValue", "stringValue", "intValue", "traceId", "status"]
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(ANY_JSON)
def test_whatever_is_sent_is_read_or_refused(value: Any) -> None:
    for document in (value, {"resourceSpans": [{"scopeSpans": [{"spans": [value]}]}]}):
        try:
            items = decode_traces(json.dumps(document).encode(), JSON)
        except InvalidInput:
            continue
        assert all(isinstance(item, Span | Problem) for item in items)


@given(st.binary(max_size=200))
def test_bytes_are_read_or_refused(data: bytes) -> None:
    for content_type in (JSON, PROTOBUF):
        for decode in (decode_traces, decode_logs):
            try:
                decode(data, content_type)
            except InvalidInput:
                continue


def chat_span(number: int, text: str, answer: str) -> dict[str, Any]:
    said = {
        "session.id": "s1",
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": json.dumps([{"role": "user", "content": text}]),
        "gen_ai.output.messages": json.dumps([{"role": "assistant", "content": answer}]),
    }
    return json_span(
        traceId=f"{number:032x}",
        spanId=f"{number:016x}",
        attributes=[attribute(name, {"stringValue": value}) for name, value in said.items()],
    )


def read_file(path: Path) -> tuple[list[Any], list[str]]:
    items = list(formats.read(path))
    found = [item.event for item in items if isinstance(item, Record)]
    return found, [item.error.message for item in items if isinstance(item, Problem)]


@pytest.mark.parametrize("layout", ["lines", "array", "document", "gzip"])
def test_a_file_holds_requests_in_any_layout(tmp_path: Path, layout: str) -> None:
    bodies = [request(chat_span(n, f"Q{n}", "A")).decode() for n in (1, 2)]
    texts = {
        "lines": "\n".join([*bodies, bodies[0]]),
        "array": f"[{','.join(bodies)}]",
        "document": json.dumps(
            json.loads(request(chat_span(1, "Q1", "A"), chat_span(2, "Q2", "A"))), indent=1
        ),
        "gzip": "\n".join(bodies),
    }
    path = tmp_path / "in.json"
    data = texts[layout].encode()
    path.write_bytes(gzip.compress(data) if layout == "gzip" else data)
    found, refused = read_file(path)
    assert refused == []
    assert {e.prompt.text for e in found if e.type == "prompt"} == {"Q1", "Q2"}
    assert len(found) == 4


def test_a_file_brings_the_parts_of_a_trace_together(tmp_path: Path) -> None:
    bare = json_span(
        traceId=f"{9:032x}",
        spanId=f"{9:016x}",
        attributes=[attribute("gen_ai.operation.name", {"stringValue": "chat"})],
    )
    told = {"kvlistValue": {"values": [attribute("content", {"stringValue": "from a log"})]}}
    record = json_log(
        traceId=f"{9:032x}", spanId=f"{9:016x}", eventName="gen_ai.user.message", body=told
    )
    path = tmp_path / "in.jsonl"
    lines = [
        request(bare),
        request(chat_span(1, "Q1", "A")),
        logs_request(record),
        b'{"resourceMetrics": []}',
        b"{broken",
        request(json_span(spanId="1")),
    ]
    path.write_bytes(b"\n".join(lines))
    found, refused = read_file(path)
    assert {e.prompt.text for e in found if e.type == "prompt"} == {"Q1", "from a log"}
    assert [r.split(":")[0] for r in refused] == ["record", "record", "spanId"]


def test_a_file_tells_each_message_once_and_best(tmp_path: Path) -> None:
    history = [{"role": "user", "content": "Q1"}, {"role": "assistant", "content": "A"}]
    later = chat_span(2, "", "")
    later["attributes"][2]["value"]["stringValue"] = json.dumps(
        [*history, {"role": "user", "content": "Q2"}]
    )
    first = chat_span(1, "Q1", "A")
    outputs = []
    for name, spans in (("forth", [first, later]), ("back", [later, first])):
        path = tmp_path / name
        path.write_bytes(b"\n".join(request(span) for span in spans))
        outputs.append(read_file(path))
    assert outputs[0] == outputs[1]
    prompts = [e for e in outputs[0][0] if e.type == "prompt"]
    assert [(e.prompt.text, e.derived) for e in prompts] == [("Q1", None), ("Q2", None)]


def test_protobuf_files_of_spans_and_of_logs_are_told_apart(tmp_path: Path) -> None:
    told = ExportLogsServiceRequest()
    told.resource_logs.add().scope_logs.add().log_records.add(
        trace_id=bytes.fromhex(TRACE), span_id=bytes.fromhex(SPAN_ID), event_name="e"
    )
    path = tmp_path / "logs.binpb"
    path.write_bytes(told.SerializeToString())
    assert formats.detect(path) == "otlp"
    assert read_file(path) == ([], [])
    path.write_bytes(gzip.compress(told.SerializeToString()))
    assert formats.detect(path) == "otlp"
    path.write_bytes(b"\n\xff\xff\xff")
    with pytest.raises(InvalidInput, match=r"is not UTF-8"):
        formats.read(path)
