# ruff: noqa
# fmt: off
"""What the service answers.

Made from the operations of the service by `python -m memgraph.derive`: do not edit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from memgraph_sdk.result import Result


class Agent(Result):
    """An agent, or a human desk. Its running metrics are computed from its edges."""
    agent_id: str
    """Key of the agent."""
    created_at: datetime | None = None
    """When it happened or was first named, UTC."""
    updated_at: datetime | None = None
    """Time of the newest event that said more."""
    name: str | None = None
    """gen_ai.agent.name."""
    role: str | None = None
    """Specialisation, such as researcher."""
    capabilities: list[str] | None = None
    """What it can do."""
    model_id: str | None = None
    """Model it works with."""
    status: str | None = None
    """Where it is in its life."""
    config: Any = None
    """temperature, max_tokens, timeout_seconds, tools_enabled, …"""
    tags: list[str] | None = None
    """Free labels."""
    last_active_at: datetime | None = None
    """Last sign of life, UTC."""
    metadata: Any = None
    """Free-form metadata."""
    links: list[Link] = []
    """Where it points to."""
    metrics: AgentMetrics | None = None
    """How it does; not with `as_of`."""


class AgentLoop(Result):
    """Agents that hand over in a circle."""
    agent_ids: list[str]
    """Each once, in order; the last hands to the first."""
    handoffs: int
    """Of the pair with the fewest."""


class AgentMetrics(Result):
    """What an agent did, computed from its edges."""
    prompts: int
    """Prompts it handled."""
    last_prompt_at: datetime | None
    responses: int
    errors: int
    """Responses with an error."""
    average_latency_ms: float | None
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_usd: float
    handoffs_out: int
    """Handoffs from it to others."""
    handoffs_in: int
    """Handoffs to it."""
    is_cut: bool
    """There were more prompts than are looked at."""


class AgentNetwork(Result):
    """Pairs of agents by handoffs, loops shortest first, bottlenecks worst first."""
    pairs: list[AgentPair]
    loops: list[AgentLoop]
    loops_are_cut: bool
    """There are more loops than are listed."""
    bottlenecks: list[Bottleneck]


class AgentPair(Result):
    """Handoffs from one agent to another."""
    from_agent_id: str | None
    to_agent_id: str
    handoffs: int
    urgent: int
    """Of high or critical priority."""
    average_seconds: float | None
    """From the prompt to the handoff."""
    average_wait_seconds: float | None
    """From the handoff to the next prompt."""
    reasons: list[str]
    """The newest reasons."""
    is_returned: bool
    """The other one hands back."""


class ApiKey(Result):
    """A credential of a tenant. Of the secret only the SHA-256 is kept."""
    key_id: str
    """Part of the key that is no secret."""
    created_at: datetime | None = None
    """When it happened or was first named, UTC."""
    name: str | None = None
    """What people call it."""
    roles: list[str] | None = None
    """Roles it acts in."""
    scopes: list[str] | None = None
    """Permissions it is narrowed to; none: all of its roles."""
    expires_at: datetime | None = None
    """When it stops to work, UTC."""
    revoked_at: datetime | None = None
    """When it was revoked, UTC."""


class ApiKeys(Result):
    """The keys of the tenant, newest first."""
    items: list[ApiKey]


class BatchOutcome(Result):
    """What became of a body of events: the four counts add up to the first."""
    received: int
    """Events of the body."""
    stored: int
    """Events that changed the graph."""
    duplicate: int
    """Events that were known already."""
    rejected: int
    """Events that break a rule: mend them and send them again."""
    dead_lettered: int
    """Events kept aside, such as conflicts with known facts."""
    items: list[ItemOutcome]
    """One for each event, in the order of the body."""


class Bottleneck(Result):
    """What comes to an agent and what it hands on."""
    agent_id: str
    received: int
    handed_on: int
    kept: int
    """Received and not handed on."""
    average_wait_seconds: float | None


class ContextDocument(Result):
    """A document, page, row, search hit or memory that a prompt was given."""
    context_id: str
    """Key of the document or chunk."""
    created_at: datetime | None = None
    """When it happened or was first named, UTC."""
    updated_at: datetime | None = None
    """Time of the newest event that said more."""
    title: str | None = None
    """What people call it."""
    kind: str | None = None
    """What it is."""
    uri: str | None = None
    """Where it lies; never fetched."""
    chunk_id: str | None = None
    """Part of the document."""
    text_sha256: str | None = None
    """SHA-256 of the content, hex."""
    text_length: int | None = None
    """Length of the content. Unit: characters."""
    metadata: Any = None
    """Free-form metadata."""
    links: list[Link] = []
    """Where it points to."""


class Count(Result):
    """How many nodes there are."""
    value: int
    relation: str


class Counts(Result):
    """How much there is."""
    nodes: dict[str, int]
    """By label."""
    relationships: dict[str, int]
    """By type."""


class Created(Result):
    """What was recorded, and whether it was new."""
    id: str
    """Key of what was recorded."""
    outcome: str
    """`stored`, or `duplicate` when it was known already."""


class DeadLetter(Result):
    """An event that could not be stored, with the reason and its original bytes."""
    dead_letter_id: str
    """SHA-256 of source, reason and bytes, hex: the same event once."""
    created_at: datetime | None = None
    """When it happened or was first named, UTC."""
    source: str | None = None
    """Door or file it came in by."""
    reason: str | None = None
    """Code of the error."""
    stage: str | None = None
    """Step that refused it."""
    detail: Any = None
    """Named facts of the error, such as the two digests."""
    payload: str | None = None
    """The original bytes, base64."""
    attempts: int | None = None
    """How often it was tried."""
    updated_at: datetime | None = None
    """When it was last tried, UTC."""


class DeadLetters(Result):
    """Dead letters in the order of their ids, without what they hold."""
    items: list[DeadLetter]


class Follows(Result):
    """The prompt before."""
    prompt_id: str
    gap_ms: int | None
    stated: bool | None
    """The sender named it; else it is by time."""
    session_id: str | None


class Found(Result):
    """A page of nodes."""
    items: list[dict[str, Any]]
    """Properties of the nodes, vectors left out."""
    next_cursor: str | None
    """Send it as `cursor`; none: the last page."""
    count: Count | None = None
    """When asked for."""
    plan: Plan | None = None
    """When asked for."""


class Genealogy(Result):
    """The versions of a template in the order in which they were registered."""
    items: list[GenealogyItem]


class GenealogyItem(Result):
    """A version with its parent, children, use, cost and scores."""
    version: str


class Impact(Result):
    """Sessions, agents, scores and cost that depend on something."""
    related: dict[str, Any]
    """The thing itself, and what belongs to it."""
    is_cut: bool
    """There are more prompts than are looked at."""
    prompts: int
    sessions: int
    live_sessions: int
    responses: int
    errors: int
    """Responses with an error."""
    cost_usd: float
    first_used_at: datetime | None
    last_used_at: datetime | None
    top_sessions: list[ImpactSession]
    """Most prompts first."""
    agents: list[ImpactAgent]
    """Most prompts first."""
    applications: list[ImpactApplication]
    """Most prompts first."""
    scores: list[ImpactScore]
    """By name."""


class ImpactAgent(Result):
    agent_id: str
    name: str | None
    prompts: int


class ImpactApplication(Result):
    application_id: str
    prompts: int


class ImpactScore(Result):
    name: str
    count: int
    average: float
    lowest: float


class ImpactSession(Result):
    session_id: str
    title: str | None
    is_active: bool | None
    prompts: int
    last_used_at: datetime | None


class Instance(Result):
    """The prompt that was made from a template."""
    id: str
    """Key of what was recorded."""
    outcome: str
    """`stored`, or `duplicate` when it was known already."""
    template_id: str
    version: str
    text: str
    """The template with its values filled in."""


class IssuedApiKey(Result):
    """A new credential with its secret."""
    key_id: str
    """Part of the key that is no secret."""
    created_at: datetime | None = None
    """When it happened or was first named, UTC."""
    name: str | None = None
    """What people call it."""
    roles: list[str] | None = None
    """Roles it acts in."""
    scopes: list[str] | None = None
    """Permissions it is narrowed to; none: all of its roles."""
    expires_at: datetime | None = None
    """When it stops to work, UTC."""
    revoked_at: datetime | None = None
    """When it was revoked, UTC."""
    api_key: str
    """Send it as `Authorization: Bearer`. It is not shown again."""


class ItemOutcome(Result):
    """What became of one event."""
    event_id: str | None
    """Its id; null when it could not be read."""
    outcome: str
    """What became of it."""
    problem: ItemProblem | None = None
    """Why it was not stored."""


class ItemProblem(Result):
    """Why an event was not stored."""
    code: str
    """Code of the error."""
    detail: str
    """The field and the rule, never what was sent."""
    stage: str
    """The step of the pipeline that says so."""


class Line(Result):
    """A node; at the end `done` with the count, or what went wrong. Neither: it was cut off."""
    done: bool | None = None
    count: int | None = None
    problem: dict[str, Any] | None = None


class Lineage(Result):
    """Nodes and edges from a root; `cuts` says which bound kept something out."""
    root: str
    """Node that was asked about."""
    nodes: list[LineageNode]
    """Nearest first."""
    edges: list[LineageEdge]
    """Between the nodes."""
    cuts: list[str]
    """Of `depth`, `fan_out`, `nodes`; none: this is all."""


class LineageEdge(Result):
    """A step of a lineage."""
    from_: str = Field(alias="from")
    """The end that was reached first."""
    type: str
    """Type of the relationship."""
    start: str
    """Node it runs from."""
    end: str
    """Node it runs to."""
    properties: dict[str, Any]
    """What it says."""
    is_inferred: bool
    """Nobody said it: it follows from the order."""


class LineageNode(Result):
    """A node of a lineage; long texts are cut."""
    id: str
    """Names the node within this answer."""
    labels: list[str]
    """Its class, and what else it is."""
    properties: dict[str, Any]
    """Its key, and what people look at."""
    session_id: str | None
    """Session of a prompt."""
    price: Price | None
    """What the model of a response cost then."""


class Link(Result):
    """An outgoing relationship."""
    type: str
    """Type of the relationship."""
    kind: str
    """Kind of the node at its end."""
    id: str
    """Id of the node at its end."""
    properties: dict[str, Any]
    """What the relationship says."""


class Model(Result):
    """A model by the name that callers use."""
    model_id: str
    """Key of the model: gen_ai.request.model."""
    created_at: datetime | None = None
    """When it happened or was first named, UTC."""
    updated_at: datetime | None = None
    """Time of the newest event that said more."""
    provider: str | None = None
    """gen_ai.provider.name."""
    family: str | None = None
    """Line of models it belongs to."""
    capabilities: list[str] | None = None
    """chat, vision, tools, …"""
    context_window: int | None = None
    """Longest input and output. Unit: tokens."""
    max_output_tokens: int | None = None
    """Longest output. Unit: tokens."""
    training_cutoff: str | None = None
    """Date of the newest training data, ISO 8601."""
    released_at: datetime | None = None
    """When it was released, UTC."""
    deprecated_at: datetime | None = None
    """When it was or will be retired, UTC."""
    is_deleted: bool | None = None
    """Deleted in the registry; kept for lineage."""
    metadata: Any = None
    """Free-form metadata."""
    links: list[Link] = []
    """Where it points to."""
    version: ModelVersion | None = None
    """The version valid at that time."""


class ModelVersion(Result):
    """A version of a model with its prices; a new price is a new version."""
    model_id: str
    """Key of the model."""
    version: str
    """Version as the registry names it."""
    created_at: datetime | None = None
    """When it happened or was first named, UTC."""
    updated_at: datetime | None = None
    """Time of the newest event that said more."""
    input_usd_per_1k: float | None = None
    """Price of input tokens. Unit: USD/1000 tokens."""
    output_usd_per_1k: float | None = None
    """Price of output tokens. Unit: USD/1000 tokens."""
    valid_from: datetime | None = None
    """From when the prices hold, UTC."""
    released_at: datetime | None = None
    """When it was released, UTC."""
    deprecated_at: datetime | None = None
    """When it was or will be retired, UTC."""
    changelog: str | None = None
    """What is new."""
    is_deleted: bool | None = None
    """Deleted in the registry; kept for lineage."""
    metadata: Any = None
    """Free-form metadata."""
    links: list[Link] = []
    """Where it points to."""


class ModelVersions(Result):
    """The versions of a model, latest `valid_from` first."""
    items: list[ModelVersion]


class Neighbour(Result):
    """An edge with the node at its other end."""
    type: str
    direction: str
    kind: str
    id: str
    properties: dict[str, Any]
    """What the edge says."""
    node: dict[str, Any]


class Neighbours(Result):
    """A page of edges, by type, direction, kind and key."""
    items: list[Neighbour]
    next_cursor: str | None


class Plan(Result):
    """How the nodes were found."""
    access: str
    index: str
    """The index that was entered."""
    statement: str | None = None
    """Name of the statement in traces."""


class Price(Result):
    """What is shown of a ModelVersion."""
    version: str
    """Version as the registry names it."""
    input_usd_per_1k: float | None
    """Price of input tokens. Unit: USD/1000 tokens."""
    output_usd_per_1k: float | None
    """Price of output tokens. Unit: USD/1000 tokens."""
    valid_from: datetime | None
    """From when the prices hold, UTC."""


class Prompt(Result):
    """What was asked of a model, once. Text is stored once, here or behind content_ref."""
    prompt_id: str
    """Key of the prompt: its event id."""
    created_at: datetime | None = None
    """When it was sent, UTC."""
    text: str | None = None
    """The text, unless its classification keeps it out of the graph."""
    content_ref: str | None = None
    """vault://<classification>/<kind>/<id> when the text is kept elsewhere."""
    text_sha256: str | None = None
    """SHA-256 of the UTF-8 text, hex."""
    text_length: int | None = None
    """Length of the text. Unit: characters."""
    language: str | None = None
    """ISO 639-1 code."""
    provider: str | None = None
    """gen_ai.provider.name as sent."""
    model_id: str | None = None
    """Model as sent."""
    classification: str | None = None
    """Who may read it."""
    has_pii: bool | None = None
    """Personal data was found."""
    pii_kinds: list[str] | None = None
    """Kinds of personal data found."""
    anomaly_kinds: list[str] | None = None
    """Kinds of anomaly flagged by the nightly job."""
    computed_properties: list[str] | None = None
    """Properties that enrichment computed because no sender said them."""
    enrichment_pending: str | None = None
    """Properties that enrichment could not add yet, separated by spaces."""
    tags: list[str] | None = None
    """Free labels."""
    trace_id: str | None = None
    """W3C trace id, hex."""
    span_id: str | None = None
    """W3C span id, hex."""
    parent_span_id: str | None = None
    """W3C span id of the parent, hex."""
    derived_properties: list[str] | None = None
    """Properties that an importer derived and no sender said."""
    metadata: Any = None
    """Free-form metadata."""
    token_count: int | None = None
    """Tokens of the text. Unit: tokens."""
    token_count_estimated: bool | None = None
    """The tokens were counted as another model would."""
    matched_template: str | None = None
    """Registered template that the text fits, as template_id@version."""
    user_id: str | None = None
    """User as this prompt's sender said."""
    application_id: str | None = None
    """Application as this prompt's sender said."""
    purpose: str | None = None
    """Purpose as this prompt's sender said."""
    model_version: str | None = None
    """Model version as sent."""
    temperature: float | None = None
    """Sampling temperature, 0 to 2."""
    top_p: float | None = None
    """Nucleus sampling, 0 to 1."""
    top_k: int | None = None
    """Candidates per token."""
    max_tokens: int | None = None
    """Limit on the answer. Unit: tokens."""
    stop_sequences: list[str] | None = None
    """Texts that end the answer."""
    presence_penalty: float | None = None
    """-2 to 2."""
    frequency_penalty: float | None = None
    """-2 to 2."""
    tools_available: list[str] | None = None
    """Tools that could be called."""
    template_text: str | None = None
    """Template as sent along, with {{variables}}."""
    template_parameters: Any = None
    """Values for the template as sent along."""
    retrieval_method: str | None = None
    """How the context documents were found."""
    images: Any = None
    """References to images; never fetched."""
    history: Any = None
    """Earlier messages that were sent along."""
    embedding: list[float] | None = None
    """Vector of the text, on canonical prompts only."""
    embedding_model: str | None = None
    """Model that made the vector."""
    cluster_id: str | None = None
    """Family of similar prompts."""
    links: list[Link] = []
    """Where it points to."""


