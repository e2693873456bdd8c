"""Tenant, User, Application: who data belongs to and comes from."""

from __future__ import annotations

from neomodel import (
    DateTimeNeo4jFormatProperty,
    IntegerProperty,
    JSONProperty,
    StringProperty,
)

from memgraph.domain.edges import InApplication, StartedBy
from memgraph.domain.schema import GraphNode, LivingNode, incoming
from memgraph.domain.values import Classification, PiiPolicy


class Tenant(GraphNode):
    """An organisation whose data meets no other's."""

    key = ()
    is_hub = True
    is_content = False
    caption = "name"

    name = StringProperty(help_text="What people call it.")
    residency_region = StringProperty(help_text="Where its data must stay.")
    default_classification = StringProperty(
        enum=Classification, help_text="Classification of content that says none."
    )
    limits = JSONProperty(help_text="Rates and sizes that differ from the defaults.")
    pii_policy = StringProperty(
        enum=PiiPolicy, help_text="What happens to personal data in what it sends."
    )
    outbox_sequence = IntegerProperty(help_text="Sequence of its latest outbox entry.")
    updated_at = DateTimeNeo4jFormatProperty(help_text="When it was last changed, UTC.")


class User(LivingNode):
    """A person or program that talks to models."""

    key = ("user_id",)
    is_hub = True

    user_id = StringProperty(required=True, help_text="Key of the user.")
    name = StringProperty(help_text="What people call them.")
    metadata = JSONProperty(help_text="Free-form metadata.")

    sessions = incoming(StartedBy, "Session")


class Application(LivingNode):
    """A program that sessions ran in."""

    key = ("application_id",)
    is_hub = True

    application_id = StringProperty(required=True, help_text="Key of the application.")
    name = StringProperty(help_text="What people call it.")
    metadata = JSONProperty(help_text="Free-form metadata.")

    sessions = incoming(InApplication, "Session")
