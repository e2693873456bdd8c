"""PromptTemplate: one version of a template."""

from __future__ import annotations

from neomodel import ArrayProperty, IntegerProperty, JSONProperty, StringProperty

from memgraph.domain.edges import Inherits, Instantiates, PreviousVersion, Reused
from memgraph.domain.schema import FactNode, incoming, outgoing, recorded_time
from memgraph.domain.values import TemplateOrigin


class PromptTemplate(FactNode):
    """One version of a prompt template; versions form a chain, parents a tree."""

    key = ("template_id", "version")
    caption = "name"

    template_id = StringProperty(required=True, help_text="Key of the template.")
    version = StringProperty(required=True, help_text="Semantic version, such as 1.2.0.")
    name = StringProperty(index=True, help_text="What people call it.")
    description = StringProperty(help_text="What it is for.")
    template_text = StringProperty(help_text="Text with {{variable}} and {{#section}} marks.")
    text_sha256 = StringProperty(index=True, help_text="SHA-256 of the UTF-8 text, hex.")
    variables = JSONProperty(
        help_text="List of {name, type, required, default, pattern, description}."
    )
    author = StringProperty(index=True, help_text="Who wrote this version.")
    tags = ArrayProperty(StringProperty(), help_text="Free labels.")
    origin = StringProperty(enum=TemplateOrigin, help_text="Registered by people or mined.")
    usage_count = IntegerProperty(
        enriched=True, help_text="Prompts made from it when the hourly job last counted."
    )
    metadata = JSONProperty(help_text="Free-form metadata.")
    recorded_at = recorded_time()

    parent = outgoing(Inherits, "PromptTemplate")
    children = incoming(Inherits, "PromptTemplate")
    previous_version = outgoing(PreviousVersion, "PromptTemplate")
    next_version = incoming(PreviousVersion, "PromptTemplate")
    prompts = incoming(Instantiates, "Prompt")
    matched_prompts = incoming(Reused, "Prompt")