class PromptPage(Result):
    """A page of a list."""
    items: list[Prompt]
    """In the order of the list."""
    next_cursor: str | None = None
    """Send it as `cursor` for the next page; none: the last."""


class PromptTemplate(Result):
    """One version of a prompt template; versions form a chain, parents a tree."""
    template_id: str
    """Key of the template."""
    version: str
    """Semantic version, such as 1.2.0."""
    created_at: datetime | None = None
    """When it happened or was first named, UTC."""
    name: str | None = None
    """What people call it."""
    description: str | None = None
    """What it is for."""
    template_text: str | None = None
    """Text with {{variable}} and {{#section}} marks."""
    text_sha256: str | None = None
    """SHA-256 of the UTF-8 text, hex."""
    variables: Any = None
    """List of {name, type, required, default, pattern, description}."""
    author: str | None = None
    """Who wrote this version."""
    tags: list[str] | None = None
    """Free labels."""
    origin: str | None = None
    """Registered by people or mined."""
    usage_count: int | None = None
    """Prompts made from it when the hourly job last counted."""
    metadata: Any = None
    """Free-form metadata."""
    links: list[Link] = []
    """Where it points to."""


class Rates(Result):
    """Token buckets. The `limits` of a tenant may say otherwise for it and its clients."""
    client_per_s: float = 100.0
    """Requests of one credential a second."""
    client_burst: int = 200
    """Requests of one credential at once."""
    tenant_per_s: float = 10000.0
    """Requests of one tenant a second."""
    tenant_burst: int = 20000
    """Requests of one tenant at once."""


