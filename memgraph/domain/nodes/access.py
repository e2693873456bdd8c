"""ApiKey: what a program shows to be let in."""

from __future__ import annotations

from neomodel import ArrayProperty, DateTimeNeo4jFormatProperty, StringProperty

from memgraph.domain.schema import GraphNode


class ApiKey(GraphNode):
    """A credential of a tenant. Of the secret only the SHA-256 is kept."""

    key = ("key_id",)
    is_content = False
    caption = "name"

    key_id = StringProperty(required=True, help_text="Part of the key that is no secret.")
    name = StringProperty(help_text="What people call it.")
    secret_sha256 = StringProperty(internal=True, help_text="SHA-256 of the whole key, hex.")
    roles = ArrayProperty(StringProperty(), help_text="Roles it acts in.")
    scopes = ArrayProperty(
        StringProperty(), help_text="Permissions it is narrowed to; none: all of its roles."
    )
    expires_at = DateTimeNeo4jFormatProperty(help_text="When it stops to work, UTC.")
    revoked_at = DateTimeNeo4jFormatProperty(help_text="When it was revoked, UTC.")
