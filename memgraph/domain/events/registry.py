"""Template, model and schema events: what registries know."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from memgraph.domain.events.base import (
    Amount,
    Count,
    EventBase,
    EventPart,
    Json,
    Key,
    Keys,
    Metadata,
    Name,
    Names,
    Note,
    Text,
    Timestamp,
    Version,
)
from memgraph.domain.templates import VariableSpec
from memgraph.domain.values import MAX_ITEMS, TemplateOrigin


class TemplateParent(EventPart):
    id: Key
    version: Version


class TemplateBody(EventPart):
    id: Key
    version: Version
    name: Name
    text: Text
    description: Note | None = None
    variables: Annotated[list[VariableSpec], Field(max_length=MAX_ITEMS)] | None = None
    author: Name | None = None
    tags: Names | None = None
    origin: TemplateOrigin = TemplateOrigin.REGISTERED
    previous_version: Version | None = None
    parent: TemplateParent | None = None
    override_sections: Names | None = None
    version_diff: Note | None = None
    depth: Count | None = None
    metadata: Metadata | None = None


class TemplateEvent(EventBase):
    """A template version was registered."""

    type: Literal["template"] = "template"
    template: TemplateBody


class ModelBody(EventPart):
    id: Key
    provider: Name | None = None
    family: Name | None = None
    capabilities: Names | None = None
    context_window: Count | None = None
    max_output_tokens: Count | None = None
    training_cutoff: Name | None = None
    released_at: Timestamp | None = None
    deprecated_at: Timestamp | None = None
    is_deleted: bool | None = None
    metadata: Metadata | None = None


class ModelVersionBody(EventPart):
    version: Key
    previous_version: Key | None = None
    input_usd_per_1k: Amount | None = None
    output_usd_per_1k: Amount | None = None
    valid_from: Timestamp | None = None
    released_at: Timestamp | None = None
    deprecated_at: Timestamp | None = None
    changelog: Note | None = None
    is_deleted: bool | None = None
    metadata: Metadata | None = None


class ModelEvent(EventBase):
    """A model, or a version of it with its prices, was registered or changed."""

    type: Literal["model"] = "model"
    model: ModelBody
    version: ModelVersionBody | None = None


class SchemaBody(EventPart):
    id: Key
    version: Key
    previous_version: Key | None = None
    json_schema: Json | None = None
    compatible_models: Keys | None = None
    is_deleted: bool | None = None
    metadata: Metadata | None = None


class SchemaEvent(EventBase):
    """A schema version was registered or changed."""

    type: Literal["schema"] = "schema"
    schema_: Annotated[SchemaBody, Field(alias="schema")]
