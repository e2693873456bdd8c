"""Template, model and schema events."""

from __future__ import annotations

from memgraph.domain import events as ev
from memgraph.domain.events.registry import ModelVersionBody
from memgraph.domain.mutations import WEAK, Change, Mutation, Ref
from memgraph.domain.nodes.model import ModelPrice
from memgraph.services.ingest.graph_rows.building import edge, fact, mention, text_sha256

_PRICE = sorted(
    ModelPrice.defined_properties(rels=False).keys() & ModelVersionBody.model_fields.keys()
)


def map_template(event: ev.TemplateEvent, m: Mutation) -> None:
    """A template version is a fact, with its parent and the version before it."""
    body = event.template
    template = fact(
        m,
        ("PromptTemplate", (body.id, body.version)),
        event.timestamp,
        name=body.name,
        description=body.description,
        template_text=body.text,
        text_sha256=text_sha256(body.text),
        variables=[v.model_dump() for v in body.variables] if body.variables else None,
        author=body.author,
        tags=body.tags,
        origin=body.origin,
        metadata=body.metadata,
    )
    if body.previous_version:
        previous: Ref = ("PromptTemplate", (body.id, body.previous_version))
        edge(m, template, "PREVIOUS_VERSION", previous)
    if body.parent:
        edge(
            m,
            template,
            "INHERITS",
            ("PromptTemplate", (body.parent.id, body.parent.version)),
            override_sections=body.override_sections,
            version_diff=body.version_diff,
            depth=body.depth,
        )


def map_model(event: ev.ModelEvent, m: Mutation) -> None:
    """A model lives, and so does the version that the event names. What it costs is a fact."""
    model: Ref = ("Model", (event.model.id,))
    m.changes.append(Change(model, event.model.model_dump(exclude={"id"})))
    version = event.version
    if version is None:
        return
    ref: Ref = ("ModelVersion", (event.model.id, version.version))
    said = version.model_dump(exclude={"version", "previous_version"})
    m.changes.append(Change(ref, said))
    if version.valid_from is None:
        # A later word about the version says nothing of when its price began.
        m.changes.append(Change(ref, {"valid_from": event.timestamp}, rank=WEAK))
    price = {name: said[name] for name in _PRICE if said[name] is not None}
    if price:
        key = ("ModelPrice", (event.event_id,))
        edge(m, fact(m, key, event.timestamp, **price), "PRICES", ref)
    edge(m, ref, "VERSION_OF", model)
    if version.previous_version:
        previous = mention(m, "ModelVersion", event.model.id, version.previous_version)
        edge(m, ref, "PREVIOUS_VERSION", previous)


def map_schema(event: ev.SchemaEvent, m: Mutation) -> None:
    """A schema version lives."""
    body = event.schema_
    ref: Ref = ("Schema", (body.id, body.version))
    m.changes.append(Change(ref, body.model_dump(exclude={"id", "version", "previous_version"})))
    if body.previous_version:
        previous = mention(m, "Schema", body.id, body.previous_version)
        edge(m, ref, "PREVIOUS_VERSION", previous)
