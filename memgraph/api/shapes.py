"""What thread, lineage and impact look like. Properties of nodes are those of their classes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field, create_model

from memgraph.api.resources import MODEL
from memgraph.api.schemas import Resource, resource_of


def _shape(name: str, says: str, /, **fields: Any) -> type[Resource]:
    return create_model(name, __base__=Resource, __doc__=says, **fields)


def _part(name: str, label: str, said: str, /, **more: Any) -> type[Resource]:
    """Some properties of a class, and ``more``; what is not set is null."""
    spec = MODEL.nodes[label]
    known = resource_of(spec).model_fields
    fields: dict[str, Any] = {}
    for n in said.split():
        kind: Any = known[n].annotation
        optional = kind if n in spec.key else kind | None
        fields[n] = (optional, Field(description=known[n].description))
    return _shape(name, f"What is shown of a {label}.", **{**fields, **more})


def _each(item: type[Resource], description: str) -> Any:
    return list.__class_getitem__(item), Field(description=description)


def _one(item: type[Resource], description: str) -> Any:
    return item | None, Field(description=description)


_Score = _part("ThreadScore", "Score", "name value source comment")
_Tool = _part(
    "ThreadTool",
    "ToolInvocation",
    "invocation_id tool_name parameters status error result duration_ms retry_count",
)


class ThreadHandoff(Resource):
    """A handoff to an agent."""

    agent_id: str
    name: str | None
    handoff_reason: str | None
    priority: str | None
    context_summary: str | None


_Response = _part(
    "ThreadResponse",
    "Response",
    "response_id created_at text content_ref model_id finish_reason prompt_tokens"
    " completion_tokens total_tokens latency_ms ttft_ms cost_usd error_type error_message tags"
    " derived_properties",
    tools=_each(_Tool, "Calls of tools, in order."),
    informed_by=(list[str], Field(description="Tool invocations whose results it had read.")),
    handoffs=_each(ThreadHandoff, "To whom it handed over."),
    scores=_each(_Score, "In order of time."),
)


class Follows(Resource):
    """The prompt before."""

    prompt_id: str
    gap_ms: int | None
    stated: bool | None = Field(description="The sender named it; else it is by time.")
    session_id: str | None


_Document = _part(
    "ThreadDocument",
    "ContextDocument",
    "context_id title",
    relevance_score=(float | None, Field(description="As the retrieval scored it.")),
)
_Prompt = _part(
    "ThreadPrompt",
    "Prompt",
    "prompt_id created_at text content_ref token_count has_pii tags",
    follows=_one(Follows, "None: it is the first."),
    agent=(str | None, Field(description="Name of the agent that handled it, else its id.")),
    template=_one(
        _part("ThreadTemplate", "PromptTemplate", "template_id version name"), "It was made from."
    ),
    documents=_each(_Document, "By rank."),
    scores=_each(_Score, "In order of time."),
    responses=_each(_Response, "In order of time."),
)
_Session = _part(
    "ThreadSession",
    "Session",
    "session_id title purpose is_active created_at closed_at tags metadata",
)
Thread = _shape(
    "Thread",
    "A session with its prompts, responses, tools, handoffs, costs and scores, in order.",
    session=(_Session, Field(description="What is said of the session.")),
    users=(list[str], Field(description="Ids of who started it.")),
    applications=(list[str], Field(description="Ids of where it took place.")),
    scores=_each(_Score, "Of the session as a whole."),
    prompts=_each(_Prompt, "In order of time."),
    is_cut=(bool, Field(description="There are more prompts.")),
)

_Price = _part("Price", "ModelVersion", "version input_usd_per_1k output_usd_per_1k valid_from")
_Node = _shape(
    "LineageNode",
    "A node of a lineage; long texts are cut.",
    id=(str, Field(description="Names the node within this answer.")),
    labels=(list[str], Field(description="Its class, and what else it is.")),
    properties=(dict[str, Any], Field(description="Its key, and what people look at.")),
    session_id=(str | None, Field(description="Session of a prompt.")),
    price=_one(_Price, "What the model of a response cost then."),
)
_EDGE: dict[str, Any] = {
    "from": (str, Field(description="The end that was reached first.")),
    "type": (str, Field(description="Type of the relationship.")),
    "start": (str, Field(description="Node it runs from.")),
    "end": (str, Field(description="Node it runs to.")),
    "properties": (dict[str, Any], Field(description="What it says.")),
    "is_inferred": (bool, Field(description="Nobody said it: it follows from the order.")),
}
Lineage = _shape(
    "Lineage",
    "Nodes and edges from a root; `cuts` says which bound kept something out.",
    root=(str, Field(description="Node that was asked about.")),
    nodes=_each(_Node, "Nearest first."),
    edges=_each(_shape("LineageEdge", "A step of a lineage.", **_EDGE), "Between the nodes."),
    cuts=(list[str], Field(description="Of `depth`, `fan_out`, `nodes`; none: this is all.")),
)


class ImpactSession(Resource):
    session_id: str
    title: str | None
    is_active: bool | None
    prompts: int
    last_used_at: datetime | None


class ImpactAgent(Resource):
    agent_id: str
    name: str | None
    prompts: int


class ImpactApplication(Resource):
    application_id: str
    prompts: int


class ImpactScore(Resource):
    name: str
    count: int
    average: float
    lowest: float


class Impact(Resource):
    """Sessions, agents, scores and cost that depend on something."""

    related: dict[str, Any] = Field(description="The thing itself, and what belongs to it.")
    is_cut: bool = Field(description="There are more prompts than are looked at.")
    prompts: int
    sessions: int
    live_sessions: int
    responses: int
    errors: int = Field(description="Responses with an error.")
    cost_usd: float
    first_used_at: datetime | None
    last_used_at: datetime | None
    top_sessions: list[ImpactSession] = Field(description="Most prompts first.")
    agents: list[ImpactAgent] = Field(description="Most prompts first.")
    applications: list[ImpactApplication] = Field(description="Most prompts first.")
    scores: list[ImpactScore] = Field(description="By name.")
