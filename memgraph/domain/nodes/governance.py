"""Archive, RetentionPolicy, AuditEvent: what operators and compliance officers keep."""

from __future__ import annotations

from neomodel import (
    BooleanProperty,
    DateTimeNeo4jFormatProperty,
    IntegerProperty,
    JSONProperty,
    StringProperty,
)

from memgraph.domain.edges import ArchivedIn
from memgraph.domain.schema import GraphNode, incoming
from memgraph.domain.values import RetentionLevel


class Archive(GraphNode):
    """Catalogue entry of a sealed archive."""

    key = ("archive_id",)

    archive_id = StringProperty(required=True, help_text="Key of the archive.")
    window_start = DateTimeNeo4jFormatProperty(help_text="Oldest content, UTC.")
    window_end = DateTimeNeo4jFormatProperty(help_text="Newest content, UTC.")
    counts = JSONProperty(help_text="Nodes by label.")
    size_bytes = IntegerProperty(unit="bytes", help_text="Size of the sealed object.")
    sha256 = StringProperty(help_text="SHA-256 of the plain content, hex.")
    key_id = StringProperty(help_text="Key that wraps the data key.")
    location = StringProperty(help_text="Where the object lies.")
    verified_at = DateTimeNeo4jFormatProperty(help_text="Last read-back with equal digest, UTC.")
    state = StringProperty(index=True, help_text="How far the archive has come.")
    updated_at = DateTimeNeo4jFormatProperty(help_text="When the state changed, UTC.")

    sessions = incoming(ArchivedIn, "Session")


class RetentionPolicy(GraphNode):
    """How long content of a level is kept and what happens then."""

    key = ("policy_id",)
    caption = "level"

    policy_id = StringProperty(required=True, help_text="Key of the policy.")
    level = StringProperty(enum=RetentionLevel, help_text="Rules it follows.")
    retention_days = IntegerProperty(unit="days", help_text="How long content stays.")
    auto_delete = BooleanProperty(help_text="Delete without asking when the time is over.")
    grace_days = IntegerProperty(unit="days", help_text="Between marking and deleting.")
    updated_at = DateTimeNeo4jFormatProperty(help_text="When it was last changed, UTC.")


class AuditEvent(GraphNode):
    """One entry of a tenant's audit chain: ids and digests, never content."""

    key = ("sequence",)
    is_content = False
    caption = "action"

    sequence = IntegerProperty(required=True, help_text="Position in the chain, from 1.")
    action = StringProperty(index=True, help_text="What was done, such as content.read.")
    principal_id = StringProperty(index=True, help_text="Who did it.")
    subject = StringProperty(index=True, help_text="Kind and key of what it was done to.")
    outcome = StringProperty(help_text="granted or denied.")
    detail = JSONProperty(help_text="Ids and digests.")
    previous_hash = StringProperty(help_text="Hash of the entry before, hex.")
    leaf_hash = StringProperty(help_text="RFC 6962 leaf hash of this entry, hex.")