class ReadDeadLetter(Result):
    """A dead letter with what it holds."""
    dead_letter_id: str
    """SHA-256 of source, reason and bytes, hex: the same event once."""
    created_at: datetime | None = None
    """When it happened or was first named, UTC."""
    source: str | None = None
    """Door or file it came in by."""
    reason: str | None = None
    """Code of the error."""
    stage: str | None = None
    """Step that refused it."""
    detail: Any = None
    """Named facts of the error, such as the two digests."""
    payload: str | None = None
    """The original bytes, base64."""
    attempts: int | None = None
    """How often it was tried."""
    updated_at: datetime | None = None
    """When it was last tried, UTC."""
    content: str
    """The event as it came in."""


class Replayed(Result):
    """What became of a letter that was tried again."""
    received: int
    """Letters tried."""
    stored: int
    """Letters that are stored now, and gone."""
    duplicate: int
    """Letters that were known meanwhile, and gone."""
    rejected: int
    """Always 0: what is not taken stays a letter."""
    dead_lettered: int
    """Letters that stay."""


class Response(Result):
    """What a model answered. An agent loop gives several responses to one prompt."""
    response_id: str
    """Key of the response: its event id."""
    created_at: datetime | None = None
    """When it was complete, UTC."""
    text: str | None = None
    """The text, unless its classification keeps it out of the graph."""
    content_ref: str | None = None
    """vault://<classification>/<kind>/<id> when the text is kept elsewhere."""
    text_sha256: str | None = None
    """SHA-256 of the UTF-8 text, hex."""
    text_length: int | None = None
    """Length of the text. Unit: characters."""
    language: str | None = None
    """ISO 639-1 code."""
    provider: str | None = None
    """gen_ai.provider.name as sent."""
    model_id: str | None = None
    """Model as sent."""
    classification: str | None = None
    """Who may read it."""
    has_pii: bool | None = None
    """Personal data was found."""
    pii_kinds: list[str] | None = None
    """Kinds of personal data found."""
    anomaly_kinds: list[str] | None = None
    """Kinds of anomaly flagged by the nightly job."""
    computed_properties: list[str] | None = None
    """Properties that enrichment computed because no sender said them."""
    enrichment_pending: str | None = None
    """Properties that enrichment could not add yet, separated by spaces."""
    tags: list[str] | None = None
    """Free labels."""
    trace_id: str | None = None
    """W3C trace id, hex."""
    span_id: str | None = None
    """W3C span id, hex."""
    parent_span_id: str | None = None
    """W3C span id of the parent, hex."""
    derived_properties: list[str] | None = None
    """Properties that an importer derived and no sender said."""
    metadata: Any = None
    """Free-form metadata."""
    finish_reason: str | None = None
    """Why the model stopped."""
    prompt_tokens: int | None = None
    """Input tokens. Unit: tokens."""
    completion_tokens: int | None = None
    """Output tokens. Unit: tokens."""
    total_tokens: int | None = None
    """Input and output tokens. Unit: tokens."""
    cached_tokens: int | None = None
    """Input tokens read from a cache. Unit: tokens."""
    latency_ms: int | None = None
    """From request to last token. Unit: ms."""
    ttft_ms: int | None = None
    """From request to first token. Unit: ms."""
    tokens_per_second: float | None = None
    """Output rate. Unit: tokens/s."""
    cost_usd: float | None = None
    """Cost at the price of that time. Unit: USD."""
    error_code: str | None = None
    """Error code as sent."""
    error_message: str | None = None
    """Error message as sent."""
    error_type: str | None = None
    """error.type as sent."""
    error_recoverable: bool | None = None
    """The sender holds that a retry may help."""
    links: list[Link] = []
    """Where it points to."""


