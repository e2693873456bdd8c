"""The smallest example of an event that its reader accepts, found by its JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from pydantic import BaseModel

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import read_event

TIME = "2026-01-15T09:30:00Z"
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")


def tag_of(event_class: type[BaseModel]) -> str:
    """The name of the field that tells an event's type, as it is sent."""
    return "type" if "type" in event_class.model_fields else "eventType"


def is_readable(example: Mapping[str, Any], event_class: type[BaseModel]) -> bool:
    """Whether it is read as an event of this class."""
    try:
        return isinstance(read_event(orjson.dumps(example)), event_class)
    except InvalidInput:
        return False


def find_example(event_class: type[BaseModel], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The tag and the required fields, with one optional field where the reader asks for it."""
    tag = tag_of(event_class)
    fields = [tag, *(name for name in schema["required"] if name != tag)]
    optional = [name for name in schema["properties"] if name not in fields]
    for names in (fields, *([*fields, name] for name in optional)):
        example = {
            name: smallest_value(schema["properties"][name], (name,), schema) for name in names
        }
        if is_readable(example, event_class):
            return example
    raise TypeError(f"no example of {event_class.__name__} is valid")


def smallest_value(
    schema: Mapping[str, Any], path: tuple[str, ...], root: Mapping[str, Any]
) -> Any:
    """A value of a schema with what it requires; ``path`` names the field."""
    schema = resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            required = schema.get("required", ())
            return {
                name: smallest_value(properties[name], (*path, name), root) for name in required
            }
        case "string":
            return TIME if schema.get("format") == "date-time" else _text(schema, path)
        case "integer" | "number":
            return min(1, schema.get("maximum", 1))
        case "boolean":
            return True
        case "array":
            return []
    return {}


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference stands for, and of a value that may be null the value."""
    while True:
        if "$ref" in schema:
            schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            schema = next(s for s in schema["anyOf"] if s.get("type") != "null")
        else:
            return schema


def _text(schema: Mapping[str, Any], path: tuple[str, ...]) -> str:
    pattern = re.compile(schema.get("pattern", ""))
    return next(text for text in _candidates(path) if pattern.search(text))


def _candidates(path: tuple[str, ...]) -> Iterator[str]:
    """Texts that tell what they stand for: ``prompt-event-1``, ``1.0.0``, ``tool name``."""
    words = [word.lower() for word in _WORD.findall(path[-1])]
    if words[-1] == "id":
        owner = words[:-1] or path[-2:-1]
        yield "-".join([*owner, "1"])
    if words[-1] == "version":
        yield "1.0.0"
    yield " ".join(words)
    yield from ("1.0.0", "1")
