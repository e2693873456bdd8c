"""The replay of the benchmarks: real messages, moved ids and times, the same each time."""

from __future__ import annotations

from collections import Counter
from itertools import islice, takewhile
from pathlib import Path
from random import Random

import pytest

from benchmarks.replay import Replay, edges_of, turns
from memgraph.domain.events import read_event
from memgraph.services.ingest.graph_rows import to_mutation

EXCERPTS = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def replay() -> Replay:
    return Replay(EXCERPTS, seed=7)


def test_payloads_and_mutations_say_the_same(replay: Replay) -> None:
    pairs = zip(replay.payloads(2), replay.mutations(2), strict=True)
    for (home, payload), (session_id, mutation) in pairs:
        assert home == session_id
        assert to_mutation(read_event(payload)) == mutation


def test_same_seed_same_stream(replay: Replay) -> None:
    again = Replay(EXCERPTS, seed=7)
    assert list(again.payloads(2)) == list(replay.payloads(2))
    assert list(Replay(EXCERPTS, seed=8).payloads(2)) != list(replay.payloads(2))


def test_a_replay_does_not_depend_on_those_before_it(replay: Replay) -> None:
    third = [m for m in replay.mutations(1, first=2) if m[0].startswith("000002.")]
    assert third == [m for m in replay.mutations(3) if m[0].startswith("000002.")]
    assert third


def test_texts_stay_and_ids_differ(replay: Replay) -> None:
    texts: dict[str, list[str]] = {"000000": [], "000001": []}
    ids = []
    for session_id, m in replay.mutations(2):
        if m.fact is not None and m.fact[0] == "Prompt":
            texts[session_id.partition(".")[0]].append(m.fact_properties["text"])
            ids.append(m.event_id)
    assert texts["000000"] == texts["000001"]
    assert len(set(ids)) == len(ids)


def test_times_of_a_session_move_together(replay: Replay) -> None:
    at: dict[str, list[tuple[str, float]]] = {}
    for session_id, m in replay.mutations(2):
        at.setdefault(session_id, []).append((m.event_id[7:], m.occurred_at.timestamp()))
    for session_id, before in at.items():
        if not session_id.startswith("000000."):
            continue
        after = at["000001." + session_id[7:]]
        moved = {round(b[1] - a[1], 3) for a, b in zip(before, after, strict=True)}
        assert len(moved) == 1
        assert abs(moved.pop() - 86_400) < 86_400


def test_sessions_come_whole_and_in_order(replay: Replay) -> None:
    homes = [s for s, m in replay.mutations(2) if s.startswith("00000")]
    runs = [s for i, s in enumerate(homes) if i == 0 or homes[i - 1] != s]
    assert len(runs) == len(set(runs)) == 2 * replay.sessions
    assert [r[:6] for r in runs] == sorted(r[:6] for r in runs)


def test_expected_is_what_the_stream_holds(replay: Replay) -> None:
    nodes, edges = set(), set()
    sessions: Counter[str] = Counter()
    for _, m in replay.mutations(3):
        nodes |= {m.fact} if m.fact else set()
        nodes |= {*m.mentions, *(c.ref for c in m.changes)}
        for edge in edges_of(m):
            nodes |= {edge.start, edge.end}
            edges.add((edge.start, edge.type, edge.end))
        if m.place is not None:
            sessions[m.place.session_id] += 1
    expected = replay.expected(3)
    assert expected.nodes == Counter(label for label, _ in nodes)
    found = Counter(type_ for _, type_, _ in edges)
    found["FOLLOWS"] = sum(n - 1 for n in sessions.values())
    assert expected.edges == found


@pytest.mark.parametrize("nodes", [1, 1_000, 50_000])
def test_replays_make_enough_nodes_and_no_replay_more(replay: Replay, nodes: int) -> None:
    replays = replay.replays_for(nodes)
    assert sum(replay.expected(replays).nodes.values()) >= nodes
    assert replays == 1 or sum(replay.expected(replays - 1).nodes.values()) < nodes


def test_drawn_keys_exist(replay: Replay) -> None:
    random = Random(1)
    sessions = {s for s, _ in replay.mutations(4)}
    templates = {m.fact[1][0] for _, m in replay.mutations(0) if m.fact is not None}
    for _ in range(50):
        assert replay.draw_key(random, "Session", 4) in sessions
        assert replay.draw_key(random, "PromptTemplate", 4) in templates
    assert replay.draw_key(random, "Model", 4) == "gpt-4o"


def test_turns_are_pairs_of_a_session(replay: Replay) -> None:
    found = list(turns(replay.mutations(3), 40))
    assert len(found) == 80
    for (home, prompt), (same, response) in zip(found[::2], found[1::2], strict=True):
        assert home == same
        assert prompt.fact is not None and prompt.fact[0] == "Prompt"
        assert prompt.mentions == [("Session", (home,))]
        assert [(e.type, e.end) for e in response.edges] == [("RESPONDS_TO", prompt.fact)]
        assert prompt.place is not None and prompt.place.session_id == home


def test_the_stream_is_lazy(replay: Replay) -> None:
    endless = replay.mutations(10**9)
    assert len(list(islice(endless, 100))) == 100
    assert next(takewhile(lambda _: True, turns(replay.mutations(10**9), 1)))
