from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph.domain.errors import InvalidTransition
from memgraph.domain.states import AGENT, SESSION, TOOL, SessionState, StateMachine
from memgraph.domain.values import AgentStatus, ToolStatus

MACHINES: list[StateMachine[Any]] = [SESSION, AGENT, TOOL]


class Light(StrEnum):
    RED = "red"
    GREEN = "green"


def _steps(machine: StateMachine[Any]) -> set[tuple[str, str]]:
    return {(str(a), str(b)) for a, targets in machine.transitions.items() for b in targets}


def test_sessions_close_once_and_for_all() -> None:
    assert _steps(SESSION) == {("open", "closed")}
    assert SESSION.initial is SessionState.OPEN
    assert SESSION.terminal == {SessionState.CLOSED}


def test_tools_finish_and_failed_ones_may_try_again() -> None:
    assert _steps(TOOL) == {
        ("pending", "success"),
        ("pending", "failed"),
        ("failed", "pending"),
    }
    assert TOOL.initial is ToolStatus.PENDING
    assert TOOL.terminal == {ToolStatus.SUCCESS}


def test_agents_move_freely_until_they_are_terminated() -> None:
    alive = [s for s in AgentStatus if s is not AgentStatus.TERMINATED]
    expected = {(str(a), str(b)) for a in alive for b in AgentStatus if a != b}
    assert _steps(AGENT) == expected - {("paused", "busy")}
    assert AGENT.initial is AgentStatus.ACTIVE
    assert AGENT.terminal == {AgentStatus.TERMINATED}


@pytest.mark.parametrize("machine", MACHINES)
def test_every_state_is_reached_from_the_first(machine: StateMachine[Any]) -> None:
    reached, queue = {machine.initial}, [machine.initial]
    while queue:
        for state in machine.transitions[queue.pop()] - reached:
            reached.add(state)
            queue.append(state)
    assert reached == set(machine.transitions)


@given(st.data())
def test_check_raises_exactly_where_a_step_is_not_allowed(data: st.DataObject) -> None:
    machine = data.draw(st.sampled_from(MACHINES))
    states = st.sampled_from(list(machine.transitions))
    current, target = data.draw(states), data.draw(states)
    listed = current == target or (str(current), str(target)) in _steps(machine)
    assert machine.allows(current, target) is listed
    if listed:
        machine.check(current, target)
    else:
        with pytest.raises(InvalidTransition) as caught:
            machine.check(current, target, field="state")
        assert caught.value.facts == {
            "field": "state",
            "rule": f"cannot go from {current} to {target}",
            "current": str(current),
            "target": str(target),
        }


def test_a_state_without_a_row_is_refused() -> None:
    with pytest.raises(ValueError, match="Light"):
        StateMachine(Light.RED, {Light.RED: frozenset({Light.GREEN})})


def test_a_machine_does_not_change_with_the_mapping_it_was_made_from() -> None:
    rows = {Light.RED: frozenset({Light.GREEN}), Light.GREEN: frozenset[Light]()}
    machine = StateMachine(Light.RED, rows)
    rows[Light.GREEN] = frozenset({Light.RED})
    assert not machine.allows(Light.GREEN, Light.RED)
    with pytest.raises(TypeError):
        machine.transitions[Light.GREEN] = frozenset()  # type: ignore[index]
