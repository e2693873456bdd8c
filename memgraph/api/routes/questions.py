"""Thread, lineage, impact: the questions the graph answers."""

from __future__ import annotations

from typing import Literal

from flask import request
from pydantic import Field

from memgraph.api.answers import Answer
from memgraph.api.operations import Call, Routes
from memgraph.api.schemas import Parameters
from memgraph.api.shapes import Impact, Lineage, Thread
from memgraph.domain.access import Permission
from memgraph.services import lineage as shapes
from memgraph.services.invalidation import any_write

routes = Routes("questions")

READ = Permission.READ_CONVERSATIONS
GRAPHML = "application/graphml+xml"


class ThreadParameters(Parameters):
    limit: int = Field(1_000, ge=1, le=10_000, description="Prompts at most.")


class LineageParameters(Parameters):
    direction: Literal["up", "down", "both"] = Field(
        "up", description="Where it came from, what came of it, or both."
    )
    depth: int | None = Field(None, ge=1, le=12, description="Steps followed.")


class ImpactParameters(Parameters):
    limit: int = Field(10_000, ge=1, le=100_000, description="Prompts at most.")


@routes.get(
    "/sessions/<id:session_id>/thread",
    permission=READ,
    query=ThreadParameters,
    answers=Thread,
    cached=any_write,
)
def read_thread(call: Call, session_id: str) -> Answer:
    """Read the conversation of a session."""
    return Answer(
        call.services.reader.get_thread(call.tenant_id, session_id, limit=call.query.limit)
    )


@routes.get(
    "/lineage/<kind>/<id:id_>",
    permission=READ,
    query=LineageParameters,
    answers=Lineage,
    cached=any_write,
)
def read_lineage(call: Call, kind: str, id_: str) -> Answer:
    """Follow lineage from a node. `Accept: application/graphml+xml` answers GraphML."""
    bounds = call.services.settings.lineage
    found = call.services.reader.get_lineage(
        call.tenant_id,
        kind,
        id_,
        directions=shapes.DIRECTIONS[call.query.direction],
        depth=call.query.depth or bounds.depth,
        fan_out=bounds.fan_out,
        max_nodes=bounds.max_nodes,
    )
    if request.accept_mimetypes.best_match(["application/json", GRAPHML]) == GRAPHML:
        return Answer(text=shapes.to_graphml(found, call.services.model), media=GRAPHML)
    return Answer(found)


@routes.get(
    "/impact/<kind>/<id:id_>",
    permission=READ,
    query=ImpactParameters,
    answers=Impact,
    cached=any_write,
)
def read_impact(call: Call, kind: str, id_: str) -> Answer:
    """Tell what depends on a template, model, document or tool."""
    return Answer(
        call.services.reader.get_impact(call.tenant_id, kind, id_, limit=call.query.limit)
    )
