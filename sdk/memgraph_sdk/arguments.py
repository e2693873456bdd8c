# ruff: noqa
# fmt: off
"""What the methods of the client take: the fields of bodies and query strings.

Made from the operations of the service by `python -m memgraph.derive`: do not edit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, Required, TypeAlias, TypedDict


class AgentChange(TypedDict, total=False):
    config: AgentSettings | None
    """Settings of the agent."""
    event_id: str | None
    """Key of the change, which counts once; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    name: str | None
    role: str | None
    capabilities: list[str] | None
    model_id: str | None
    status: AgentStatus | None
    tags: list[str] | None
    metadata: dict[str, Any] | None


class AgentSettings(TypedDict, total=False):
    """Settings of an agent. What its framework knows besides is kept as it is."""
    temperature: float | None
    max_tokens: int | None
    timeout_seconds: int | None
    max_retries: int | None
    tools_enabled: list[str]


AgentStatus: TypeAlias = Literal["active", "idle", "busy", "paused", "terminated"]


class AsOf(TypedDict, total=False):
    """What was known at a time: what held then, of what had been recorded by then."""
    as_of: datetime | str | None
    """As it was then by the times of the events; else now."""
    recorded_as_of: datetime | str | None
    """Only what had arrived here by then; else all."""


ChangeKind: TypeAlias = Literal["prompt_submitted", "response_generated", "tool_invoked", "agent_handoff", "template_instantiated", "session_created", "session_closed", "node_created", "node_updated", "node_deleted", "edge_created"]


Classification: TypeAlias = Literal["public", "internal", "confidential", "restricted", "pii"]


class ConditionBody(TypedDict, total=False):
    """A field compared with a value."""
    field: Required[str]
    """A property of the kind, or `metadata.KEY` when promoted."""
    operator: Required[Operator]
    """`ne` is all that `eq` does not find. `contains`: a list has this member, a text has these
    words."""
    value: Any
    """Of the property's type; a list for `in`; true or false for `exists`."""


class Context(TypedDict, total=False):
    conversation_history: list[Message] | None
    documents: list[Document] | None
    retrieval_method: Literal["embedding", "keyword", "hybrid", "none"] | None


ContextKind: TypeAlias = Literal["document", "web_page", "database", "vector_search", "memory"]


class DeadLettersAsked(TypedDict, total=False):
    """Which letters."""
    source: str | None
    """Only of this door or file."""
    reason: str | None
    """Only with this reason."""
    after: str
    """Only after this id: the last one you have."""
    limit: int
    """Letters of one answer."""


class Document(TypedDict, total=False):
    id: Required[str]
    content: str | None
    relevance_score: float | None
    kind: ContextKind | None
    title: str | None
    uri: str | None
    chunk_id: str | None
    metadata: dict[str, Any] | None


FinishReason: TypeAlias = Literal["stop", "length", "content_filter", "function_call", "tool_calls", "error"]


class FunctionCall(TypedDict, total=False):
    name: Required[str]
    arguments: str | None


class Image(TypedDict, total=False):
    """A picture by address or inline; inline bytes are reduced to digest and size."""
    url: str | None
    base64: str | None
    mime_type: str | None


class ImpactParameters(TypedDict, total=False):
    limit: int
    """Prompts at most."""


class LineageParameters(TypedDict, total=False):
    direction: Literal["up", "down", "both"]
    """Where it came from, what came of it, or both."""
    depth: int | None
    """Steps followed."""


class ListParameters(TypedDict, total=False):
    limit: int
    """Items of a page."""
    cursor: str | None
    """`next_cursor` of the page."""
    created_after: datetime | str | None
    """Later than this."""
    created_before: datetime | str | None
    """Earlier than this."""
    order: Literal["asc", "desc"]
    """Of time."""
    explain: bool
    """Say how the nodes were found, too."""


class Message(TypedDict, total=False):
    role: Required[Literal["user", "assistant", "system", "tool", "developer"]]
    content: Required[str]


class Metrics(TypedDict, total=False):
    latency: int | None
    ttft: int | None
    throughput: float | None
    cost: float | None


Mode: TypeAlias = Literal["text", "vector", "hybrid"]


class ModelParameters(TypedDict, total=False):
    temperature: float | None
    top_p: float | None
    top_k: int | None
    max_tokens: int | None
    stop_sequences: list[str] | None
    presence_penalty: float | None
    frequency_penalty: float | None