class ResponsePage(Result):
    """A page of a list."""
    items: list[Response]
    """In the order of the list."""
    next_cursor: str | None = None
    """Send it as `cursor` for the next page; none: the last."""


class Score(Result):
    """A judgement of a response, a prompt or a session."""
    score_id: str
    """Key of the score."""
    created_at: datetime | None = None
    """When it happened or was first named, UTC."""
    name: str | None = None
    """What was judged, such as reward."""
    value: float | None = None
    """The judgement."""
    source: str | None = None
    """Who judged."""
    comment: str | None = None
    """Why."""
    metadata: Any = None
    """Free-form metadata."""
    links: list[Link] = []
    """Where it points to."""


class SearchHit(Result):
    kind: str
    id: str
    score: float
    """By vector the cosine, else the sum of 1 / (60 + rank)."""
    node: dict[str, Any]


class SearchHits(Result):
    """The best hits, best first."""
    mode: str
    items: list[SearchHit]
    plan: list[Plan] | None = None
    """When asked for."""


class Session(Result):
    """One conversation or job. Counts, tokens and cost are computed when read."""
    session_id: str
    """Key of the session."""
    created_at: datetime | None = None
    """When it began or was first named, UTC."""
    updated_at: datetime | None = None
    """Time of the newest event that said more."""
    title: str | None = None
    """What people call it."""
    purpose: str | None = None
    """What the session is for."""
    is_active: bool | None = None
    """Open for further prompts."""
    closed_at: datetime | None = None
    """When it was closed, UTC."""
    tags: list[str] | None = None
    """Free labels."""
    derived_properties: list[str] | None = None
    """Properties that an importer derived and no sender said."""
    metadata: Any = None
    """Free-form metadata."""
    links: list[Link] = []
    """Where it points to."""
    summary: SessionSummary | None = None
    """Only when one session is read."""


