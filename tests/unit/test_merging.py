"""Last writer wins, whatever the order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from memgraph.domain.merging import Clock, Folded, LivingState, beats, clock_of
from memgraph.domain.mutations import WEAK
from memgraph.ids import iso

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = frozenset({"title", "status", "tags"})

changes = st.lists(
    st.tuples(
        st.sampled_from([WEAK, 0, 1, 2]),
        st.integers(0, 5),
        st.dictionaries(st.sampled_from(sorted(NAMES)), st.integers(0, 3), min_size=1),
    ),
    max_size=8,
).map(
    # One event id per event: two events never share a clock.
    lambda drawn: [
        (clock_of(rank, NOW + timedelta(seconds=second), f"e{i}"), values)
        for i, (rank, second, values) in enumerate(drawn)
    ]
)


def folded(drawn: list[tuple[Clock, dict[str, Any]]]) -> dict[str, Any]:
    state = LivingState()
    for clock, values in drawn:
        state.fold(values, clock, final=False)
    state.seen(iso(NOW), changed_by=True)
    return state.row()


@given(changes, st.randoms(use_true_random=False))
def test_the_order_of_changes_does_not_show(
    drawn: list[tuple[Clock, dict[str, Any]]], rng: Any
) -> None:
    shuffled = list(drawn)
    rng.shuffle(shuffled)
    assert folded(shuffled) == folded(drawn)


@given(changes)
def test_a_stored_state_reads_back_and_knows_every_change(
    drawn: list[tuple[Clock, dict[str, Any]]],
) -> None:
    row = folded(drawn)
    state = LivingState.stored(row, NAMES)
    for clock, values in drawn:
        assert state.fold(values, clock, final=False) is Folded.UNCHANGED
    state.seen(iso(NOW), changed_by=True)
    assert state.row() == row


@given(changes)
def test_what_changes_nothing_now_changes_nothing_later(
    drawn: list[tuple[Clock, dict[str, Any]]],
) -> None:
    state = LivingState()
    idle = []
    for clock, values in drawn:
        if state.fold(values, clock, final=False) is Folded.UNCHANGED:
            idle.append((clock, values))
        assert all(state.fold(v, c, final=False) is Folded.UNCHANGED for c, v in idle)


def test_the_higher_rank_then_the_later_time_wins_and_in_passing_the_first() -> None:
    early, late = clock_of(0, NOW, "a"), clock_of(0, NOW + timedelta(seconds=1), "a")
    assert beats(late, early)
    assert not beats(early, late)
    assert beats(clock_of(1, NOW, "a"), late)
    assert beats(early, clock_of(WEAK, NOW, "a"))
    assert beats(clock_of(WEAK, NOW, "a"), clock_of(WEAK, NOW, "b"))


def test_equal_clocks_with_other_values_conflict_and_leave_the_state() -> None:
    state = LivingState()
    clock = clock_of(0, NOW, "e")
    state.fold({"title": 1}, clock, final=False)
    assert state.fold({"title": 2, "status": 1}, clock, final=False) is Folded.CONFLICT
    assert state.values == {"title": 1}


def test_a_second_final_word_of_a_rank_conflicts_unless_it_says_the_same() -> None:
    state = LivingState()
    state.fold({"status": 1}, clock_of(1, NOW, "a"), final=True)
    later = NOW + timedelta(seconds=1)
    assert state.fold({"status": 2}, clock_of(1, later, "b"), final=True) is Folded.CONFLICT
    assert state.fold({"status": 1}, clock_of(1, later, "b"), final=True) is Folded.UNCHANGED
    assert state.fold({"status": 2}, clock_of(3, later, "c"), final=True) is Folded.CHANGED


def test_times_keep_the_earliest_naming_and_the_newest_word() -> None:
    state = LivingState()
    for offset, said in ((5, True), (1, False), (9, False), (7, True)):
        state.seen(iso(NOW + timedelta(seconds=offset)), changed_by=said)
    assert state.created_at == iso(NOW + timedelta(seconds=1))
    assert state.updated_at == iso(NOW + timedelta(seconds=7))