class ModelRef(TypedDict, total=False):
    """The model that was asked or that answered."""
    id: Required[str]
    provider: str | None
    version: str | None
    parameters: ModelParameters | None


class ModelVersionBody(TypedDict, total=False):
    version: Required[str]
    previous_version: str | None
    input_usd_per_1k: float | None
    output_usd_per_1k: float | None
    valid_from: datetime | str | None
    released_at: datetime | str | None
    deprecated_at: datetime | str | None
    changelog: str | None
    is_deleted: bool | None
    metadata: dict[str, Any] | None


class NeighbourParameters(TypedDict, total=False):
    limit: int
    """Items of a page."""
    cursor: str | None
    """`next_cursor` of the page."""
    type: str | None
    """Only edges of this type."""
    direction: Way | None
    """Only edges that run this way."""


class NewAgent(TypedDict, total=False):
    id: str | None
    """Key of your own; made for you when left out."""
    config: AgentSettings | None
    """Settings of the agent."""
    event_id: str | None
    """Key of the change, which counts once; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    name: str | None
    role: str | None
    capabilities: list[str] | None
    model_id: str | None
    status: AgentStatus | None
    tags: list[str] | None
    metadata: dict[str, Any] | None


class NewApiKey(TypedDict, total=False):
    """A credential that is wanted."""
    name: Required[str]
    """What people call it."""
    roles: Required[list[Role]]
    """Roles it acts in."""
    scopes: list[Permission]
    """Permissions it is narrowed to; none: all of its roles."""
    expires_at: datetime | str | None
    """When it stops to work; else never."""


class NewHandoff(TypedDict, total=False):
    """A response handed the conversation over to an agent. Its key is the event id."""
    id: str | None
    """Key of your own; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    to_agent_id: Required[str]
    from_agent_id: str | None
    handoff_reason: str | None
    context_summary: str | None
    priority: Priority


class NewInstance(TypedDict, total=False):
    """A prompt was sent. Its key is the event id."""
    id: str | None
    """Key of your own; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    session_id: Required[str]
    """Session that the prompt belongs to."""
    version: str | None
    """The highest when left out."""
    bindings: dict[str, Any]
    """Variable name to value."""
    model: ModelRef | None
    context: Context | None
    tags: list[str] | None
    trace_context: TraceContext | None
    previous_prompt_id: str | None
    agent_id: str | None
    tools_available: list[str] | None
    token_count: int | None
    classification: Classification | None
    derived: list[str] | None


class NewModel(TypedDict, total=False):
    version: ModelVersionBody | None
    """A version with its prices."""
    event_id: str | None
    """Key of the change, which counts once; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    id: Required[str]
    provider: str | None
    family: str | None
    capabilities: list[str] | None
    context_window: int | None
    max_output_tokens: int | None
    training_cutoff: str | None
    released_at: datetime | str | None
    deprecated_at: datetime | str | None
    is_deleted: bool | None
    metadata: dict[str, Any] | None


class NewModelVersion(TypedDict, total=False):
    event_id: str | None
    """Key of the change, which counts once; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    version: Required[str]
    previous_version: str | None
    input_usd_per_1k: float | None
    output_usd_per_1k: float | None
    valid_from: datetime | str | None
    released_at: datetime | str | None
    deprecated_at: datetime | str | None
    changelog: str | None
    is_deleted: bool | None
    metadata: dict[str, Any] | None


class NewPrompt(TypedDict, total=False):
    """A prompt was sent. Its key is the event id."""
    id: str | None
    """Key of your own; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    user_id: str | None
    application_id: str | None
    purpose: Purpose | None
    prompt: Required[PromptBody]
    model: ModelRef | None
    context: Context | None
    tags: list[str] | None
    trace_context: TraceContext | None
    previous_prompt_id: str | None
    agent_id: str | None
    template: TemplateRef | None
    tools_available: list[str] | None
    token_count: int | None
    classification: Classification | None
    derived: list[str] | None


class NewResponse(TypedDict, total=False):
    """A response was generated. Its key is the event id."""
    id: str | None
    """Key of your own; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    response: Required[ResponseBody]
    model: ModelRef | None
    usage: Usage | None
    metrics: Metrics | None
    error: ResponseError | None
    informed_by: list[str] | None
    tags: list[str] | None
    trace_context: TraceContext | None
    classification: Classification | None
    derived: list[str] | None


class NewScore(TypedDict, total=False):
    """Something was judged. Its key is the event id."""
    id: str | None
    """Key of your own; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    name: Required[str]
    value: Required[float]
    source: ScoreSource
    comment: str | None
    response_id: str | None
    prompt_id: str | None
    session_id: str | None
    metadata: dict[str, Any] | None


