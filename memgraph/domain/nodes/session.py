"""Session: one conversation or job."""

from __future__ import annotations

from neomodel import (
    ArrayProperty,
    BooleanProperty,
    DateTimeNeo4jFormatProperty,
    JSONProperty,
    StringProperty,
)

from memgraph.domain.edges import ArchivedIn, InApplication, PartOf, Scores, StartedBy
from memgraph.domain.schema import LivingNode, incoming, outgoing
from memgraph.domain.values import Purpose


class Session(LivingNode):
    """One conversation or job. Counts, tokens and cost are computed when read."""

    key = ("session_id",)
    is_hub = True
    caption = "title"

    session_id = StringProperty(required=True, help_text="Key of the session.")
    created_at = DateTimeNeo4jFormatProperty(
        required=True, index=True, help_text="When it began or was first named, UTC."
    )
    title = StringProperty(help_text="What people call it.")
    purpose = StringProperty(enum=Purpose, index=True, help_text="What the session is for.")
    is_active = BooleanProperty(help_text="Open for further prompts.")
    closed_at = DateTimeNeo4jFormatProperty(help_text="When it was closed, UTC.")
    tags = ArrayProperty(StringProperty(), help_text="Free labels.")
    derived_properties = ArrayProperty(
        StringProperty(), help_text="Properties that an importer derived and no sender said."
    )
    metadata = JSONProperty(help_text="Free-form metadata.")
    tail_prompt_id = StringProperty(
        internal=True, help_text="Newest prompt by (created_at, prompt_id)."
    )
    tail_at = DateTimeNeo4jFormatProperty(
        internal=True, help_text="created_at of the newest prompt, UTC."
    )

    users = outgoing(StartedBy, "User")
    applications = outgoing(InApplication, "Application")
    archives = outgoing(ArchivedIn, "Archive")
    prompts = incoming(PartOf, "Prompt")
    scores = incoming(Scores, "Score")
