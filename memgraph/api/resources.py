"""What requests and answers look like, derived from the classes of the graph and the events."""

from __future__ import annotations

from typing import Any

from pydantic import Field, create_model

from memgraph.api.schemas import RequestPart, Resource, page_of, request_of, resource_of
from memgraph.domain import events as ev
from memgraph.domain.events.base import Key
from memgraph.domain.events.conversation import SessionBody
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel

MODEL = GraphModel.of(NODE_CLASSES)
"""What the classes say, without the metadata that settings promote."""


class Link(Resource):
    """An outgoing relationship."""

    type: str = Field(description="Type of the relationship.")
    kind: str = Field(description="Kind of the node at its end.")
    id: str = Field(description="Id of the node at its end.")
    properties: dict[str, Any] = Field(description="What the relationship says.")


def _shown(label: str) -> type[Resource]:
    base = resource_of(MODEL.nodes[label])
    links: Any = (list[Link], Field(default=[], description="Where it points to."))
    return create_model(label, __base__=base, __doc__=base.__doc__, links=links)


Session = _shown("Session")
Prompt = _shown("Prompt")
Response = _shown("Response")
ToolInvocation = _shown("ToolInvocation")
SessionPage = page_of(Session)
PromptPage = page_of(Prompt)
ResponsePage = page_of(Response)
ToolInvocationPage = page_of(ToolInvocation)

NewPrompt = request_of(ev.PromptEvent, "NewPrompt", without=["session"])
NewResponse = request_of(ev.ResponseEvent, "NewResponse", without=["prompt_event_id"])
NewHandoff = request_of(ev.HandoffEvent, "NewHandoff", without=["response_id"])
NewScore = request_of(ev.ScoreEvent, "NewScore")
NewToolInvocation = request_of(
    ev.ToolEvent, "NewToolInvocation", without=["invocation_id", "response_id"]
)
ToolChange = request_of(ev.ToolEvent, "ToolChange", without=["invocation_id", "response_id"])


class NewSession(SessionBody):
    """A conversation or job that begins."""

    id: Key | None = Field(None, description="Key of your own; made for you when left out.")  # type: ignore[assignment]


class SessionChange(RequestPart):
    """What is new about a session. What is left out stays."""

    title: str | None = Field(None, max_length=1_000, description="What people call it.")
    tags: list[str] | None = Field(None, max_length=1_000, description="Free labels.")
    metadata: dict[str, Any] | None = Field(None, description="Free-form metadata.")
    is_active: bool | None = Field(None, description="`false` closes it, for good.")
