"""JSON Schemas (2020-12): nodes and edges from their descriptors, events from their models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from memgraph.derive.examples import find_example, is_readable, tag_of
from memgraph.domain.events import EVENT_CLASSES
from memgraph.domain.patterns import portable
from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec, PropertySpec, ValueType

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_TYPES: dict[ValueType, Schema] = {
    "string": {"type": "string"},
    "integer": {"type": "integer", "format": "int64"},
    "float": {"type": "number"},
    "boolean": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "json": {},
    "strings": {"type": "array", "items": {"type": "string"}},
    "floats": {"type": "array", "items": {"type": "number"}},
}


def node_schemas(model: GraphModel) -> dict[str, Schema]:
    """A schema per label, of what people read: the writer's bookkeeping is left out."""
    return {
        label: {"$schema": DIALECT, "title": label, **_object(spec, spec.identity)}
        for label, spec in model.nodes.items()
    }


def edge_schemas(model: GraphModel) -> dict[tuple[str, str, str], Schema]:
    """A schema per (start, type, end), of the properties of the edge."""
    return {
        ends: {"$schema": DIALECT, "title": spec.type, **_object(spec)}
        for ends, spec in model.edges.items()
    }


def event_schemas() -> dict[str, Schema]:
    """A schema per event class by name, with its smallest example, names in camelCase.

    The tag is required unless the shape of the event tells its type.
    """
    return {c.__name__: _event_schema(c) for c in EVENT_CLASSES}


def _object(spec: NodeSpec | EdgeSpec, identity: Iterable[str] = ()) -> Schema:
    shown = [p for p in spec.properties if not p.internal]
    required = {*identity, *(p.name for p in shown if p.required)}
    return {
        "description": spec.description,
        "type": "object",
        "properties": {p.name: property_schema(p) for p in shown},
        "required": [p.name for p in shown if p.name in required],
        "additionalProperties": False,
    }


def property_schema(declared: PropertySpec) -> Schema:
    """The schema of one property. Its unit stands at the end of the description."""
    unit = f" Unit: {declared.unit}." if declared.unit else ""
    schema = {"description": declared.description + unit, **_TYPES[declared.type]}
    if declared.enum is not None:
        schema["enum"] = [member.value for member in declared.enum]
    if declared.vector is not None:
        schema |= {"minItems": declared.vector, "maxItems": declared.vector}
    if declared.enriched:
        schema["readOnly"] = True
    return schema


def _event_schema(event_class: type[BaseModel]) -> Schema:
    schema = {"$schema": DIALECT, **portable(event_class.model_json_schema())}
    tag = tag_of(event_class)
    example = find_example(event_class, schema)
    untagged = {name: value for name, value in example.items() if name != tag}
    if not is_readable(untagged, event_class) and tag not in schema["required"]:
        schema["required"] = [*schema["required"], tag]
    return {**schema, "examples": [example]}
