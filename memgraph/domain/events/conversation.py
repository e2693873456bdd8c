"""Prompt, response, session, tool, agent, handoff and score events."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from memgraph.domain.events.base import (
    Amount,
    Count,
    EventBase,
    EventPart,
    Finite,
    Json,
    Key,
    Keys,
    Metadata,
    Name,
    Names,
    Note,
    Text,
    TraceContext,
    Version,
)
from memgraph.domain.values import (
    MAX_ITEMS,
    AgentStatus,
    Classification,
    ContextKind,
    FinishReason,
    Priority,
    Purpose,
    ScoreSource,
    ToolStatus,
)


class ModelParameters(EventPart):
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    stop_sequences: Names | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None


class ModelRef(EventPart):
    """The model that was asked or that answered."""

    id: Key
    provider: Name | None = None
    version: Name | None = None
    parameters: ModelParameters | None = None


class Image(EventPart):
    """A picture by address or inline; inline bytes are reduced to digest and size."""

    url: Name | None = None
    base64: Annotated[str, Field(max_length=20_000_000)] | None = None
    mime_type: Name | None = None


class PromptBody(EventPart):
    text: Annotated[Text, Field(min_length=1)]
    template: Text | None = None
    parameters: Metadata | None = None
    images: Annotated[list[Image], Field(max_length=MAX_ITEMS)] | None = None
    metadata: Metadata | None = None


class SessionRef(EventPart):
    """The session of a prompt; what is said here about it stays a fact of the prompt."""

    id: Key
    user_id: Key | None = None
    application_id: Key | None = None
    purpose: Purpose | None = None


class Message(EventPart):
    role: Literal["user", "assistant", "system", "tool", "developer"]
    content: Text


class Document(EventPart):
    id: Key
    content: Text | None = None
    relevance_score: Finite | None = None
    kind: ContextKind | None = None
    title: Name | None = None
    uri: Name | None = None
    chunk_id: Key | None = None
    metadata: Metadata | None = None


class Context(EventPart):
    conversation_history: Annotated[list[Message], Field(max_length=MAX_ITEMS)] | None = None
    documents: Annotated[list[Document], Field(max_length=MAX_ITEMS)] | None = None
    retrieval_method: Literal["embedding", "keyword", "hybrid", "none"] | None = None


class TemplateRef(EventPart):
    """The template version that a prompt was made from, with its values."""

    id: Key
    version: Version
    bindings: Metadata | None = None


class PromptEvent(EventBase):
    """A prompt was sent. Its key is the event id."""

    type: Literal["prompt"] = "prompt"
    prompt: PromptBody
    session: SessionRef
    model: ModelRef | None = None
    context: Context | None = None
    tags: Names | None = None
    trace_context: TraceContext | None = None
    previous_prompt_id: Key | None = None
    agent_id: Key | None = None
    template: TemplateRef | None = None
    tools_available: Names | None = None
    token_count: Count | None = None
    classification: Classification | None = None
    derived: Names | None = None


class FunctionCall(EventPart):
    name: Name
    arguments: Text | None = None


class ToolCall(EventPart):
    id: Key
    type: Name | None = None
    function: FunctionCall
    required: bool | None = None


class ResponseBody(EventPart):
    text: Text | None = None
    finish_reason: FinishReason | None = None
    function_call: FunctionCall | None = None
    tool_calls: Annotated[list[ToolCall], Field(max_length=MAX_ITEMS)] | None = None
    metadata: Metadata | None = None


class Usage(EventPart):
    prompt_tokens: Count
    completion_tokens: Count
    total_tokens: Count
    cached_tokens: Count | None = None


class Metrics(EventPart):
    latency: Count | None = None
    ttft: Count | None = None
    throughput: Amount | None = None
    cost: Amount | None = None


class ResponseError(EventPart):
    code: Name | None = None
    message: Note | None = None
    type: Name | None = None
    recoverable: bool | None = None


class ResponseEvent(EventBase):
    """A response was generated. Its key is the event id."""

    type: Literal["response"] = "response"
    prompt_event_id: Key
    response: ResponseBody
    model: ModelRef | None = None
    usage: Usage | None = None
    metrics: Metrics | None = None
    error: ResponseError | None = None
    informed_by: Keys | None = None
    tags: Names | None = None
    trace_context: TraceContext | None = None
    classification: Classification | None = None
    derived: Names | None = None


class SessionBody(SessionRef):
    title: Name | None = None
    tags: Names | None = None
    metadata: Metadata | None = None


class SessionEvent(EventBase):
    """A session was created, changed or closed."""

    type: Literal["session"] = "session"
    action: Literal["created", "updated", "closed"] = "updated"
    session: SessionBody
    derived: Names | None = None


class ToolEvent(EventBase):
    """A tool invocation began, was retried, or ended."""

    type: Literal["tool"] = "tool"
    invocation_id: Key
    response_id: Key | None = None
    tool_name: Name | None = None
    parameters: Json | None = None
    result: Json | None = None
    error: Note | None = None
    status: ToolStatus = ToolStatus.PENDING
    duration_ms: Count | None = None
    retry_count: Count | None = None
    invocation_order: Count | None = None
    required: bool | None = None
    derived: Names | None = None
    metadata: Metadata | None = None


class AgentBody(EventPart):
    id: Key
    name: Name | None = None
    role: Name | None = None
    capabilities: Names | None = None
    model_id: Key | None = None
    status: AgentStatus | None = None
    config: Metadata | None = None
    tags: Names | None = None
    metadata: Metadata | None = None


class AgentEvent(EventBase):
    """An agent was registered or changed."""

    type: Literal["agent"] = "agent"
    agent: AgentBody


class HandoffEvent(EventBase):
    """A response handed the conversation over to an agent. Its key is the event id."""

    type: Literal["handoff"] = "handoff"
    response_id: Key
    to_agent_id: Key
    from_agent_id: Key | None = None
    handoff_reason: Note | None = None
    context_summary: Text | None = None
    priority: Priority = Priority.NORMAL


class ScoreEvent(EventBase):
    """Something was judged. Its key is the event id."""

    type: Literal["score"] = "score"
    name: Name
    value: Finite
    source: ScoreSource = ScoreSource.EVALUATOR
    comment: Note | None = None
    response_id: Key | None = None
    prompt_id: Key | None = None
    session_id: Key | None = None
    metadata: Metadata | None = None

    @model_validator(mode="after")
    def _one_target(self) -> ScoreEvent:
        targets = (self.response_id, self.prompt_id, self.session_id)
        if sum(target is not None for target in targets) != 1:
            raise PydanticCustomError(
                "score_target", "needs exactly one of response_id, prompt_id, session_id"
            )
        return self


__all__ = [
    "AgentEvent",
    "HandoffEvent",
    "PromptEvent",
    "ResponseEvent",
    "ScoreEvent",
    "SessionEvent",
    "ToolEvent",
]