class SessionPage(Result):
    """A page of a list."""
    items: list[Session]
    """In the order of the list."""
    next_cursor: str | None = None
    """Send it as `cursor` for the next page; none: the last."""


class SessionSummary(Result):
    """What a session adds up to now."""
    prompts: int
    responses: int
    errors: int
    """Responses with an error."""
    tool_invocations: int
    failed_tool_invocations: int
    handoffs: int
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost_usd: float
    first_prompt_at: datetime | None
    last_active_at: datetime | None
    """Time of the newest prompt or response."""
    duration_ms: int | None
    """From the first prompt on. Unit: ms."""


class StreamedChange(Result):
    """The data of an event: ids and figures, never content. More fields by kind."""
    id: str
    """The same when the event comes again."""
    kind: str
    tenant_id: str
    key: str
    """Events of one key come in order."""
    occurred_at: str
    node_type: str
    node_id: str
    session_id: str | None
    """The session it belongs to, if it is known."""


class TelemetryOutcome(Result):
    """What became of a batch of telemetry."""
    batch_id: str | None
    """As sent."""
    status: str
    """`accepted`, or `partial` when some events failed."""
    processed_count: int
    """Events that are stored, or were already."""
    failed_count: int
    """Events that were rejected or kept aside."""
    processing_time_ms: int
    """From the first event to the commit, ms."""
    failures: list[ItemOutcome]
    """The events that failed."""


