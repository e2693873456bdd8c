"""Agents, and who hands over to whom."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from memgraph.api import resources as res
from memgraph.api.answers import Answer
from memgraph.api.idempotency import fresh_id
from memgraph.api.operations import API, Call, Routes
from memgraph.api.schemas import AsOf, Resource, moment_of
from memgraph.domain.access import Permission
from memgraph.domain.events.conversation import AgentBody
from memgraph.domain.mutations import Outcome

routes = Routes("agents")

READ, WRITE = Permission.READ_AGENTS, Permission.WRITE_AGENTS


class AgentPair(Resource):
    """Handoffs from one agent to another."""

    from_agent_id: str | None
    to_agent_id: str
    handoffs: int
    urgent: int = Field(description="Of high or critical priority.")
    average_seconds: float | None = Field(description="From the prompt to the handoff.")
    average_wait_seconds: float | None = Field(description="From the handoff to the next prompt.")
    reasons: list[str] = Field(description="The newest reasons.")
    is_returned: bool = Field(description="The other one hands back.")


class AgentLoop(Resource):
    """Agents that hand over in a circle."""

    agent_ids: list[str] = Field(description="Each once, in order; the last hands to the first.")
    handoffs: int = Field(description="Of the pair with the fewest.")


class Bottleneck(Resource):
    """What comes to an agent and what it hands on."""

    agent_id: str
    received: int
    handed_on: int
    kept: int = Field(description="Received and not handed on.")
    average_wait_seconds: float | None


class AgentNetwork(Resource):
    """Pairs of agents by handoffs, loops shortest first, bottlenecks worst first."""

    pairs: list[AgentPair]
    loops: list[AgentLoop]
    loops_are_cut: bool = Field(description="There are more loops than are listed.")
    bottlenecks: list[Bottleneck]


@routes.post(
    "/agents",
    permission=WRITE,
    body=res.NewAgent,
    answers=res.Agent,
    status=201,
    example={"id": "agent-billing", "role": "billing", "config": {"temperature": 0.2}},
)
def create_agent(call: Call) -> Answer:
    """Register an agent, or say more of a known one. It is active unless you say otherwise."""
    body = _body(call.body, call.body.id or fresh_id())
    agent, outcome = call.services.agents.register(call.tenant_id, body, moment_of(call.body))
    status = 201 if outcome is Outcome.STORED else 200
    return Answer(agent, status, {"Location": f"{API}/agents/{body.id}"})


@routes.get("/agents/network", permission=READ, answers=AgentNetwork)
def read_agent_network(call: Call) -> Answer:
    """Tell who hands over to whom, in which loops, and where work piles up."""
    return Answer(call.services.agents.network(call.tenant_id))


@routes.get("/agents/<id:agent_id>", permission=READ, query=AsOf, answers=res.Agent)
def read_agent(call: Call, agent_id: str) -> Answer:
    """Read an agent with its configuration and how it does; with `as_of` how it was set up."""
    agents, at = call.services.agents, call.query.at
    if at is None:
        return Answer(agents.get(call.tenant_id, agent_id))
    return Answer(agents.get_as_of(call.tenant_id, agent_id, at))


@routes.patch(
    "/agents/<id:agent_id>",
    permission=WRITE,
    body=res.AgentChange,
    answers=res.Agent,
    example={"status": "paused", "config": {"max_retries": 2}},
)
def change_agent(call: Call, agent_id: str) -> Answer:
    """Change an agent. What is left out stays, also inside `config`; `null` there unsets."""
    body = _body(call.body, agent_id)
    return Answer(call.services.agents.change(call.tenant_id, body, moment_of(call.body)))


def _body(sent: Any, agent_id: str) -> AgentBody:
    left_out = {"id", "event_id", "timestamp"}
    said = {name: getattr(sent, name) for name in sent.model_fields_set - left_out}
    if said.get("config") is not None:
        said["config"] = said["config"].model_dump(mode="json", exclude_unset=True)
    return AgentBody(**said, id=agent_id)