class NewSession(TypedDict, total=False):
    id: str | None
    """Key of your own; made for you when left out."""
    event_id: str | None
    """Key of the change, which counts once; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    user_id: str | None
    application_id: str | None
    purpose: Purpose | None
    title: str | None
    tags: list[str] | None
    metadata: dict[str, Any] | None


class NewTemplate(TypedDict, total=False):
    id: str | None
    """Key of your own; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    version: str
    """Of the first version."""
    name: Required[str]
    text: Required[str]
    description: str | None
    variables: list[VariableSpec] | None
    author: str | None
    tags: list[str] | None
    parent: TemplateParent | None
    version_diff: str | None
    metadata: dict[str, Any] | None


class NewTemplateVersion(TypedDict, total=False):
    timestamp: datetime | str | None
    """When it happened; now by default."""
    bump: Required[VersionLevel]
    """Which part of the version is raised."""
    comment: str | None
    """What is new; kept in the metadata."""
    name: str | None
    text: str | None
    parent: TemplateParent | None
    """`null` ends the inheritance."""
    description: str | None
    variables: list[VariableSpec] | None
    author: str | None
    tags: list[str] | None
    version_diff: str | None
    metadata: dict[str, Any] | None


class NewToolInvocation(TypedDict, total=False):
    """A tool invocation began, was retried, or ended."""
    id: str | None
    """Key of your own; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    event_id: str | None
    """Key of the change, which counts once; made for you when left out."""
    tool_name: str | None
    parameters: Any | None
    result: Any | None
    error: str | None
    status: ToolStatus
    duration_ms: int | None
    retry_count: int | None
    invocation_order: int | None
    required: bool | None
    derived: list[str] | None
    metadata: dict[str, Any] | None


Operator: TypeAlias = Literal["eq", "ne", "lt", "lte", "gt", "gte", "in", "contains", "exists"]


Permission: TypeAlias = Literal["conversations:read", "conversations:write", "conversations:delete", "scores:write", "agents:read", "agents:write", "templates:read", "templates:write", "models:read", "models:write", "users:read", "statistics:read", "access:manage", "dead_letters:manage"]


Priority: TypeAlias = Literal["low", "normal", "high", "critical"]


class PromptBody(TypedDict, total=False):
    text: Required[str]
    template: str | None
    parameters: dict[str, Any] | None
    images: list[Image] | None
    metadata: dict[str, Any] | None


Purpose: TypeAlias = Literal["chat", "completion", "embedding", "fine_tune", "other"]


class Query(TypedDict, total=False):
    """A question with its page."""
    kind: Required[str]
    """Such as prompt, response, session, tool-invocation."""
    where: list[ConditionBody]
    related: list[RelatedBody]
    sort: SortBody | None
    """By key when left out."""
    limit: int
    """Nodes of a page."""
    cursor: str | None
    """`next_cursor` of the page."""
    count: bool
    """Count all nodes, too."""
    explain: bool
    """Say how the nodes were found, too."""


class RelatedBody(TypedDict, total=False):
    """An edge that each node must have."""
    type: Required[str]
    """Type of the edge, such as PART_OF."""
    kind: Required[str]
    """Kind of the node at the other end."""
    id: Required[str]
    """Its id, or ID@VERSION."""
    direction: Way | None
    """`out`: towards it. Needed when both exist."""


class ResponseBody(TypedDict, total=False):
    text: str | None
    finish_reason: FinishReason | None
    function_call: FunctionCall | None
    tool_calls: list[ToolCall] | None
    metadata: dict[str, Any] | None


class ResponseError(TypedDict, total=False):
    code: str | None
    message: str | None
    type: str | None
    recoverable: bool | None


Role: TypeAlias = Literal["service", "data_scientist", "ml_engineer", "compliance_officer", "admin"]


ScoreSource: TypeAlias = Literal["user", "evaluator", "benchmark"]


class SearchBody(TypedDict, total=False):
    """What to look for: words, a vector, or both."""
    text: str | None
    """Some of these words."""
    vector: list[float] | None
    """Of the same model."""
    mode: Mode | None
    """By what is sent when left out."""
    kind: str | None
    """Every kind that can be searched when left out."""
    where: list[ConditionBody]
    limit: int
    """Hits at most."""
    explain: bool
    """Say which indexes were asked, too."""


class SelectionBody(TypedDict, total=False):
    """Nodes of one kind that meet every condition and have every edge."""
    kind: Required[str]
    """Such as prompt, response, session, tool-invocation."""
    where: list[ConditionBody]
    related: list[RelatedBody]
    sort: SortBody | None
    """By key when left out."""


class SessionChange(TypedDict, total=False):
    is_active: bool | None
    """`false` closes it, for good."""
    event_id: str | None
    """Key of the change, which counts once; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    user_id: str | None
    application_id: str | None
    purpose: Purpose | None
    title: str | None
    tags: list[str] | None
    metadata: dict[str, Any] | None


