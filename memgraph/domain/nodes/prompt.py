"""Prompt and Response: what was asked and what was answered."""

from __future__ import annotations

from neomodel import (
    ArrayProperty,
    BooleanProperty,
    DateTimeNeo4jFormatProperty,
    FloatProperty,
    IntegerProperty,
    JSONProperty,
    StringProperty,
)
from neomodel.properties import FulltextIndex, VectorIndex

from memgraph.domain.edges import (
    Follows,
    HandledBy,
    InformedBy,
    Instantiates,
    Invokes,
    PartOf,
    References,
    RespondsTo,
    Reused,
    Scores,
    SimilarTo,
    TransfersTo,
    UsesModel,
)
from memgraph.domain.schema import FactNode, incoming, outgoing
from memgraph.domain.values import Classification, FinishReason, Purpose

EMBEDDING_DIMENSIONS = 256
"""Length of the default embedding model's vectors."""


class MessageNode(FactNode):
    """What prompts and responses share: a text, where it is kept, and who said so."""

    __abstract_node__ = True

    text = StringProperty(
        fulltext_index=FulltextIndex(eventually_consistent=True),
        help_text="The text, unless its classification keeps it out of the graph.",
    )
    content_ref = StringProperty(
        help_text="vault://<classification>/<kind>/<id> when the text is kept elsewhere."
    )
    text_sha256 = StringProperty(index=True, help_text="SHA-256 of the UTF-8 text, hex.")
    text_length = IntegerProperty(unit="characters", help_text="Length of the text.")
    language = StringProperty(enriched=True, help_text="ISO 639-1 code.")
    provider = StringProperty(help_text="gen_ai.provider.name as sent.")
    model_id = StringProperty(index=True, help_text="Model as sent.")
    classification = StringProperty(enum=Classification, help_text="Who may read it.")
    has_pii = BooleanProperty(enriched=True, help_text="Personal data was found.")
    pii_kinds = ArrayProperty(
        StringProperty(), enriched=True, help_text="Kinds of personal data found."
    )
    anomaly_kinds = ArrayProperty(
        StringProperty(), enriched=True, help_text="Kinds of anomaly flagged by the nightly job."
    )
    computed_properties = ArrayProperty(
        StringProperty(),
        enriched=True,
        help_text="Properties that enrichment computed because no sender said them.",
    )
    enrichment_pending = StringProperty(
        enriched=True,
        index=True,
        help_text="Properties that enrichment could not add yet, separated by spaces.",
    )
    tags = ArrayProperty(StringProperty(), help_text="Free labels.")
    trace_id = StringProperty(index=True, help_text="W3C trace id, hex.")
    span_id = StringProperty(help_text="W3C span id, hex.")
    parent_span_id = StringProperty(help_text="W3C span id of the parent, hex.")
    derived_properties = ArrayProperty(
        StringProperty(), help_text="Properties that an importer derived and no sender said."
    )
    metadata = JSONProperty(help_text="Free-form metadata.")


