"""Models, their versions, and what they cost when."""

from __future__ import annotations

from typing import Any

from memgraph.api import resources as res
from memgraph.api.answers import Answer
from memgraph.api.operations import API, Call, Routes
from memgraph.api.schemas import AsOf, Resource, moment_of
from memgraph.domain.access import Permission
from memgraph.domain.events.registry import ModelBody, ModelVersionBody
from memgraph.domain.mutations import Outcome

routes = Routes("models")

READ, WRITE = Permission.READ_MODELS, Permission.WRITE_MODELS


class ModelVersions(Resource):
    """The versions of a model, latest `valid_from` first."""

    items: list[res.ModelVersion]  # type: ignore[valid-type]


@routes.post(
    "/models",
    permission=WRITE,
    body=res.NewModel,
    answers=res.Model,
    status=201,
    example={
        "id": "auster-mini",
        "provider": "auster",
        "version": {"version": "1", "input_usd_per_1k": 0.1, "output_usd_per_1k": 0.4},
    },
)
def create_model(call: Call) -> Answer:
    """Register a model, with a version and its prices if you like."""
    body = ModelBody(**_said(call.body, "version"))
    model, outcome = call.services.models.register(
        call.tenant_id, body, call.body.version, moment_of(call.body)
    )
    status = 201 if outcome is Outcome.STORED else 200
    return Answer(model, status, {"Location": f"{API}/models/{body.id}"})


@routes.get("/models/<id:model_id>", permission=READ, query=AsOf, answers=res.Model)
def read_model(call: Call, model_id: str) -> Answer:
    """Read a model with the version and the prices that are valid, or were at `as_of`."""
    return Answer(call.services.models.get(call.tenant_id, model_id, at=call.query.at))


@routes.get("/models/<id:model_id>/versions", permission=READ, answers=ModelVersions)
def list_model_versions(call: Call, model_id: str) -> Answer:
    """List the versions of a model with their prices."""
    return Answer({"items": call.services.models.list_versions(call.tenant_id, model_id)})


@routes.post(
    "/models/<id:model_id>/versions",
    permission=WRITE,
    body=res.NewModelVersion,
    answers=res.ModelVersion,
    status=201,
    example={"version": "2", "input_usd_per_1k": 0.08, "valid_from": "2026-06-01T00:00:00Z"},
)
def create_model_version(call: Call, model_id: str) -> Answer:
    """Add a version. A price is a version: another price of a known one is refused."""
    version, outcome = call.services.models.add_version(
        call.tenant_id, model_id, ModelVersionBody(**_said(call.body)), moment_of(call.body)
    )
    return Answer(version, 201 if outcome is Outcome.STORED else 200)


def _said(sent: Any, *without: str) -> dict[str, Any]:
    left_out = {"event_id", "timestamp", *without}
    return {n: getattr(sent, n) for n in sent.model_fields_set - left_out}