class TemplateVersionItem(Result):
    """A version of a template, in short."""
    version: str
    previous_version: str | None
    name: str | None
    author: str | None
    created_at: datetime
    recorded_at: datetime
    """When it arrived here."""
    comment: str | None
    """What was new."""


class TemplateVersions(Result):
    """The versions of a template, the highest first."""
    items: list[TemplateVersionItem]


class TenantSummary(Result):
    """The tenant of the caller."""
    tenant_id: str
    name: str | None
    created_at: datetime | None
    """None: it has neither data nor a name yet."""
    limits: Rates
    """In force; an operator may give a tenant its own."""
    pii_policy: str
    """What happens to personal data in what it sends; an operator says so."""


class Thread(Result):
    """A session with its prompts, responses, tools, handoffs, costs and scores, in order."""
    session: ThreadSession
    """What is said of the session."""
    users: list[str]
    """Ids of who started it."""
    applications: list[str]
    """Ids of where it took place."""
    scores: list[ThreadScore]
    """Of the session as a whole."""
    prompts: list[ThreadPrompt]
    """In order of time."""
    is_cut: bool
    """There are more prompts."""


class ThreadDocument(Result):
    """What is shown of a ContextDocument."""
    context_id: str
    """Key of the document or chunk."""
    title: str | None
    """What people call it."""
    relevance_score: float | None
    """As the retrieval scored it."""