class Prompt(MessageNode):
    """What was asked of a model, once. Text is stored once, here or behind content_ref."""

    key = ("prompt_id",)
    caption = "text"

    prompt_id = StringProperty(required=True, help_text="Key of the prompt: its event id.")
    created_at = DateTimeNeo4jFormatProperty(
        required=True, index=True, help_text="When it was sent, UTC."
    )
    token_count = IntegerProperty(unit="tokens", help_text="Tokens of the text.")
    token_count_estimated = BooleanProperty(
        enriched=True, help_text="The tokens were counted as another model would."
    )
    matched_template = StringProperty(
        enriched=True,
        index=True,
        help_text="Registered template that the text fits, as template_id@version.",
    )
    user_id = StringProperty(index=True, help_text="User as this prompt's sender said.")
    application_id = StringProperty(help_text="Application as this prompt's sender said.")
    purpose = StringProperty(enum=Purpose, help_text="Purpose as this prompt's sender said.")
    model_version = StringProperty(help_text="Model version as sent.")
    temperature = FloatProperty(help_text="Sampling temperature, 0 to 2.")
    top_p = FloatProperty(help_text="Nucleus sampling, 0 to 1.")
    top_k = IntegerProperty(help_text="Candidates per token.")
    max_tokens = IntegerProperty(unit="tokens", help_text="Limit on the answer.")
    stop_sequences = ArrayProperty(StringProperty(), help_text="Texts that end the answer.")
    presence_penalty = FloatProperty(help_text="-2 to 2.")
    frequency_penalty = FloatProperty(help_text="-2 to 2.")
    tools_available = ArrayProperty(StringProperty(), help_text="Tools that could be called.")
    template_text = StringProperty(help_text="Template as sent along, with {{variables}}.")
    template_parameters = JSONProperty(help_text="Values for the template as sent along.")
    retrieval_method = StringProperty(help_text="How the context documents were found.")
    images = JSONProperty(help_text="References to images; never fetched.")
    history = JSONProperty(help_text="Earlier messages that were sent along.")
    embedding = ArrayProperty(
        FloatProperty(),
        vector_index=VectorIndex(dimensions=EMBEDDING_DIMENSIONS),
        enriched=True,
        help_text="Vector of the text, on canonical prompts only.",
    )
    embedding_model = StringProperty(enriched=True, help_text="Model that made the vector.")
    embedding_pending = BooleanProperty(
        enriched=True,
        internal=True,
        index=True,
        help_text="True while it waits for a vector, false when the model refused the text.",
    )
    cluster_id = StringProperty(enriched=True, help_text="Family of similar prompts.")

    session = outgoing(PartOf, "Session")
    previous = outgoing(Follows, "Prompt")
    next = incoming(Follows, "Prompt")
    agent = outgoing(HandledBy, "Agent")
    model = outgoing(UsesModel, "Model")
    model_version_used = outgoing(UsesModel, "ModelVersion")
    template = outgoing(Instantiates, "PromptTemplate")
    mined_template = outgoing(Reused, "PromptTemplate")
    documents = outgoing(References, "ContextDocument")
    similar = outgoing(SimilarTo, "Prompt")
    responses = incoming(RespondsTo, "Response")
    scores = incoming(Scores, "Score")


class Response(MessageNode):
    """What a model answered. An agent loop gives several responses to one prompt."""

    key = ("response_id",)
    caption = "text"

    response_id = StringProperty(required=True, help_text="Key of the response: its event id.")
    created_at = DateTimeNeo4jFormatProperty(
        required=True, index=True, help_text="When it was complete, UTC."
    )
    finish_reason = StringProperty(enum=FinishReason, help_text="Why the model stopped.")
    prompt_tokens = IntegerProperty(unit="tokens", help_text="Input tokens.")
    completion_tokens = IntegerProperty(unit="tokens", help_text="Output tokens.")
    total_tokens = IntegerProperty(unit="tokens", help_text="Input and output tokens.")
    cached_tokens = IntegerProperty(unit="tokens", help_text="Input tokens read from a cache.")
    latency_ms = IntegerProperty(unit="ms", index=True, help_text="From request to last token.")
    ttft_ms = IntegerProperty(unit="ms", help_text="From request to first token.")
    tokens_per_second = FloatProperty(unit="tokens/s", help_text="Output rate.")
    cost_usd = FloatProperty(unit="USD", index=True, help_text="Cost at the price of that time.")
    error_code = StringProperty(help_text="Error code as sent.")
    error_message = StringProperty(help_text="Error message as sent.")
    error_type = StringProperty(index=True, help_text="error.type as sent.")
    error_recoverable = BooleanProperty(help_text="The sender holds that a retry may help.")

    prompt = outgoing(RespondsTo, "Prompt")
    model = outgoing(UsesModel, "Model")
    model_version_used = outgoing(UsesModel, "ModelVersion")
    tool_invocations = outgoing(Invokes, "ToolInvocation")
    informed_by = outgoing(InformedBy, "ToolInvocation")
    handoffs = outgoing(TransfersTo, "Agent")
    scores = incoming(Scores, "Score")
