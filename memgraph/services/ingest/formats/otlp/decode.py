"""Read bodies of OTLP/HTTP, protobuf or JSON, into spans and log records.

A body that cannot be read raises InvalidInput. A span that breaks a rule becomes a
Problem in its place; of a span whose attribute breaks one, that attribute alone is lost.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import orjson
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from pydantic_core import PydanticCustomError

from memgraph.domain.errors import InvalidInput, UnsupportedMedia, shown
from memgraph.domain.events.base import check_json
from memgraph.domain.values import MAX_DEPTH
from memgraph.services.ingest.formats.otlp import plain_json
from memgraph.services.ingest.formats.otlp.spans import LogRecord, Span, SpanEvent
from memgraph.services.ingest.formats.records import Problem

PROTOBUF = "application/x-protobuf"
JSON = "application/json"
MAX_NAME_CHARS = 1_000
"""Longest name of a span, an event or a scope; what is longer is cut."""

_TRACE_ID_HEX = 32
_SPAN_ID_HEX = 16
_HEX = frozenset("0123456789abcdef")


def decode_traces(body: bytes, content_type: str) -> list[Span | Problem]:
    """Read a body of /v1/traces, already inflated. Raises UnsupportedMedia for other types."""
    return list(_decode(body, content_type, ExportTraceServiceRequest, plain_json.spans, _span))


def decode_logs(body: bytes, content_type: str) -> list[LogRecord | Problem]:
    """Read a body of /v1/logs, already inflated.

    Records without a trace are left out, unless they carry an event of ours.
    """
    items = _decode(body, content_type, ExportLogsServiceRequest, plain_json.log_records, _log)
    return [i for i in items if isinstance(i, Problem) or i.trace_id or i.event is not None]


def _decode(
    body: bytes,
    content_type: str,
    message_class: Any,
    layout: Callable[[Mapping[str, Any]], Iterator[Mapping[str, Any]]],
    build: Callable[[Mapping[str, Any], list[Problem], str], Any],
) -> Iterator[Any]:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == PROTOBUF:
        document = _from_protobuf(body, message_class)
    elif kind == JSON:
        document = _from_json(body)
    else:
        raise UnsupportedMedia(f"the body must be {PROTOBUF} or {JSON}")
    for number, fields in enumerate(layout(document), 1):
        position = f"item {number}"
        problems: list[Problem] = []
        try:
            item = build(fields, problems, position)
        except InvalidInput as error:
            yield Problem(position, error)
        else:
            yield item
        yield from problems


def _from_protobuf(body: bytes, message_class: Any) -> dict[str, Any]:
    message = message_class()
    try:
        message.ParseFromString(body)
    except DecodeError:
        raise InvalidInput("body", "is not a protobuf message of OTLP") from None
    return plain_json.of_message(message)


def _from_json(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput("body", f"is not JSON: {error.msg}") from None
    if not isinstance(document, dict):
        raise InvalidInput("body", "must be a JSON object")
    return document


def _span(fields: Mapping[str, Any], problems: list[Problem], position: str) -> Span:
    attributes = _Attributes(problems, position)
    status = _mapping(fields.get("status"), "status")
    start_ns = _integer(fields.get("startTimeUnixNano"), "startTimeUnixNano")
    if start_ns <= 0:
        raise InvalidInput("startTimeUnixNano", "is required")
    return Span(
        trace_id=_id(fields.get("traceId"), "traceId", _TRACE_ID_HEX),
        span_id=_id(fields.get("spanId"), "spanId", _SPAN_ID_HEX),
        parent_span_id=_id(fields.get("parentSpanId") or None, "parentSpanId", _SPAN_ID_HEX, True)
        or None,
        name=_text(fields.get("name"), "name"),
        kind=_enum(fields.get("kind"), plain_json.SPAN_KINDS, "kind"),
        start_ns=start_ns,
        end_ns=max(start_ns, _integer(fields.get("endTimeUnixNano"), "endTimeUnixNano")),
        status_code=_enum(status.get("code"), plain_json.STATUS_CODES, "status.code"),
        status_message=_full_text(status.get("message"), "status.message"),
        attributes=attributes.read(fields.get("attributes")),
        events=tuple(_event(e, attributes) for e in _listed(fields.get("events"), "events")),
        scope=_text(fields.get("scopeName"), "scope.name"),
        resource=attributes.read(fields.get("resourceAttributes")),
    )


def _event(value: Any, attributes: _Attributes) -> SpanEvent:
    fields = _mapping(value, "events")
    return SpanEvent(
        name=_text(fields.get("name"), "events.name"),
        time_ns=_integer(fields.get("timeUnixNano"), "events.timeUnixNano"),
        attributes=attributes.read(fields.get("attributes")),
    )


def _log(fields: Mapping[str, Any], problems: list[Problem], position: str) -> LogRecord:
    attributes = _Attributes(problems, position)
    said = attributes.read(fields.get("attributes"))
    named = fields.get("eventName") or said.get("event.name")
    time_ns = _integer(fields.get("timeUnixNano"), "timeUnixNano")
    observed_ns = _integer(fields.get("observedTimeUnixNano"), "observedTimeUnixNano")
    body = {"key": "body", "value": fields["body"]} if fields.get("body") else None
    return LogRecord(
        trace_id=_id(fields.get("traceId"), "traceId", _TRACE_ID_HEX, True),
        span_id=_id(fields.get("spanId"), "spanId", _SPAN_ID_HEX, True),
        time_ns=time_ns or observed_ns,
        event_name=_text(named, "eventName"),
        body=attributes.read([body]).get("body") if body else None,
        attributes=said,
        scope=_text(fields.get("scopeName"), "scope.name"),
        resource=attributes.read(fields.get("resourceAttributes")),
    )


class _Attributes:
    """Reads attributes; one that breaks a limit is left out and noted."""

    def __init__(self, problems: list[Problem], position: str) -> None:
        self._problems = problems
        self._position = position

    def read(self, pairs: Any) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        for pair in _listed(pairs, "attributes"):
            key = _full_text(_mapping(pair, "attributes").get("key"), "attributes.key")
            try:
                kept[key] = check_json(_value(pair.get("value"), 1))
            except PydanticCustomError as error:
                self._note(key, error.message())
            except InvalidInput as error:
                self._note(key, error.rule)
        return kept

    def _note(self, key: str, rule: str) -> None:
        field = f"attributes.{shown(key)}"
        self._problems.append(Problem(self._position, InvalidInput(field, rule)))


def _value(value: Any, depth: int) -> Any:
    """Turn an AnyValue into plain JSON."""
    if depth > MAX_DEPTH:
        raise InvalidInput("value", f"must not nest deeper than {MAX_DEPTH}")
    if isinstance(value, AnyValue):
        value = plain_json.of_any_value(value)
    match _mapping(value, "value"):
        case {"stringValue": str(text)}:
            return text
        case {"boolValue": bool(flag)}:
            return flag
        case {"intValue": number}:
            return _integer(number, "value")
        case {"doubleValue": number}:
            return _double(number)
        case {"bytesValue": bytes(data)}:
            return base64.b64encode(data).decode()
        case {"bytesValue": str(text)}:
            return text
        case {"arrayValue": values}:
            items = _listed(_mapping(values, "value").get("values"), "value")
            return [_value(item, depth + 1) for item in items]
        case {"kvlistValue": values}:
            pairs = _listed(_mapping(values, "value").get("values"), "value")
            return {
                _full_text(pair.get("key"), "key"): _value(pair.get("value"), depth + 1)
                for pair in (_mapping(p, "value") for p in pairs)
            }
        case empty if not empty:
            return None
        case _:
            raise InvalidInput("value", "is not a value of OTLP")


def _id(value: Any, field: str, length: int, may_lack: bool = False) -> str:
    text = value.hex() if isinstance(value, bytes) else value
    if may_lack and not text:
        return ""
    text = text.lower() if isinstance(text, str) else ""
    if len(text) != length or not _HEX.issuperset(text) or not text.strip("0"):
        raise InvalidInput(field, f"must be {length} hexadecimal digits, not all zero")
    return text


def _integer(value: Any, field: str) -> int:
    if isinstance(value, str) and value.lstrip("-").isascii() and value.lstrip("-").isdigit():
        # An int64 has 19 digits; a longer text would cost time to read and be refused anyway.
        value = int(value) if len(value) <= 20 else value
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(field, "must be a whole number")
    return value


def _double(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise InvalidInput("value", "must be a number") from None


def _enum(value: Any, names: tuple[str, ...], field: str) -> int:
    if isinstance(value, str) and value in names:
        return names.index(value)
    return _integer(value, field)


def _text(value: Any, field: str) -> str:
    return _full_text(value, field)[:MAX_NAME_CHARS]


def _full_text(value: Any, field: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(field, "must be a text")
    return value


def _mapping(value: Any, field: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput(field, "must be an object")
    return value


def _listed(value: Any, field: str) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidInput(field, "must be a list")
    return value
