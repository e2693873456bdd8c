"""Context documents, users, scores, and counts over everything."""

from __future__ import annotations

from pydantic import Field

from memgraph.api import resources as res
from memgraph.api.answers import Answer
from memgraph.api.operations import Call, Routes
from memgraph.api.schemas import Parameters, Resource
from memgraph.domain.access import Permission

routes = Routes("records")

READ = Permission.READ_CONVERSATIONS


class ToolParameters(Parameters):
    tool_name: str | None = Field(None, max_length=1_000, description="Only this tool.")


class ToolPredecessor(Resource):
    """A failed call that was read before this tool was called."""

    tool_name: str | None
    times: int
    failed: int


class ToolStatistics(Resource):
    """How often a tool is called, fails and is retried."""

    tool_name: str
    invocations: int
    failed: int
    retries: int
    average_duration_ms: float | None
    after: list[ToolPredecessor] = Field(description="Called after which failed tools.")


class ToolStatisticsList(Resource):
    """Tools, those that fail most first."""

    items: list[ToolStatistics]


class Counts(Resource):
    """How much there is."""

    nodes: dict[str, int] = Field(description="By label.")
    relationships: dict[str, int] = Field(description="By type.")


@routes.get("/context-documents/<id:context_id>", permission=READ, answers=res.ContextDocument)
def read_context_document(call: Call, context_id: str) -> Answer:
    """Read what is known of a context document."""
    return Answer(call.services.nodes.get(call.tenant_id, "ContextDocument", (context_id,)))


@routes.get("/users/<id:user_id>", permission=Permission.READ_USERS, answers=res.User)
def read_user(call: Call, user_id: str) -> Answer:
    """Read a user."""
    return Answer(call.services.nodes.get(call.tenant_id, "User", (user_id,)))


@routes.get("/scores/<id:score_id>", permission=READ, answers=res.Score)
def read_score(call: Call, score_id: str) -> Answer:
    """Read a score with what it judges."""
    return Answer(call.services.nodes.get(call.tenant_id, "Score", (score_id,)))


@routes.get(
    "/tools/stats",
    permission=Permission.READ_STATISTICS,
    query=ToolParameters,
    answers=ToolStatisticsList,
)
def read_tool_statistics(call: Call) -> Answer:
    """Tell how often tools are called, fail, are retried, and after which failed tool."""
    found = call.services.reader.list_tool_failures(call.tenant_id, call.query.tool_name)
    return Answer({"items": found})


@routes.get("/stats", permission=Permission.READ_STATISTICS, answers=Counts)
def read_statistics(call: Call) -> Answer:
    """Count nodes by label and relationships by type."""
    return Answer(call.services.reader.count(call.tenant_id))