class ThreadHandoff(Result):
    """A handoff to an agent."""
    agent_id: str
    name: str | None
    handoff_reason: str | None
    priority: str | None
    context_summary: str | None


class ThreadPrompt(Result):
    """What is shown of a Prompt."""
    prompt_id: str
    """Key of the prompt: its event id."""
    created_at: datetime | None
    """When it was sent, UTC."""
    text: str | None
    """The text, unless its classification keeps it out of the graph."""
    content_ref: str | None
    """vault://<classification>/<kind>/<id> when the text is kept elsewhere."""
    token_count: int | None
    """Tokens of the text. Unit: tokens."""
    has_pii: bool | None
    """Personal data was found."""
    tags: list[str] | None
    """Free labels."""
    follows: Follows | None
    """None: it is the first."""
    agent: str | None
    """Name of the agent that handled it, else its id."""
    template: ThreadTemplate | None
    """It was made from."""
    documents: list[ThreadDocument]
    """By rank."""
    scores: list[ThreadScore]
    """In order of time."""
    responses: list[ThreadResponse]
    """In order of time."""


class ThreadResponse(Result):
    """What is shown of a Response."""
    response_id: str
    """Key of the response: its event id."""
    created_at: datetime | None
    """When it was complete, UTC."""
    text: str | None
    """The text, unless its classification keeps it out of the graph."""
    content_ref: str | None
    """vault://<classification>/<kind>/<id> when the text is kept elsewhere."""
    model_id: str | None
    """Model as sent."""
    finish_reason: str | None
    """Why the model stopped."""
    prompt_tokens: int | None
    """Input tokens. Unit: tokens."""
    completion_tokens: int | None
    """Output tokens. Unit: tokens."""
    total_tokens: int | None
    """Input and output tokens. Unit: tokens."""
    latency_ms: int | None
    """From request to last token. Unit: ms."""
    ttft_ms: int | None
    """From request to first token. Unit: ms."""
    cost_usd: float | None
    """Cost at the price of that time. Unit: USD."""
    error_type: str | None
    """error.type as sent."""
    error_message: str | None
    """Error message as sent."""
    tags: list[str] | None
    """Free labels."""
    derived_properties: list[str] | None
    """Properties that an importer derived and no sender said."""
    tools: list[ThreadTool]
    """Calls of tools, in order."""
    informed_by: list[str]
    """Tool invocations whose results it had read."""
    handoffs: list[ThreadHandoff]
    """To whom it handed over."""
    scores: list[ThreadScore]
    """In order of time."""


