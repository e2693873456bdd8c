"""Liveness and readiness: at the root, for load balancers, without a credential."""

from __future__ import annotations

from pydantic import Field

from memgraph.api.answers import Answer
from memgraph.api.operations import Call, Routes
from memgraph.api.schemas import Resource

routes = Routes("health", prefix="")


class Health(Resource):
    status: str = Field(description="`ok`.")


@routes.get("/healthz/live", permission=None, answers=Health)
def read_liveness(call: Call) -> Answer:
    """Say that the process answers."""
    return Answer({"status": "ok"})


@routes.get("/healthz/ready", permission=None, answers=Health)
def read_readiness(call: Call) -> Answer:
    """Say that the graph answers and its schema is that of this version; 503 when not."""
    call.services.readiness.check()
    return Answer({"status": "ok"})