class SessionParameters(TypedDict, total=False):
    limit: int
    """Items of a page."""
    cursor: str | None
    """`next_cursor` of the page."""
    created_after: datetime | str | None
    """Later than this."""
    created_before: datetime | str | None
    """Earlier than this."""
    order: Literal["asc", "desc"]
    """Of time."""
    explain: bool
    """Say how the nodes were found, too."""
    tags: list[str]
    """All of these labels."""
    purpose: Purpose | None
    """What the session is for."""
    is_active: bool | None
    """Open or closed."""


class SortBody(TypedDict, total=False):
    """The order of the nodes: a field that is a key or has an index, then the key."""
    field: Required[str]
    """Nodes that do not have the field are not selected."""
    direction: Literal["asc", "desc"]


class StreamParameters(TypedDict, total=False):
    """Which events, from where on."""
    session_id: str | None
    """Only of this session."""
    kind: ChangeKind | None
    """Only of this kind."""
    after: str | None
    """`id` of the last event that you have, as `Last-Event-ID`; `0-0`: from the oldest that is
    kept. What comes from now on when left out."""


class TaggedParameters(TypedDict, total=False):
    limit: int
    """Items of a page."""
    cursor: str | None
    """`next_cursor` of the page."""
    created_after: datetime | str | None
    """Later than this."""
    created_before: datetime | str | None
    """Earlier than this."""
    order: Literal["asc", "desc"]
    """Of time."""
    explain: bool
    """Say how the nodes were found, too."""
    tags: list[str]
    """All of these labels."""


class TemplateParameters(TypedDict, total=False):
    as_of: datetime | str | None
    """As it was then by the times of the events; else now."""
    recorded_as_of: datetime | str | None
    """Only what had arrived here by then; else all."""
    version: str | None
    """Such as 1.2.0; else the highest."""


class TemplateParent(TypedDict, total=False):
    id: Required[str]
    version: Required[str]


class TemplateRef(TypedDict, total=False):
    """The template version that a prompt was made from, with its values."""
    id: Required[str]
    version: Required[str]
    bindings: dict[str, Any] | None


class ThreadParameters(TypedDict, total=False):
    limit: int
    """Prompts at most."""


class ToolCall(TypedDict, total=False):
    id: Required[str]
    type: str | None
    function: Required[FunctionCall]
    required: bool | None


class ToolChange(TypedDict, total=False):
    """A tool invocation began, was retried, or ended."""
    event_id: str | None
    """Key of the change, which counts once; made for you when left out."""
    timestamp: datetime | str | None
    """When it happened; now by default."""
    tool_name: str | None
    parameters: Any | None
    result: Any | None
    error: str | None
    status: ToolStatus
    duration_ms: int | None
    retry_count: int | None
    invocation_order: int | None
    required: bool | None
    derived: list[str] | None
    metadata: dict[str, Any] | None


class ToolParameters(TypedDict, total=False):
    tool_name: str | None
    """Only this tool."""


ToolStatus: TypeAlias = Literal["pending", "success", "failed"]


class TraceContext(TypedDict, total=False):
    trace_id: str | None
    span_id: str | None
    parent_span_id: str | None


class Usage(TypedDict, total=False):
    prompt_tokens: Required[int]
    completion_tokens: Required[int]
    total_tokens: Required[int]
    cached_tokens: int | None


class VariableSpec(TypedDict, total=False):
    """A variable of a template. One with a default is never required."""
    name: Required[str]
    """Letter or underscore, then also digits, blanks, dots, hyphens."""
    type: Literal["string", "number", "integer", "boolean", "array", "object"]
    default: Any
    """Used when no value is bound."""
    required: bool
    pattern: str | None
    """Regular expression that the whole value, written as text, must match; no look-around, no back
    references."""
    description: str


VersionLevel: TypeAlias = Literal["major", "minor", "patch"]


Way: TypeAlias = Literal["out", "in"]