class ThreadScore(Result):
    """What is shown of a Score."""
    name: str | None
    """What was judged, such as reward."""
    value: float | None
    """The judgement."""
    source: str | None
    """Who judged."""
    comment: str | None
    """Why."""


class ThreadSession(Result):
    """What is shown of a Session."""
    session_id: str
    """Key of the session."""
    title: str | None
    """What people call it."""
    purpose: str | None
    """What the session is for."""
    is_active: bool | None
    """Open for further prompts."""
    created_at: datetime | None
    """When it began or was first named, UTC."""
    closed_at: datetime | None
    """When it was closed, UTC."""
    tags: list[str] | None
    """Free labels."""
    metadata: Any | None
    """Free-form metadata."""


class ThreadTemplate(Result):
    """What is shown of a PromptTemplate."""
    template_id: str
    """Key of the template."""
    version: str
    """Semantic version, such as 1.2.0."""
    name: str | None
    """What people call it."""


class ThreadTool(Result):
    """What is shown of a ToolInvocation."""
    invocation_id: str
    """Key of the call."""
    tool_name: str | None
    """Name of the tool."""
    parameters: Any | None
    """Arguments of the call."""
    status: str | None
    """pending, success or failed."""
    error: str | None
    """Why it failed, as the tool says."""
    result: Any | None
    """What the tool returned."""
    duration_ms: int | None
    """From call to result. Unit: ms."""
    retry_count: int | None
    """Attempts before the one that is kept."""


class ToolInvocation(Result):
    """One call of a tool. It lives until its attempt is finished, then it is a fact."""
    invocation_id: str
    """Key of the call."""
    created_at: datetime | None = None
    """When it happened or was first named, UTC."""
    updated_at: datetime | None = None
    """Time of the newest event that said more."""
    tool_name: str | None = None
    """Name of the tool."""
    parameters: Any = None
    """Arguments of the call."""
    result: Any = None
    """What the tool returned."""
    error: str | None = None
    """Why it failed, as the tool says."""
    status: str | None = None
    """pending, success or failed."""
    duration_ms: int | None = None
    """From call to result. Unit: ms."""
    retry_count: int | None = None
    """Attempts before the one that is kept."""
    derived_properties: list[str] | None = None
    """Properties that an importer derived and no sender said."""
    metadata: Any = None
    """Free-form metadata."""
    links: list[Link] = []
    """Where it points to."""


class ToolInvocationPage(Result):
    """A page of a list."""
    items: list[ToolInvocation]
    """In the order of the list."""
    next_cursor: str | None = None
    """Send it as `cursor` for the next page; none: the last."""


class ToolPredecessor(Result):
    """A failed call that was read before this tool was called."""
    tool_name: str | None
    times: int
    failed: int


class ToolStatistics(Result):
    """How often a tool is called, fails and is retried."""
    tool_name: str
    invocations: int
    failed: int
    retries: int
    average_duration_ms: float | None
    after: list[ToolPredecessor]
    """Called after which failed tools."""


class ToolStatisticsList(Result):
    """Tools, those that fail most first."""
    items: list[ToolStatistics]


class User(Result):
    """A person or program that talks to models."""
    user_id: str
    """Key of the user."""
    created_at: datetime | None = None
    """When it happened or was first named, UTC."""
    updated_at: datetime | None = None
    """Time of the newest event that said more."""
    name: str | None = None
    """What people call them."""
    metadata: Any = None
    """Free-form metadata."""
    links: list[Link] = []
    """Where it points to."""
