"""State machines of what lives: which step may follow which. No storage, no events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Generic, TypeVar

from memgraph.domain.errors import InvalidTransition
from memgraph.domain.values import AgentStatus, ToolStatus

S = TypeVar("S", bound=StrEnum)


class SessionState(StrEnum):
    """``is_active`` of a session, in words."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class StateMachine(Generic[S]):
    """Allowed steps between the states of one enumeration; every state has a row.

    Staying where one is takes no step and is always allowed, so that a repeated
    event does no harm.
    """

    initial: S
    transitions: Mapping[S, frozenset[S]]

    def __post_init__(self) -> None:
        if set(self.transitions) != set(type(self.initial)):
            raise ValueError(f"{type(self.initial).__name__}: every state needs its transitions")
        object.__setattr__(self, "transitions", MappingProxyType(dict(self.transitions)))

    @property
    def terminal(self) -> frozenset[S]:
        """The states that nothing leaves."""
        return frozenset(state for state, targets in self.transitions.items() if not targets)

    def allows(self, current: S, target: S) -> bool:
        """Say whether ``target`` is ``current`` or one step away."""
        return target == current or target in self.transitions[current]

    def check(self, current: S, target: S, field: str = "status") -> None:
        """Raise InvalidTransition unless the step is allowed."""
        if not self.allows(current, target):
            raise InvalidTransition(
                field,
                f"cannot go from {current} to {target}",
                current=str(current),
                target=str(target),
            )


SESSION = StateMachine(
    SessionState.OPEN,
    {
        SessionState.OPEN: frozenset({SessionState.CLOSED}),
        # A conversation that goes on is a new session.
        SessionState.CLOSED: frozenset(),
    },
)

AGENT = StateMachine(
    AgentStatus.ACTIVE,
    {
        AgentStatus.ACTIVE: frozenset(
            {AgentStatus.IDLE, AgentStatus.BUSY, AgentStatus.PAUSED, AgentStatus.TERMINATED}
        ),
        AgentStatus.IDLE: frozenset(
            {AgentStatus.ACTIVE, AgentStatus.BUSY, AgentStatus.PAUSED, AgentStatus.TERMINATED}
        ),
        AgentStatus.BUSY: frozenset(
            {AgentStatus.ACTIVE, AgentStatus.IDLE, AgentStatus.PAUSED, AgentStatus.TERMINATED}
        ),
        # A paused agent takes no work before it is resumed.
        AgentStatus.PAUSED: frozenset(
            {AgentStatus.ACTIVE, AgentStatus.IDLE, AgentStatus.TERMINATED}
        ),
        AgentStatus.TERMINATED: frozenset(),
    },
)

TOOL = StateMachine(
    ToolStatus.PENDING,
    {
        ToolStatus.PENDING: frozenset({ToolStatus.SUCCESS, ToolStatus.FAILED}),
        # Another attempt of the same call.
        ToolStatus.FAILED: frozenset({ToolStatus.PENDING}),
        ToolStatus.SUCCESS: frozenset(),
    },
)
