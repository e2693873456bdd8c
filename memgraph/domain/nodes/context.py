"""ContextDocument: what a prompt was given to read."""

from __future__ import annotations

from neomodel import IntegerProperty, JSONProperty, StringProperty

from memgraph.domain.edges import References
from memgraph.domain.schema import LivingNode, incoming
from memgraph.domain.values import ContextKind


class ContextDocument(LivingNode):
    """A document, page, row, search hit or memory that a prompt was given."""

    key = ("context_id",)
    caption = "title"

    context_id = StringProperty(required=True, help_text="Key of the document or chunk.")
    title = StringProperty(help_text="What people call it.")
    kind = StringProperty(enum=ContextKind, index=True, help_text="What it is.")
    uri = StringProperty(help_text="Where it lies; never fetched.")
    chunk_id = StringProperty(help_text="Part of the document.")
    text_sha256 = StringProperty(index=True, help_text="SHA-256 of the content, hex.")
    text_length = IntegerProperty(unit="characters", help_text="Length of the content.")
    metadata = JSONProperty(help_text="Free-form metadata.")

    prompts = incoming(References, "Prompt")
