"""Avro as JSON: the same values as a library writes, and hostile bytes within bounds."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import fastavro
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import read_event
from memgraph.services.ingest import avro
from memgraph.services.ingest.avro import MOST_DEPTH, compile_schema
from memgraph.services.ingest.topics import payload_of
from tests.support.avro import wire

INVOCATION = {
    "type": "record",
    "name": "LLMInvocationEvent",
    "namespace": "com.llm.observatory.events",
    "fields": [
        {"name": "event_id", "type": "string"},
        {"name": "event_type", "type": "string"},
        {"name": "timestamp", "type": "long", "logicalType": "timestamp-millis"},
        {"name": "token_count", "type": "int"},
        {"name": "latency_ms", "type": "double"},
        {
            "name": "status",
            "type": {"type": "enum", "name": "Status", "symbols": ["SUCCESS", "ERROR", "TIMEOUT"]},
        },
        {"name": "metadata", "type": {"type": "map", "values": "string"}},
    ],
}
FREE = {
    "type": "record",
    "name": "Free",
    "fields": [
        {
            "name": "v",
            "type": [
                "null",
                "boolean",
                "long",
                "double",
                "string",
                {"type": "array", "items": "Free"},
                {"type": "map", "values": "Free"},
            ],
        }
    ],
}
"""Anything that JSON has, in itself."""


def encoded(schema: Any, value: Any) -> bytes:
    return wire(0, schema, value)[5:]


def read(schema: Any, data: bytes) -> Any:
    return orjson.loads(compile_schema(orjson.dumps(schema))(data))


def round_trip(schema: Any, value: Any) -> Any:
    return read(schema, encoded(schema, value))


def record(**fields: Any) -> Any:
    told = [{"name": name, "type": kind} for name, kind in fields.items()]
    return {"type": "record", "name": "R", "fields": told}


def test_an_invocation() -> None:
    value = {
        "event_id": "e",
        "event_type": "llm.invocation.complete",
        "timestamp": 1_767_225_600_000,
        "token_count": -1,
        "latency_ms": 1.5,
        "status": "TIMEOUT",
        "metadata": {"a": "ü 👩", "": ""},
    }
    assert round_trip(INVOCATION, value) == value


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ("boolean", True, True),
        ("boolean", False, False),
        ("float", 0.5, 0.5),
        ("long", -(2**63), -(2**63)),
        ("long", 2**63 - 1, 2**63 - 1),
        ("bytes", b"a\xff\0", "a\xff\0"),
        ({"type": "fixed", "name": "F", "size": 2}, b"\x01\xfe", "\x01\xfe"),
        (["null", "string"], None, None),
        ({"type": "string", "avro.java.string": "String"}, "x", "x"),
        (
            {"type": "long", "logicalType": "timestamp-millis"},
            datetime(2026, 1, 1, 0, 0, 0, 1_000, tzinfo=UTC),
            "2026-01-01T00:00:00.001000+00:00",
        ),
        (
            {"type": "long", "logicalType": "timestamp-micros"},
            datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
            "2026-01-01T00:00:00.000001+00:00",
        ),
        ({"type": "int", "logicalType": "date"}, date(2026, 1, 1), "2026-01-01"),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 4},
            Decimal("-0.0123"),
            -0.0123,
        ),
        ({"type": "bytes", "logicalType": "decimal", "precision": 9}, Decimal(300), 300),
        (
            {"type": "fixed", "name": "D", "size": 4, "logicalType": "decimal", "scale": 1},
            b"\0\0\0\x0f",
            1.5,
        ),
    ],
)
def test_values(schema: Any, value: Any, told: Any) -> None:
    plain = (
        {**schema, "logicalType": ""} if isinstance(value, bytes) and "size" in schema else schema
    )
    assert read(schema, encoded(plain, value)) == told


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        # What means nothing, or what does not fit, stays what it is.
        ({"type": "long", "logicalType": "timestamp-millis"}, 2**62),
        ({"type": "long", "logicalType": "timestamp-micros"}, -(2**62)),
        ({"type": "int", "logicalType": "date"}, 2**30),
        ({"type": "long", "logicalType": "of-our-own"}, 7),
        ({"type": "string", "logicalType": "date"}, "x"),
        ({"type": "string", "logicalType": "decimal", "scale": 2}, "\u20ac"),
        ({"type": "long", "logicalType": "decimal"}, 7),
        ({"type": "bytes", "logicalType": "decimal", "scale": 10**9}, "\x01"),
        ({"type": "bytes", "logicalType": "decimal"}, "x" * 1_000),
    ],
)
def test_meanings_that_do_not_apply(schema: Any, value: Any) -> None:
    plain = schema["type"]
    data = encoded(plain, value.encode("latin-1") if plain == "bytes" else value)
    assert read(schema, data) == value


def test_null_leaves_a_field_out_and_stays_in_a_map() -> None:
    schema = record(a=["null", "long"], b={"type": "map", "values": ["null", "long"]})
    assert round_trip(schema, {"a": None, "b": {"x": None, "y": 1}}) == {"b": {"x": None, "y": 1}}


def test_names_are_found_in_their_namespace() -> None:
    inner = {"type": "enum", "name": "E", "symbols": ["X", "Y"]}
    schema = {
        "type": "record",
        "name": "a.b.R",
        "fields": [
            {"name": "one", "type": inner},
            {"name": "two", "type": "E"},
            {"name": "three", "type": "a.b.E"},
            {"name": "other", "type": {**inner, "namespace": "c", "symbols": ["Z"]}},
            {"name": "four", "type": "c.E"},
        ],
    }
    value = {"one": "X", "two": "Y", "three": "X", "other": "Z", "four": "Z"}
    assert round_trip(schema, value) == value


def test_blocks_with_their_size() -> None:
    # Two items in a block that says its size, then one in a block that does not.
    assert read({"type": "array", "items": "long"}, b"\x03\x04\x02\x04\x02\x06\x00") == [1, 2, 3]


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def boxed(value: Any) -> Any:
    """As ``FREE`` has it."""
    if isinstance(value, list):
        return {"v": [boxed(each) for each in value]}
    if isinstance(value, dict):
        return {"v": {name: boxed(each) for name, each in value.items()}}
    return {"v": value}


def unboxed(value: Any) -> Any:
    inner = value.get("v")
    if isinstance(inner, list):
        return [unboxed(each) for each in inner]
    if isinstance(inner, dict):
        return {name: unboxed(each) for name, each in inner.items()}
    return inner


DECODE_FREE = compile_schema(orjson.dumps(FREE))


@settings(deadline=None)
@given(JSON_VALUES)
def test_whatever_a_library_writes_is_read_as_it_was(value: Any) -> None:
    assert unboxed(orjson.loads(DECODE_FREE(encoded(FREE, boxed(value))))) == value


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_hostile_bytes_are_read_or_refused(data: bytes) -> None:
    for decode in (DECODE_FREE, compile_schema(orjson.dumps(INVOCATION))):
        try:
            orjson.loads(decode(data))
        except InvalidInput as error:
            assert error.field == "value"


SCHEMAS = st.recursive(
    st.sampled_from(["null", "int", "string", "bytes", "R", "", "nonsense", "decimal"])
    | st.none()
    | st.integers(-5, 2**40)
    | st.sampled_from(["record", "enum", "array", "map", "fixed", "union"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "name", "fields", "items", "values", "symbols", "size", "logicalType"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@settings(deadline=None)
@given(SCHEMAS, st.binary(max_size=50))
def test_hostile_schemas_are_read_or_refused(schema: Any, data: bytes) -> None:
    try:
        compile_schema(orjson.dumps(schema))(data)
    except InvalidInput as error:
        assert error.field == "value"


@pytest.mark.parametrize(
    ("schema", "data", "rule"),
    [
        ("string", b"", "ends before"),
        ("string", b"\x01", "ends before"),  # a length of -1
        ("string", b"\x02\xff", "not UTF-8"),
        ("long", b"\xff" * 10, "64 bits"),
        ("long", b"\x80" * 9 + b"\x02", "64 bits"),
        ("long", b"\x02\x02", "goes on"),
        ("double", b"\0\0\0\0\0\0\xf0\x7f", "JSON cannot say"),
        ({"type": "enum", "name": "E", "symbols": ["X"]}, b"\x02", "chooses"),
        (["null", "long"], b"\x01", "chooses"),
        ([], b"\x00", "chooses"),
        ({"type": "fixed", "name": "F", "size": -5}, b"\x00" * 9, "ends before"),
        # A few bytes that would be more than a machine has.
        ({"type": "array", "items": "null"}, b"\xfe\xff\xff\xff\xff\xff\xff\xff\x01", "too large"),
        (record(v={"type": "array", "items": record()}), b"\xfe\xff\xff\xff\x0f", "too large"),
        ({"type": "fixed", "name": "F", "size": 10**12}, b"", "ends before"),
        (FREE, b"\x0a\x02" * 500 + b"\x00" * 501, "nests deeper"),
    ],
)
def test_what_is_no_value_is_refused_by_a_rule(schema: Any, data: bytes, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule) as caught:
        read(schema, data)
    assert caught.value.field == "value"


def laughs() -> Any:
    """A record of ten of ten of ten …, out of no bytes at all."""
    kind: Any = {"type": "record", "name": "R0", "fields": [{"name": "x", "type": "null"}]}
    for level in range(1, 12):
        fields = [{"name": "f0", "type": kind}]
        fields += [{"name": f"f{n}", "type": f"R{level - 1}"} for n in range(1, 10)]
        kind = {"type": "record", "name": f"R{level}", "fields": fields}
    return kind


def test_a_schema_that_makes_much_of_nothing() -> None:
    with pytest.raises(InvalidInput, match="too large"):
        read(laughs(), b"")


def test_what_is_made_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    schema = {"type": "array", "items": "string"}
    monkeypatch.setattr(avro, "MOST_BYTES", 1_000)
    assert len(round_trip(schema, ["x" * 10] * 20)) == 20
    with pytest.raises(InvalidInput, match="too large"):
        round_trip(schema, ["x" * 10] * 60)


def test_what_is_short_becomes_nothing_long() -> None:
    """Else a batch of many of them would be what no one of them may be."""
    symbol = "x" * 60_000
    enum = {"type": "array", "items": {"type": "enum", "name": "E", "symbols": [symbol]}}
    assert round_trip(enum, [symbol]) == [symbol]
    with pytest.raises(InvalidInput, match="too large"):
        round_trip(enum, [symbol] * 2)


def test_an_invocation_is_the_same_event_as_in_json() -> None:
    value = {
        "event_id": "e",
        "event_type": "llm.invocation.complete",
        "timestamp": 1_767_225_600_000,
        "model_id": "m",
        "provider": "openai",
        "token_count": 5,
        "latency_ms": 1.5,
        "status": "SUCCESS",
        "trace_id": "t",
        "span_id": "s",
        "metadata": {"a": "b"},
    }
    more = ("model_id", "provider", "trace_id", "span_id")
    fields = [*INVOCATION["fields"], *({"name": name, "type": "string"} for name in more)]
    schema = {**INVOCATION, "fields": fields}
    decoded = compile_schema(orjson.dumps(schema))(encoded(schema, value))
    by_avro, by_json = (
        read_event(payload_of("llm-telemetry-events", each))
        for each in (decoded, orjson.dumps(value))
    )
    assert by_avro == by_json
    assert by_avro.event_id == "e"


def nested(depth: int) -> Any:
    schema: Any = "long"
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "rule"),
    [
        (b"{", "no JSON"),
        (b"7", "no schema"),
        (b'"nonsense"', "does not declare"),
        (b'{"type":"record","name":"R"}', "no schema"),
        (b'{"type":"record","name":"R","fields":[{"name":"x"}]}', "without name or type"),
        (b'{"type":"record","name":"R","fields":["x"]}', "without name or type"),
        (orjson.dumps(nested(MOST_DEPTH + 1)), "nests deeper"),
    ],
)
def test_what_is_no_schema_is_refused(schema: bytes, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule):
        compile_schema(schema)


def test_a_schema_may_nest() -> None:
    value: Any = 1
    for _ in range(MOST_DEPTH):
        value = [value]
    assert round_trip(nested(MOST_DEPTH), value) == value


def test_a_file_is_no_value() -> None:
    """A whole file has its schema in it; what names a schema does not."""
    buffer = io.BytesIO()
    fastavro.writer(buffer, fastavro.parse_schema(record(a="long")), [{"a": 1}])
    with pytest.raises(InvalidInput):
        read(record(a="long"), buffer.getvalue())
