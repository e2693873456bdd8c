"""Loops and bottlenecks of a network of handoffs."""

from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from memgraph.domain.network import MAX_LOOPS, Load, Pair, find_bottlenecks, find_loops

AGENTS = "abcde"
EDGES = st.sets(st.tuples(st.sampled_from(AGENTS), st.sampled_from(AGENTS)))


def simple_loops(edges: set[tuple[str, str]]) -> set[tuple[str, ...]]:
    """By trying all."""
    return {
        path
        for length in range(2, len(AGENTS) + 1)
        for path in permutations(AGENTS, length)
        if path[0] == min(path)
        and all(edge in edges for edge in zip(path, (*path[1:], path[0]), strict=True))
    }


@given(EDGES)
def test_every_loop_is_found_once_shortest_first(edges: set[tuple[str, str]]) -> None:
    loops, is_cut = find_loops(Pair(*edge, 1) for edge in edges)
    found = [loop.agent_ids for loop in loops]
    if not is_cut:
        assert set(found) == simple_loops(edges)
    assert len(found) == len(set(found))
    assert list(map(len, found)) == sorted(map(len, found))


def test_too_many_loops_are_cut() -> None:
    names = [f"a{i:02d}" for i in range(30)]
    loops, is_cut = find_loops(Pair(*edge, 1) for edge in permutations(names, 2))
    assert (len(loops), is_cut) == (MAX_LOOPS, True)


def test_a_loop_is_gone_as_often_as_its_rarest_step() -> None:
    [loop], _ = find_loops([Pair("a", "b", 5), Pair("b", "c", 2), Pair("c", "a", 9)])
    assert (loop.agent_ids, loop.handoffs) == (("a", "b", "c"), 2)


def test_who_keeps_most_is_first_and_waits_are_weighted() -> None:
    pairs = [Pair("a", "b", 3, 10.0), Pair("c", "b", 1, 50.0), Pair("b", "a", 1), Pair("a", "c", 2)]
    assert find_bottlenecks(pairs) == [
        Load("b", 4, 1, 3, 20.0),
        Load("c", 2, 1, 1, None),
        Load("a", 1, 5, -4, None),
    ]
