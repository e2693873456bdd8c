"""What requests and answers look like, derived from the classes of the graph and the events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field, create_model

from memgraph.api.schemas import (
    OPTIONAL_EVENT,
    OPTIONAL_KEY,
    OPTIONAL_TIME,
    Resource,
    body_of,
    fields_of,
    page_of,
    request_of,
    resource_of,
)
from memgraph.domain import events as ev
from memgraph.domain.agents import AgentConfig
from memgraph.domain.events.base import Key, Metadata, Name, Note, Text, Version
from memgraph.domain.events.conversation import AgentBody, SessionBody, SessionRef
from memgraph.domain.events.registry import (
    ModelBody,
    ModelVersionBody,
    TemplateBody,
    TemplateParent,
)
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel
from memgraph.domain.templates import VersionLevel

MODEL = GraphModel.of(NODE_CLASSES)
"""What the classes say, without the metadata that settings promote."""


class Link(Resource):
    """An outgoing relationship."""

    type: str = Field(description="Type of the relationship.")
    kind: str = Field(description="Kind of the node at its end.")
    id: str = Field(description="Id of the node at its end.")
    properties: dict[str, Any] = Field(description="What the relationship says.")


def _shown(label: str, **more: Any) -> type[Resource]:
    base = resource_of(MODEL.nodes[label])
    links: Any = (list[Link], Field(default=[], description="Where it points to."))
    return create_model(label, __base__=base, __doc__=base.__doc__, links=links, **more)


class SessionSummary(Resource):
    """What a session adds up to now."""

    prompts: int
    responses: int
    errors: int = Field(description="Responses with an error.")
    tool_invocations: int
    failed_tool_invocations: int
    handoffs: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_usd: float
    first_prompt_at: datetime | None
    last_active_at: datetime | None = Field(description="Time of the newest prompt or response.")
    duration_ms: int | None = Field(description="From the first prompt on. Unit: ms.")


class AgentMetrics(Resource):
    """What an agent did, computed from its edges."""

    prompts: int = Field(description="Prompts it handled.")
    last_prompt_at: datetime | None
    responses: int
    errors: int = Field(description="Responses with an error.")
    average_latency_ms: float | None
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_usd: float
    handoffs_out: int = Field(description="Handoffs from it to others.")
    handoffs_in: int = Field(description="Handoffs to it.")
    is_cut: bool = Field(description="There were more prompts than are looked at.")


Session = _shown(
    "Session",
    summary=(SessionSummary | None, Field(None, description="Only when one session is read.")),
)
_METRICS: Any = (AgentMetrics | None, Field(None, description="How it does; not with `as_of`."))
Agent = _shown("Agent", metrics=_METRICS)
PromptTemplate = _shown("PromptTemplate")
ModelVersion = _shown("ModelVersion")
Model = _shown(
    "Model",
    version=(ModelVersion | None, Field(None, description="The version valid at that time.")),
)
ContextDocument = _shown("ContextDocument")
User = _shown("User")
Score = _shown("Score")
Prompt = _shown("Prompt")
Response = _shown("Response")
ToolInvocation = _shown("ToolInvocation")
SessionPage = page_of(Session)
PromptPage = page_of(Prompt)
ResponsePage = page_of(Response)
ToolInvocationPage = page_of(ToolInvocation)

SAID_OF_SESSIONS = fields_of(SessionRef, without=["id"])
"""What a prompt may say about its session; it stays a fact of the prompt."""
NewPrompt = request_of(ev.PromptEvent, "NewPrompt", without=["session"], **SAID_OF_SESSIONS)
NewResponse = request_of(ev.ResponseEvent, "NewResponse", without=["prompt_event_id"])
NewHandoff = request_of(ev.HandoffEvent, "NewHandoff", without=["response_id"])
NewScore = request_of(ev.ScoreEvent, "NewScore")
_MOMENT: Any = {"event_id": OPTIONAL_EVENT, "timestamp": OPTIONAL_TIME}
"""What changes something that lives may say which event it is, so that a replay is the same."""
NewToolInvocation = request_of(
    ev.ToolEvent, "NewToolInvocation", without=["invocation_id", "response_id"], **_MOMENT
)
ToolChange = body_of(
    ev.ToolEvent, "ToolChange", without=["type", "invocation_id", "response_id"], **_MOMENT
)


class AgentSettings(AgentConfig):
    """Settings of an agent. What its framework knows besides is kept as it is."""

    model_config = ConfigDict(extra="allow")


_AGENT_CONFIG: Any = (AgentSettings | None, Field(None, description="Settings of the agent."))
NewAgent = body_of(AgentBody, "NewAgent", id=OPTIONAL_KEY, config=_AGENT_CONFIG, **_MOMENT)
AgentChange = body_of(AgentBody, "AgentChange", without=["id"], config=_AGENT_CONFIG, **_MOMENT)
_OF_THE_SERVICE = ("origin", "previous_version", "override_sections", "depth")
NewTemplate = body_of(
    TemplateBody,
    "NewTemplate",
    without=_OF_THE_SERVICE,
    id=OPTIONAL_KEY,
    timestamp=OPTIONAL_TIME,
    version=(Version, Field("1.0.0", description="Of the first version.")),
)
NewTemplateVersion = body_of(
    TemplateBody,
    "NewTemplateVersion",
    without=[*_OF_THE_SERVICE, "id", "version"],
    timestamp=OPTIONAL_TIME,
    bump=(VersionLevel, Field(description="Which part of the version is raised.")),
    comment=(Note | None, Field(None, description="What is new; kept in the metadata.")),
    name=(Name | None, None),
    text=(Text | None, None),
    parent=(TemplateParent | None, Field(None, description="`null` ends the inheritance.")),
)
NewInstance = request_of(
    ev.PromptEvent,
    "NewInstance",
    without=["prompt", "session", "template"],
    session_id=(Key, Field(description="Session that the prompt belongs to.")),
    version=(Version | None, Field(None, description="The highest when left out.")),
    bindings=(Metadata, Field({}, description="Variable name to value.")),
)
_FIRST_VERSION: Any = (
    ModelVersionBody | None,
    Field(None, description="A version with its prices."),
)
NewModel = body_of(ModelBody, "NewModel", version=_FIRST_VERSION, **_MOMENT)
NewModelVersion = body_of(ModelVersionBody, "NewModelVersion", **_MOMENT)


NewSession = body_of(SessionBody, "NewSession", id=OPTIONAL_KEY, **_MOMENT)
_IS_ACTIVE: Any = (bool | None, Field(None, description="`false` closes it, for good."))
SessionChange = body_of(
    SessionBody, "SessionChange", without=["id"], is_active=_IS_ACTIVE, **_MOMENT
)
