"""Agent, AgentConfiguration: an autonomous or human part of a system that handles prompts."""

from __future__ import annotations

from neomodel import (
    ArrayProperty,
    DateTimeNeo4jFormatProperty,
    JSONProperty,
    StringProperty,
)

from memgraph.domain.edges import Configures, HandledBy, TransfersTo
from memgraph.domain.schema import FactNode, LivingNode, incoming, outgoing, recorded_time
from memgraph.domain.values import AgentStatus


class Agent(LivingNode):
    """An agent, or a human desk. Its running metrics are computed from its edges."""

    key = ("agent_id",)
    is_hub = True
    caption = "name"

    agent_id = StringProperty(required=True, help_text="Key of the agent.")
    name = StringProperty(help_text="gen_ai.agent.name.")
    role = StringProperty(index=True, help_text="Specialisation, such as researcher.")
    capabilities = ArrayProperty(StringProperty(), help_text="What it can do.")
    model_id = StringProperty(help_text="Model it works with.")
    status = StringProperty(enum=AgentStatus, index=True, help_text="Where it is in its life.")
    config = JSONProperty(help_text="temperature, max_tokens, timeout_seconds, tools_enabled, …")
    tags = ArrayProperty(StringProperty(), help_text="Free labels.")
    last_active_at = DateTimeNeo4jFormatProperty(help_text="Last sign of life, UTC.")
    metadata = JSONProperty(help_text="Free-form metadata.")

    prompts = incoming(HandledBy, "Prompt")
    takeovers = incoming(TransfersTo, "Response")
    configurations = incoming(Configures, "AgentConfiguration")


class AgentConfiguration(FactNode):
    """What one event said of how an agent is set up; what is absent it did not say."""

    key = ("configuration_id",)
    caption = "role"

    configuration_id = StringProperty(required=True, help_text="Key: the id of its event.")
    name = StringProperty(help_text="gen_ai.agent.name.")
    role = StringProperty(help_text="Specialisation, such as researcher.")
    capabilities = ArrayProperty(StringProperty(), help_text="What it can do.")
    model_id = StringProperty(help_text="Model it works with.")
    config = JSONProperty(help_text="temperature, max_tokens, timeout_seconds, tools_enabled, …")
    recorded_at = recorded_time()

    agent = outgoing(Configures, "Agent")
