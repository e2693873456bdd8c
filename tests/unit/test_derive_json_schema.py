"""JSON Schemas agree with the classes, with what factories make, and with what readers accept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel, Field

from memgraph.derive.examples import find_example, is_readable, smallest_value, tag_of
from memgraph.derive.factories import make_node, make_properties
from memgraph.derive.json_schema import DIALECT, edge_schemas, event_schemas, node_schemas
from memgraph.domain.events import EVENT_CLASSES, EVENT_TYPES, read_event
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel

MODEL = GraphModel.of(NODE_CLASSES, {"Session": ("task_id", "trial")})
NODES = node_schemas(MODEL)
EVENTS = event_schemas()
JSON_TYPES = {
    "string": (str, datetime),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """As much of JSON Schema as the classes need."""
    kind = schema.get("type")
    if kind and not isinstance(value, JSON_TYPES[kind]):
        return False
    if kind in ("integer", "number") and isinstance(value, bool):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if kind == "array":
        bounds = schema.get("minItems", 0), schema.get("maxItems", len(value))
        return bounds[0] <= len(value) <= bounds[1] and all(fits(v, schema["items"]) for v in value)
    if kind == "object":
        known = schema["properties"]
        return set(schema["required"]) <= set(value) <= set(known) and all(
            fits(v, known[n]) for n, v in value.items()
        )
    return True


def patterns(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        schema = dict(enumerate(schema))
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name == "pattern" and isinstance(value, str):
                yield value
            yield from patterns(value)


@pytest.mark.parametrize("label", MODEL.nodes)
@pytest.mark.parametrize("full", [True, False])
def test_what_the_factory_makes_fits_the_schema_of_the_class(label: str, full: bool) -> None:
    for seed in range(20):
        node = make_node(MODEL.nodes[label], seed, full=full)
        assert fits(node, NODES[label]), node


@pytest.mark.parametrize("label", MODEL.nodes)
def test_what_is_wrong_does_not_fit(label: str) -> None:
    node = make_node(MODEL.nodes[label], 1)
    assert not fits({**node, "unheard_of": 1}, NODES[label])
    assert not fits({**node, "tenant_id": 1}, NODES[label])
    assert not fits({n: v for n, v in node.items() if n != "created_at"}, NODES[label])


def test_edges_have_schemas_too() -> None:
    schemas = edge_schemas(MODEL)
    assert schemas.keys() == MODEL.edges.keys()
    for ends, spec in MODEL.edges.items():
        assert fits(make_properties(spec, 3), schemas[ends])


def test_a_property_says_its_type_values_unit_and_origin() -> None:
    response = NODES["Response"]["properties"]
    assert NODES["Response"]["$schema"] == DIALECT
    assert response["latency_ms"] == {
        "description": "From request to last token. Unit: ms.",
        "type": "integer",
        "format": "int64",
    }
    assert response["finish_reason"]["enum"][0] == "stop"
    assert response["has_pii"]["readOnly"] is True
    embedding = NODES["Prompt"]["properties"]["embedding"]
    assert embedding["minItems"] == embedding["maxItems"] == 256


def test_key_and_required_properties_are_required_and_bookkeeping_is_not_shown() -> None:
    assert NODES["ModelVersion"]["required"] == ["tenant_id", "model_id", "version", "created_at"]
    assert not {"clocks", "write_id", "fact_hash"} & NODES["Session"]["properties"].keys()


@pytest.mark.parametrize("event_class", EVENT_CLASSES, ids=lambda c: c.__name__)
def test_the_example_of_an_event_is_read_as_that_event(event_class: Any) -> None:
    (example,) = EVENTS[event_class.__name__]["examples"]
    assert isinstance(read_event(json.dumps(example)), event_class)


@pytest.mark.parametrize("event_class", EVENT_CLASSES, ids=lambda c: c.__name__)
def test_the_example_of_an_event_is_the_smallest(event_class: Any) -> None:
    schema = EVENTS[event_class.__name__]
    (example,) = schema["examples"]
    needed = set(example) - {tag_of(event_class)}
    for name in needed:
        less = {n: v for n, v in example.items() if n != name}
        assert not is_readable(less, event_class)


@pytest.mark.parametrize("event_class", EVENT_CLASSES, ids=lambda c: c.__name__)
def test_the_tag_is_required_unless_the_shape_tells(event_class: Any) -> None:
    required = EVENTS[event_class.__name__]["required"]
    is_told_by_shape = event_class.__name__ in ("PromptEvent", "ResponseEvent")
    assert (tag_of(event_class) in required) is not is_told_by_shape


class Sized(BaseModel):
    share: float = Field(le=0.5)
    count: int
    is_whole: bool
    parts: list[str]
    build_id: str
    version: str = Field(pattern=r"^\d$")


class Unknown(BaseModel):
    type: str
    sized: Sized


def test_a_smallest_value_says_what_it_stands_for() -> None:
    schema = Unknown.model_json_schema()
    assert smallest_value(schema, ("unknown",), schema)["sized"] == {
        "share": 0.5,
        "count": 1,
        "is_whole": True,
        "parts": [],
        "build_id": "build-1",
        "version": "1",
    }


def test_an_event_that_no_reader_takes_has_no_example() -> None:
    with pytest.raises(TypeError, match="no example of Unknown is valid"):
        find_example(Unknown, Unknown.model_json_schema())


def test_every_event_type_is_in_a_schema() -> None:
    tags = [s["properties"][tag_of(c)] for c, s in zip(EVENT_CLASSES, EVENTS.values(), strict=True)]
    told = [t for tag in tags for t in tag.get("enum", [tag.get("const")])]
    assert tuple(told) == EVENT_TYPES


def test_regular_expressions_are_those_of_every_validator() -> None:
    found = set(patterns(EVENTS))
    assert found
    for pattern in found:
        assert re.compile(pattern)
        assert not re.search(r"\\[AzZ]|\(\?", pattern)
