"""The layout of OTLP: from a request to its items, each with its scope and its resource.

Protobuf messages become the mappings of OTLP/JSON, one level at a time, but for ids and
bytes, which stay bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from memgraph.domain.errors import InvalidInput

SPAN_KINDS = tuple(
    f"SPAN_KIND_{name}"
    for name in ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
)
STATUS_CODES = tuple(f"STATUS_CODE_{name}" for name in ("UNSET", "OK", "ERROR"))

_VALUE = {
    "string_value": "stringValue",
    "bool_value": "boolValue",
    "int_value": "intValue",
    "double_value": "doubleValue",
    "bytes_value": "bytesValue",
}


def spans(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the fields of every span, with ``scopeName`` and ``resourceAttributes``."""
    return _items(document, "resourceSpans", "scopeSpans", "spans")


def log_records(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the fields of every log record, with ``scopeName`` and ``resourceAttributes``."""
    return _items(document, "resourceLogs", "scopeLogs", "logRecords")


def _items(
    document: Mapping[str, Any], outer: str, middle: str, inner: str
) -> Iterator[Mapping[str, Any]]:
    for group in _objects(document, outer):
        resource = _object(group.get("resource"), "resource").get("attributes")
        for scoped in _objects(group, middle):
            scope = _object(scoped.get("scope"), "scope").get("name")
            for item in _listed(scoped, inner):
                # What is no object lacks all that is required, and is refused alone.
                fields = item if isinstance(item, Mapping) else {}
                yield {**fields, "scopeName": scope, "resourceAttributes": resource}


def _objects(parent: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    for value in _listed(parent, name):
        yield _object(value, name)


def _listed(parent: Mapping[str, Any], name: str) -> list[Any]:
    values = parent.get(name) or []
    if not isinstance(values, list):
        raise InvalidInput(name, "must be a list")
    return values


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InvalidInput(name, "must be an object")
    return value


def of_message(message: Any) -> dict[str, Any]:
    """Turn a protobuf message of OTLP into a mapping; values of attributes stay messages."""
    fields: dict[str, Any] = {}
    for descriptor, value in message.ListFields():
        if descriptor.type != descriptor.TYPE_MESSAGE or descriptor.message_type.name == "AnyValue":
            plain = value
        elif isinstance(value, type(message)) or hasattr(value, "ListFields"):
            plain = of_message(value)
        else:
            plain = [of_message(item) for item in value]
        fields[descriptor.json_name] = plain
    return fields


def of_any_value(value: Any) -> dict[str, Any]:
    """Turn one level of an AnyValue into a mapping."""
    name = value.WhichOneof("value")
    match name:
        case None:
            return {}
        case "array_value":
            return {"arrayValue": {"values": list(value.array_value.values)}}
        case "kvlist_value":
            pairs = [{"key": p.key, "value": p.value} for p in value.kvlist_value.values]
            return {"kvlistValue": {"values": pairs}}
        case _:
            return {_VALUE[name]: getattr(value, name)}
