"""Every event that can come in, as one tagged union, and how to read it.

The tag is ``type`` (``prompt``, ``tool``, …) or, for telemetry, ``event_type``
(``llm.…``). Prompt and response events may leave it out: their shape tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args

from pydantic import BaseModel, Discriminator, Tag, TypeAdapter, ValidationError
from pydantic.alias_generators import to_snake
from pydantic_core import ErrorDetails

from memgraph.domain.errors import InvalidInput, shown
from memgraph.domain.events.conversation import (
    AgentEvent,
    HandoffEvent,
    PromptEvent,
    ResponseEvent,
    ScoreEvent,
    SessionEvent,
    ToolEvent,
)
from memgraph.domain.events.registry import ModelEvent, SchemaEvent, TemplateEvent
from memgraph.domain.events.telemetry import (
    AggregateEvent,
    ErrorEvent,
    InvocationEvent,
    LatencyEvent,
    TokensEvent,
)

EVENT_CLASSES: tuple[type[BaseModel], ...] = (
    PromptEvent,
    ResponseEvent,
    SessionEvent,
    ToolEvent,
    AgentEvent,
    HandoffEvent,
    TemplateEvent,
    ScoreEvent,
    ModelEvent,
    SchemaEvent,
    InvocationEvent,
    TokensEvent,
    LatencyEvent,
    ErrorEvent,
    AggregateEvent,
)


def _tags(event_class: type[BaseModel]) -> tuple[str, ...]:
    fields = event_class.model_fields
    tag = fields.get("type") or fields["event_type"]
    return get_args(tag.annotation)


_CLASS_OF_TAG = {tag: c.__name__ for c in EVENT_CLASSES for tag in _tags(c)}
EVENT_TYPES: tuple[str, ...] = tuple(_CLASS_OF_TAG)
"""Every tag, in the order of the classes."""


def _class_name(value: Any) -> str | None:
    if isinstance(value, BaseModel):
        return type(value).__name__
    if not isinstance(value, Mapping):
        return None
    for name in ("type", "event_type", "eventType"):
        if name in value:
            tag = value[name]
            return _CLASS_OF_TAG.get(tag, "unknown") if isinstance(tag, str) else "unknown"
    if "response" in value:
        return "ResponseEvent"
    return "PromptEvent" if "prompt" in value else None


# Built from the tuple, so that an event class is named once.
Event: Any = Annotated[
    Union[tuple(Annotated[c, Tag(c.__name__)] for c in EVENT_CLASSES)],  # noqa: UP007
    Discriminator(_class_name),
]
EVENT: TypeAdapter[Any] = TypeAdapter(Event)
"""Reads and writes one event."""


def read_event(data: bytes | str) -> Any:
    """Read one event from JSON. Raises InvalidInput with the field and the rule, no content."""
    try:
        return EVENT.validate_json(data)
    except ValidationError as error:
        raise first_problem(error) from None


def first_problem(error: ValidationError) -> InvalidInput:
    """Turn pydantic's report into our error: the first field, the rule, how many more."""
    details = error.errors(include_url=False, include_input=False)
    problem = InvalidInput(_field(details[0]), _rule(details[0]))
    if len(details) > 1:
        problem.facts["more"] = len(details) - 1
    return problem


_RULES = {
    "union_tag_not_found": "type is missing, and the shape is neither a prompt's nor a response's",
    "union_tag_invalid": "type is not one of " + ", ".join(EVENT_TYPES),
    "extra_forbidden": "is not a field of this event",
    "missing": "is required",
    "string_pattern_mismatch": "holds a character or form that is not allowed here",
}


def _rule(detail: ErrorDetails) -> str:
    """The rule in words. Only rules that quote no input pass through."""
    kind = detail["type"]
    if kind in _RULES:
        return _RULES[kind]
    if kind == "json_invalid":
        # The message quotes positions, never the text.
        return str(detail["msg"])
    if kind.startswith("value_error"):
        return "is not valid"
    return str(detail["msg"])


def _field(detail: ErrorDetails) -> str:
    class_names = set(_CLASS_OF_TAG.values())
    parts = [str(p) for p in detail["loc"] if p not in class_names]
    if parts and detail["type"] == "missing":
        # What is not there has the name of the documents, not the camelCase that is taken too.
        parts[-1] = to_snake(parts[-1])
    return shown(".".join(parts)) if parts else "event"


__all__ = [
    "EVENT",
    "EVENT_CLASSES",
    "EVENT_TYPES",
    "AgentEvent",
    "AggregateEvent",
    "ErrorEvent",
    "Event",
    "HandoffEvent",
    "InvocationEvent",
    "LatencyEvent",
    "ModelEvent",
    "PromptEvent",
    "ResponseEvent",
    "SchemaEvent",
    "ScoreEvent",
    "SessionEvent",
    "TemplateEvent",
    "TokensEvent",
    "ToolEvent",
    "first_problem",
    "read_event",
]
