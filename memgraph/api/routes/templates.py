"""Templates: versions, inheritance, and prompts made from them."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from memgraph.api import resources as res
from memgraph.api.answers import Answer
from memgraph.api.idempotency import fresh_id
from memgraph.api.operations import API, Call, Routes
from memgraph.api.schemas import AsOf, Created, Resource
from memgraph.domain.access import Permission
from memgraph.domain.events.registry import TemplateBody
from memgraph.domain.mutations import Outcome
from memgraph.ids import now

routes = Routes("templates")

READ, WRITE = Permission.READ_TEMPLATES, Permission.WRITE_TEMPLATES


class TemplateParameters(AsOf):
    version: str | None = Field(None, max_length=20, description="Such as 1.2.0; else the highest.")


class TemplateVersionItem(Resource):
    """A version of a template, in short."""

    version: str
    previous_version: str | None
    name: str | None
    author: str | None
    created_at: datetime
    recorded_at: datetime = Field(description="When it arrived here.")
    comment: str | None = Field(description="What was new.")


class TemplateVersions(Resource):
    """The versions of a template, the highest first."""

    items: list[TemplateVersionItem]


class Instance(Created):
    """The prompt that was made from a template."""

    template_id: str
    version: str
    text: str = Field(description="The template with its values filled in.")


class GenealogyItem(Resource):
    """A version with its parent, children, use, cost and scores."""

    version: str


class Genealogy(Resource):
    """The versions of a template in the order in which they were registered."""

    items: list[GenealogyItem]


@routes.post(
    "/templates",
    permission=WRITE,
    body=res.NewTemplate,
    answers=res.PromptTemplate,
    status=201,
    example={
        "id": "greeting",
        "name": "Greeting",
        "text": "Hello {{name}}, how can I help?",
        "variables": [{"name": "name", "pattern": "[A-Z].*"}],
    },
)
def create_template(call: Call) -> Answer:
    """Register the first version of a template."""
    sent = call.body
    said = {n: getattr(sent, n) for n in sent.model_fields_set - {"id", "timestamp", "version"}}
    body = TemplateBody(**said, id=sent.id or fresh_id(), version=sent.version)
    template, outcome = call.services.templates.register(
        call.tenant_id, body, sent.timestamp or now()
    )
    status = 201 if outcome is Outcome.STORED else 200
    return Answer(template, status, {"Location": f"{API}/templates/{body.id}"})


@routes.get(
    "/templates/<id:template_id>",
    permission=READ,
    query=TemplateParameters,
    answers=res.PromptTemplate,
)
def read_template(call: Call, template_id: str) -> Answer:
    """Read a version of a template, the highest unless you say which."""
    found = call.services.templates.get(
        call.tenant_id, template_id, version=call.query.version, at=call.query.at
    )
    return Answer(found)


@routes.post(
    "/templates/<id:template_id>/versions",
    permission=WRITE,
    body=res.NewTemplateVersion,
    answers=res.PromptTemplate,
    status=201,
    example={"bump": "minor", "comment": "Friendlier.", "text": "Hi {{name}}, what can I do?"},
)
def create_template_version(call: Call, template_id: str) -> Answer:
    """Register the version after the highest one. What is left out is as it was there."""
    sent = call.body
    said = {n: getattr(sent, n) for n in sent.model_fields_set - {"timestamp", "bump", "comment"}}
    template, _ = call.services.templates.add_version(
        call.tenant_id,
        template_id,
        said,
        bump=sent.bump,
        comment=sent.comment,
        at=sent.timestamp or now(),
    )
    place = f"{API}/templates/{template_id}?version={template['version']}"
    return Answer(template, headers={"Location": place})


@routes.get("/templates/<id:template_id>/versions", permission=READ, answers=TemplateVersions)
def list_template_versions(call: Call, template_id: str) -> Answer:
    """List the versions of a template, the highest first."""
    return Answer({"items": call.services.templates.list_versions(call.tenant_id, template_id)})


@routes.post(
    "/templates/<id:template_id>/instantiate",
    permission=Permission.WRITE_CONVERSATIONS,
    body=res.NewInstance,
    answers=Instance,
    status=201,
    example={"session_id": "s-1", "bindings": {"name": "Ada"}},
)
def instantiate_template(call: Call, template_id: str) -> Answer:
    """Fill a template with values and record what it makes as a prompt of a session."""
    sent = call.body
    left_out = {"id", "timestamp", "session_id", "version", "bindings"}
    prompt = {n: getattr(sent, n) for n in sent.model_fields_set - left_out}
    made, outcome = call.services.templates.instantiate(
        call.tenant_id,
        template_id,
        version=sent.version,
        bindings=sent.bindings,
        session_id=sent.session_id,
        prompt={**prompt, "event_id": sent.id or fresh_id(), "timestamp": sent.timestamp or now()},
    )
    status = 201 if outcome is Outcome.STORED else 200
    return Answer(made, status, {"Location": f"{API}/prompts/{made['id']}"})


@routes.get("/templates/<id:template_id>/genealogy", permission=READ, answers=Genealogy)
def read_template_genealogy(call: Call, template_id: str) -> Answer:
    """Tell of each version of a template its parent, children, use, cost and scores."""
    return Answer({"items": call.services.reader.list_genealogy(call.tenant_id, template_id)})
