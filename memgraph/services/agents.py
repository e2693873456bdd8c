"""Agents: register, change, how they do, and who hands over to whom."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pydantic import ValidationError

from memgraph.domain import events as ev
from memgraph.domain.agents import AgentConfig
from memgraph.domain.errors import Conflict, NotFound
from memgraph.domain.events.base import EventBase
from memgraph.domain.events.conversation import AgentBody
from memgraph.domain.mutations import Outcome
from memgraph.domain.network import Pair, find_bottlenecks, find_loops
from memgraph.domain.states import AGENT
from memgraph.domain.times import BiTemporal
from memgraph.domain.values import AgentStatus
from memgraph.graph.nodes import NodeReader
from memgraph.graph.reader import Reader
from memgraph.services.recording import Recorder

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Agents:
    """The life of agents."""

    recorder: Recorder
    nodes: NodeReader
    reader: Reader

    def get(self, tenant_id: str, agent_id: str) -> Row:
        """An agent with its metrics. Raises NotFound."""
        found = self.nodes.get(tenant_id, "Agent", (agent_id,))
        config = _shown(found.get("config"))
        metrics = self.reader.get_agent_metrics(tenant_id, agent_id)
        return {**found, "config": config, "metrics": metrics}

    def get_as_of(self, tenant_id: str, agent_id: str, at: BiTemporal) -> Row:
        """The configuration that was said up to a time, property by property the newest word.

        Raises NotFound, also when nothing had been said of it by then.
        """
        found = self.nodes.get(tenant_id, "Agent", (agent_id,))
        said = self.reader.list_agent_configurations(tenant_id, agent_id, at)
        if not said:
            raise NotFound("nothing was known of this agent's configuration then", kind="agent")
        newest = {name: value for row in reversed(said) for name, value in row.items()}
        newest.pop("configuration_id")
        return {
            "agent_id": agent_id,
            **newest,
            "created_at": found["created_at"],
            "updated_at": said[0]["created_at"],
            "config": _shown(newest.get("config")),
        }

    def register(self, tenant_id: str, body: AgentBody, moment: EventBase) -> tuple[Row, Outcome]:
        """Register an agent, or say more of a known one. Raises Conflict, InvalidTransition."""
        known = self.nodes.find(tenant_id, "Agent", (body.id,))
        if known is None or "status" not in known:
            body = body.model_copy(update={"status": body.status or AGENT.initial})
        elif _status(known) is AgentStatus.TERMINATED:
            raise Conflict("an agent with this id was terminated")
        elif body.status is not None:
            AGENT.check(_status(known), body.status)
        outcome = self._record(tenant_id, body, moment)
        return self.get(tenant_id, body.id), outcome

    def change(self, tenant_id: str, body: AgentBody, moment: EventBase) -> Row:
        """Set what ``body`` says; what its config leaves out stays.

        Raises NotFound, InvalidTransition.
        """
        current = self.nodes.get(tenant_id, "Agent", (body.id,))
        if body.status is not None:
            AGENT.check(_status(current), body.status)
        if body.config is not None:
            config = {**(_shown(current.get("config")) or {}), **body.config}
            kept = {name: value for name, value in config.items() if value is not None}
            body = body.model_copy(update={"config": kept})
        self._record(tenant_id, body, moment)
        return self.get(tenant_id, body.id)

    def network(self, tenant_id: str) -> Row:
        """Who hands over to whom, the loops, and the agents where work piles up."""
        rows = self.reader.list_agent_network(tenant_id)
        # Without a sender nobody can be in a loop.
        pairs = [
            Pair(
                row["from_agent_id"],
                row["to_agent_id"],
                row["handoffs"],
                row["average_wait_seconds"],
            )
            for row in rows
            if row["from_agent_id"] is not None
        ]
        loops, is_cut = find_loops(pairs)
        return {
            "pairs": rows,
            "loops": [asdict(loop) for loop in loops],
            "loops_are_cut": is_cut,
            "bottlenecks": [asdict(load) for load in find_bottlenecks(pairs)],
        }

    def _record(self, tenant_id: str, body: AgentBody, moment: EventBase) -> Outcome:
        return self.recorder.record(tenant_id, ev.AgentEvent(**dict(moment), agent=body))


def _status(agent: Row) -> AgentStatus:
    return AgentStatus(agent.get("status", AGENT.initial))


def _shown(config: Any) -> Row | None:
    """The settings by their own names; what another framework sent stays as it came."""
    try:
        said = AgentConfig.model_validate(config)
    except ValidationError:
        return config if isinstance(config, dict) else None
    return said.model_dump(mode="json", exclude_unset=True)
