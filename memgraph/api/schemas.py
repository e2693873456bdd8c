"""Schemas of what comes in and goes out, and how they are read.

Bodies are strict: JSON is validated as JSON, unknown and server-owned fields are
refused. Requests that say what an event says are derived from the event, and
resources from the descriptors of their class, so that no field is listed twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, get_args

from apiflask.schema_adapters import registry
from apiflask.schema_adapters.pydantic import PydanticAdapter
from flask import Request
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    create_model,
)
from pydantic.json_schema import models_json_schema
from pydantic_core import PydanticUndefined

from memgraph.api.problems import broken_rules
from memgraph.domain.errors import UnsupportedMedia
from memgraph.domain.events.base import AnyTime, EventBase, EventPart, Key, Timestamp
from memgraph.domain.patterns import portable
from memgraph.domain.schema import NodeSpec, PropertySpec, ValueType
from memgraph.domain.times import END_OF_TIME, BiTemporal
from memgraph.ids import now, uuid7

JSON_MEDIA = ("application/json", "application/merge-patch+json")


class RequestPart(EventPart):
    """Base of request bodies: snake_case or camelCase, strict, nothing unknown."""


class Parameters(BaseModel):
    """Base of query strings: text becomes the declared type, nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Resource(BaseModel):
    """Base of what goes out: it documents, the bytes are written without it."""

    model_config = ConfigDict(extra="allow")


class Created(Resource):
    """What was recorded, and whether it was new."""

    id: str = Field(description="Key of what was recorded.")
    outcome: str = Field(description="`stored`, or `duplicate` when it was known already.")


OPTIONAL_KEY: Any = (
    Key | None,
    Field(None, description="Key of your own; made for you when left out."),
)
OPTIONAL_TIME: Any = (
    Timestamp | None,
    Field(None, description="When it happened; now by default."),
)
OPTIONAL_EVENT: Any = (
    Key | None,
    Field(None, description="Key of the change, which counts once; made for you when left out."),
)


def request_of(
    event: type[EventBase], name: str, *, without: Iterable[str] = (), **more: Any
) -> type[RequestPart]:
    """The body that makes such an event: its id and time may be left out, the rest is the same."""
    left_out = {"event_id", "timestamp", "type", *without}
    return body_of(
        event, name, without=left_out, **{"id": OPTIONAL_KEY, "timestamp": OPTIONAL_TIME, **more}
    )


def moment_of(body: Any) -> EventBase:
    """Which event a body stands for, and when it happened: as sent, else a new one, now."""
    return EventBase(event_id=body.event_id or uuid7(), timestamp=body.timestamp or now())


def body_of(
    part: type[EventPart], name: str, /, *, without: Iterable[str] = (), **more: Any
) -> type[RequestPart]:
    """The fields of a part without some, and ``more``, as `create_model` takes them."""
    fields = fields_of(part, without=[*without, *more])
    return create_model(name, __base__=RequestPart, __doc__=part.__doc__, **{**more, **fields})


def fields_of(part: type[EventPart], *, without: Iterable[str] = ()) -> dict[str, Any]:
    """The fields of a part, as `create_model` takes them."""
    left_out = set(without)
    fields: dict[str, Any] = {
        n: (f.annotation if not f.metadata else Annotated[(f.annotation, *f.metadata)], f.default)
        for n, f in part.model_fields.items()
        if n not in left_out
    }
    return {n: (a, ... if d is PydanticUndefined else d) for n, (a, d) in fields.items()}


_PYTHON_TYPES: dict[ValueType, Any] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "datetime": datetime,
    "json": JsonValue,
    "strings": list[str],
    "floats": list[float],
}


@lru_cache(maxsize=64)
def resource_of(spec: NodeSpec) -> type[Resource]:
    """What is shown of a node: every property that is no bookkeeping; those not set are absent."""
    fields: dict[str, Any] = {p.name: _field(p, p.name in spec.key) for p in shown(spec)}
    return create_model(spec.label, __base__=Resource, __doc__=spec.description, **fields)


def shown(spec: NodeSpec) -> list[PropertySpec]:
    """The properties that answers carry."""
    return [p for p in spec.properties if not p.internal and p.name != "tenant_id"]


def _field(declared: PropertySpec, required: bool) -> Any:
    kind = declared.enum or _PYTHON_TYPES[declared.type]
    unit = f" Unit: {declared.unit}." if declared.unit else ""
    description = declared.description + unit
    if required:
        return (kind, Field(description=description))
    return (kind, Field(default=None, description=description))


def page_of(item: type[Resource]) -> type[Resource]:
    """A page of resources."""
    items: Any = list.__class_getitem__(item)
    fields: dict[str, Any] = {
        "items": (items, Field(description="In the order of the list.")),
        "next_cursor": (
            str | None,
            Field(None, description="Send it as `cursor` for the next page; none: the last."),
        ),
    }
    return create_model(
        f"{item.__name__}Page", __base__=Resource, __doc__="A page of a list.", **fields
    )


class AsOf(Parameters):
    """What was known at a time: what held then, of what had been recorded by then."""

    as_of: AnyTime | None = Field(
        None, description="As it was then by the times of the events; else now."
    )
    recorded_as_of: AnyTime | None = Field(
        None, description="Only what had arrived here by then; else all."
    )

    @property
    def at(self) -> BiTemporal | None:
        """Both times; None when neither was given."""
        if self.as_of is None and self.recorded_as_of is None:
            return None
        return BiTemporal(self.as_of or now(), self.recorded_as_of or END_OF_TIME)


class Paging(Parameters):
    limit: int = Field(50, ge=1, le=500, description="Items of a page.")
    cursor: str | None = Field(None, max_length=8_000, description="`next_cursor` of the page.")


class StrictAdapter(PydanticAdapter):
    """Read JSON as JSON: python values in between would lose what strict models look at."""

    def validate_input(self, request: Request, location: str, **_: Any) -> BaseModel:
        """The model of a body or a query string. Raises InvalidInput."""
        try:
            if location == "query":
                return self.model_class.model_validate(_arguments(request, self.model_class))
            if request.mimetype not in JSON_MEDIA:
                raise UnsupportedMedia("the body must be sent as Content-Type: application/json")
            return self.model_class.model_validate_json(request.get_data())
        except ValidationError as error:
            raise broken_rules(error) from None


def _arguments(request: Request, model: type[BaseModel]) -> dict[str, Any]:
    """Query arguments; what is given twice stays a list and breaks a rule unless one is meant."""
    arguments: dict[str, Any] = {}
    for name, values in request.args.lists():
        field = model.model_fields.get(name)
        is_list = field is not None and list in map(
            _origin, (field.annotation, *get_args(field.annotation))
        )
        arguments[name] = values if is_list or len(values) > 1 else values[0]
    return arguments


def _origin(annotation: Any) -> Any:
    return getattr(annotation, "__origin__", annotation)


# Decorators of routes ask for an adapter when their modules are imported.
registry.register("pydantic", StrictAdapter)


def components(models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """JSON Schemas of all models and what they are made of, by name, in snake_case."""
    unique = sorted(set(models), key=lambda m: m.__name__)
    _, schemas = models_json_schema(
        [(m, "serialization" if issubclass(m, Resource) else "validation") for m in unique],
        by_alias=False,
        ref_template="#/components/schemas/{model}",
    )
    found: dict[str, Any] = portable(schemas.get("$defs", {}))
    return found
