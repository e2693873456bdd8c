"""What a network of handoffs shows: loops of agents, and where work piles up. No storage."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MAX_LOOPS = 100
MAX_STEPS = 200_000
"""Edges looked at before the search ends: loops can be exponentially many."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Handoffs from one agent to another."""

    from_agent_id: str
    to_agent_id: str
    handoffs: int
    average_wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Loop:
    """Agents that hand over in a circle, each once, the smallest id first."""

    agent_ids: tuple[str, ...]
    handoffs: int
    """Of the pair with the fewest: the circle was gone at most so often."""


@dataclass(frozen=True, slots=True)
class Load:
    """What comes to an agent, what it hands on, and how long it lets things wait."""

    agent_id: str
    received: int
    handed_on: int
    kept: int
    """Handoffs that came and did not leave again."""
    average_wait_seconds: float | None


def find_loops(pairs: Iterable[Pair]) -> tuple[list[Loop], bool]:
    """Find the loops of two and more agents, shortest first; whether some were left out.

    A breadth-first walk over simple paths from every agent through greater ones,
    kept to agents that lead back to where it began.
    """
    handoffs = {(p.from_agent_id, p.to_agent_id): p.handoffs for p in pairs}
    following: dict[str, list[str]] = defaultdict(list)
    for start, end in sorted(handoffs):
        if start != end:
            following[start].append(end)
    paths: deque[tuple[str, ...]] = deque()
    inside: dict[str, set[str]] = {}
    steps = 0
    for first in sorted(following):
        inside[first], looked = _leading_back(following, first, MAX_STEPS - steps)
        steps += looked
        if inside[first]:
            paths.append((first,))
    loops: list[Loop] = []
    while paths and len(loops) < MAX_LOOPS and steps < MAX_STEPS:
        path = paths.popleft()
        for agent_id in following[path[-1]]:
            steps += 1
            if agent_id == path[0]:
                loops.append(_loop(path, handoffs))
            elif agent_id in inside[path[0]] and agent_id not in path:
                paths.append((*path, agent_id))
    return loops[:MAX_LOOPS], bool(paths) or len(loops) > MAX_LOOPS or steps >= MAX_STEPS


def _leading_back(
    following: Mapping[str, list[str]], first: str, budget: int
) -> tuple[set[str], int]:
    """The agents on a way from ``first`` back to it through greater ones, and the steps taken."""
    reached: set[str] = {first}
    leading: dict[str, list[str]] = defaultdict(list)
    queue, steps = deque([first]), 0
    while queue and steps < budget:
        agent_id = queue.popleft()
        for other in following.get(agent_id, ()):
            steps += 1
            if other >= first:
                leading[other].append(agent_id)
                if other not in reached:
                    reached.add(other)
                    queue.append(other)
    back, queue = set[str](), deque(leading.get(first, ()))
    while queue:
        agent_id = queue.popleft()
        if agent_id not in back:
            back.add(agent_id)
            queue.extend(leading[agent_id])
    return back, steps


def _loop(path: tuple[str, ...], handoffs: Mapping[tuple[str, str], int]) -> Loop:
    edges = zip(path, (*path[1:], path[0]), strict=True)
    return Loop(path, min(handoffs[edge] for edge in edges))


def find_bottlenecks(pairs: Iterable[Pair]) -> list[Load]:
    """The agents that get handoffs: those that keep most first, then the longest waits."""
    came: dict[str, list[Pair]] = defaultdict(list)
    left: dict[str, int] = defaultdict(int)
    for pair in pairs:
        came[pair.to_agent_id].append(pair)
        left[pair.from_agent_id] += pair.handoffs
    loads = [_load(agent_id, received, left[agent_id]) for agent_id, received in came.items()]
    return sorted(
        loads, key=lambda load: (-load.kept, -(load.average_wait_seconds or 0), load.agent_id)
    )


def _load(agent_id: str, received: list[Pair], handed_on: int) -> Load:
    count = sum(pair.handoffs for pair in received)
    waits = [
        (pair.average_wait_seconds, pair.handoffs)
        for pair in received
        if pair.average_wait_seconds is not None
    ]
    weight = sum(n for _, n in waits)
    wait = sum(seconds * n for seconds, n in waits) / weight if weight else None
    return Load(agent_id, count, handed_on, count - handed_on, wait)
