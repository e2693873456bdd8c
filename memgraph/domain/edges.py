"""Every relationship class: its type, its properties, and which end the other came from.

The ends are declared where they start, on the node classes.
"""

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

from memgraph.domain.schema import GraphRel
from memgraph.domain.values import ContextKind, Priority


class PartOf(GraphRel):
    """A prompt belongs to a session; the order inside is (created_at, prompt_id)."""

    type_name = "PART_OF"


class StartedBy(GraphRel):
    """A user took part in a session; the union of what its prompts and events say."""

    type_name = "STARTED_BY"


class InApplication(GraphRel):
    """A session ran in an application."""

    type_name = "IN_APPLICATION"


class Follows(GraphRel):
    """A prompt came after another; two that follow the same one are a fork."""

    type_name = "FOLLOWS"
    upstream = "end"

    gap_ms = IntegerProperty(unit="ms", help_text="Time between the two prompts.")
    stated = BooleanProperty(
        help_text="The sender said so; otherwise it is the order of time in the session."
    )


class RespondsTo(GraphRel):
    """A response answers a prompt; several are ordered by (created_at, response_id)."""

    type_name = "RESPONDS_TO"
    upstream = "end"


class HandledBy(GraphRel):
    """An agent handled a prompt."""

    type_name = "HANDLED_BY"
    upstream = "end"


class Configures(GraphRel):
    """What an event said of the configuration of an agent."""

    type_name = "CONFIGURES"


class UsesModel(GraphRel):
    """A prompt asked for, or a response or invocation came from, a model."""

    type_name = "USES_MODEL"
    upstream = "end"


class Instantiates(GraphRel):
    """A prompt is a template version filled with values."""

    type_name = "INSTANTIATES"
    upstream = "end"

    template_version = StringProperty(help_text="Version that was filled.")
    variable_bindings = JSONProperty(help_text="Variable name to value.")
    instantiated_at = DateTimeNeo4jFormatProperty(help_text="When it was filled, UTC.")


class Inherits(GraphRel):
    """A template version builds on a parent; never in a cycle."""

    type_name = "INHERITS"
    upstream = "end"

    override_sections = ArrayProperty(
        StringProperty(), help_text="Sections that the child replaces."
    )
    version_diff = StringProperty(help_text="What changed against the parent, in words.")
    depth = IntegerProperty(help_text="Levels below the root template, as the sender says.")


class VersionOf(GraphRel):
    """A version belongs to a model."""

    type_name = "VERSION_OF"
    upstream = "end"


class Prices(GraphRel):
    """What an event said of the price of a version."""

    type_name = "PRICES"


class PreviousVersion(GraphRel):
    """A version came after another version of the same thing."""

    type_name = "PREVIOUS_VERSION"
    upstream = "end"


class Invokes(GraphRel):
    """A response called a tool."""

    type_name = "INVOKES"
    upstream = "start"

    invocation_order = IntegerProperty(
        help_text="Position among the calls of the response, from 0."
    )
    success = BooleanProperty(help_text="The call succeeded; absent while it is pending.")
    required = BooleanProperty(help_text="The response was obliged to call it.")


class InformedBy(GraphRel):
    """A response was written after reading the result of a tool invocation."""

    type_name = "INFORMED_BY"
    upstream = "end"


class TransfersTo(GraphRel):
    """A response handed the conversation over to an agent."""

    type_name = "TRANSFERS_TO"
    upstream = "start"
    is_fact = True

    handoff_id = StringProperty(help_text="Key of the handoff: its event id.")
    from_agent_id = StringProperty(help_text="Agent that handed over, as the sender says.")
    handoff_reason = StringProperty(help_text="Why it was handed over.")
    context_summary = StringProperty(help_text="What the next agent was told.")
    priority = StringProperty(enum=Priority, help_text="Urgency.")
    handed_over_at = DateTimeNeo4jFormatProperty(help_text="When, UTC.")
    fact_hash = IntegerProperty(
        internal=True, help_text="BLAKE2b-64 of the canonical content, signed."
    )
    write_id = IntegerProperty(internal=True, help_text="Batch that wrote the fact.")


class References(GraphRel):
    """A prompt was given a context document."""

    type_name = "REFERENCES"
    upstream = "end"

    context_type = StringProperty(enum=ContextKind, help_text="How the document was found.")
    relevance_score = FloatProperty(help_text="Relevance as the retriever scored it.")
    chunk_id = StringProperty(help_text="Part of the document that was given.")
    rank = IntegerProperty(help_text="Position among the documents of the prompt, from 0.")


class SimilarTo(GraphRel):
    """Two prompts are alike; stored once, from the lower key to the higher."""

    type_name = "SIMILAR_TO"

    score = FloatProperty(help_text="Cosine of the two embeddings, -1 to 1.")
    method = StringProperty(help_text="Embedding model that was compared.")
    computed_at = DateTimeNeo4jFormatProperty(help_text="When it was computed, UTC.")


class Reused(GraphRel):
    """A prompt matches a template that was mined from prompts."""

    type_name = "REUSED"
    upstream = "end"

    bindings = JSONProperty(help_text="Placeholder to the text found there.")
    confidence = FloatProperty(help_text="Share of the template's fixed text found, 0 to 1.")


class FollowedBy(GraphRel):
    """An invocation came after another in the same trace."""

    type_name = "FOLLOWED_BY"
    upstream = "start"

    duration_ms = IntegerProperty(unit="ms", help_text="Time between the two.")


class HasMetric(GraphRel):
    """A measurement of an invocation."""

    type_name = "HAS_METRIC"
    upstream = "start"


class CausedError(GraphRel):
    """An invocation ended in an error."""

    type_name = "CAUSED_ERROR"
    upstream = "start"


class TriggeredBy(GraphRel):
    """An error was triggered by an earlier one."""

    type_name = "TRIGGERED_BY"
    upstream = "end"


class Scores(GraphRel):
    """A score judges a response, a prompt or a session."""

    type_name = "SCORES"
    upstream = "end"


class Flags(GraphRel):
    """An anomaly is about this node."""

    type_name = "FLAGS"
    upstream = "end"


class Summarises(GraphRel):
    """A rollup counts what belongs to this node."""

    type_name = "SUMMARISES"


class ArchivedIn(GraphRel):
    """The content of a session lies in an archive; the stub stays."""

    type_name = "ARCHIVED_IN"


DEPENDENTS = {"PART_OF": "start", "RESPONDS_TO": "start", "SCORES": "start", "INVOKES": "end"}
"""The end of an edge that belongs to the other one and goes with it."""
