"""ToolInvocation: one call of a tool by a response."""

from __future__ import annotations

from neomodel import ArrayProperty, IntegerProperty, JSONProperty, StringProperty

from memgraph.domain.edges import InformedBy, Invokes
from memgraph.domain.schema import LivingNode, incoming
from memgraph.domain.values import ToolStatus


class ToolInvocation(LivingNode):
    """One call of a tool. It lives until its attempt is finished, then it is a fact."""

    key = ("invocation_id",)
    caption = "tool_name"

    invocation_id = StringProperty(required=True, help_text="Key of the call.")
    tool_name = StringProperty(index=True, help_text="Name of the tool.")
    parameters = JSONProperty(help_text="Arguments of the call.")
    result = JSONProperty(help_text="What the tool returned.")
    error = StringProperty(help_text="Why it failed, as the tool says.")
    status = StringProperty(enum=ToolStatus, index=True, help_text="pending, success or failed.")
    duration_ms = IntegerProperty(unit="ms", help_text="From call to result.")
    retry_count = IntegerProperty(help_text="Attempts before the one that is kept.")
    derived_properties = ArrayProperty(
        StringProperty(), help_text="Properties that an importer derived and no sender said."
    )
    metadata = JSONProperty(help_text="Free-form metadata.")

    invoked_by = incoming(Invokes, "Response")
    informs = incoming(InformedBy, "Response")
