"""P1: the writer against the bare driver, both with two threads, on the same events."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks import baseline
from benchmarks.replay import turns
from benchmarks.server import Bench, say
from benchmarks.table import Line, ratio_line
from benchmarks.volume import WRITERS, delete, lane_of, lost
from memgraph.domain.mutations import Mutation, Outcome
from memgraph.graph.driver import open_driver

TURNS = 10_000
TURNS_IN_TRANSACTION = 500
EVENTS_IN_TRANSACTION = 1_000
ROUNDS = 7

Lanes = list[list[list[Mutation]]]


def run(bench: Bench) -> list[Line]:
    replays = TURNS // 1_000 + 2
    thin = turns(bench.replay.mutations(replays), TURNS)
    whole = _batched(thin, 2 * TURNS_IN_TRANSACTION)
    everything = _batched(bench.replay.mutations(4), EVENTS_IN_TRANSACTION)
    return [
        _compare(bench, "P1", "writer, whole turns", whole),
        _compare(bench, "P1", "writer, all that sessions hold", everything),
    ]


def _compare(bench: Bench, id_: str, what: str, lanes: Lanes) -> Line:
    """Alternate the two on fresh tenants; the first round warms up and does not count."""
    events = sum(len(batch) for lane in lanes for batch in lane)
    prepared = baseline.prepare(bench.app.model, lanes)
    expected = baseline.expected(prepared)
    rounds: list[tuple[float, float]] = []
    missing = 0
    for number in range(ROUNDS + 1):
        tenants = [f"p1-{who}-{uuid.uuid4()}" for who in ("ours", "base")]
        runs: list[Callable[[], float]] = [
            lambda t=tenants[0]: _ours(bench, t, lanes),  # type: ignore[misc]
            lambda t=tenants[1]: _baseline(bench, t, prepared),  # type: ignore[misc]
        ]
        took = [0.0, 0.0]
        # Whoever goes second finds the server as the first one left it, so they take turns.
        for which in (0, 1) if number % 2 else (1, 0):
            took[which] = runs[which]()
        missing += sum(lost(bench.app, tenant, expected) for tenant in tenants)
        for tenant in tenants:
            delete(bench.app, tenant)
        ours, base = (events / seconds for seconds in took)
        say(f"{what}: {ours:,.0f} against {base:,.0f} events/s, {ours / base:.2f}")
        if number:
            rounds.append((ours, base))
    return ratio_line(
        id_,
        what,
        "events/s",
        rounds,
        at_least=0.85,
        lost=missing,
        note=f"{WRITERS} threads; a turn is a prompt in its session, its answer and FOLLOWS; "
        f"{TURNS_IN_TRANSACTION} turns or {EVENTS_IN_TRANSACTION} events a transaction",
    )


def _batched(stream: Iterable[tuple[str, Mutation]], size: int) -> Lanes:
    lanes: list[list[Mutation]] = [[] for _ in range(WRITERS)]
    for session_id, mutation in stream:
        lanes[lane_of(session_id)].append(mutation)
    return [[lane[i : i + size] for i in range(0, len(lane), size)] for lane in lanes]


def _ours(bench: Bench, tenant: str, lanes: Lanes) -> float:
    def work(lane: list[list[Mutation]]) -> None:
        for batch in lane:
            result = bench.app.writer.write(tenant, batch)
            if result.count(Outcome.STORED) != len(batch):
                raise AssertionError(f"{result.outcomes.count(Outcome.STORED)} of {len(batch)}")

    return _in_threads(work, lanes)


def _baseline(bench: Bench, tenant: str, lanes: Sequence[Any]) -> float:
    with open_driver(bench.app.settings.neo4j) as driver:

        def work(lane: list[baseline.Batch]) -> None:
            with driver.session(database="neo4j") as session:
                for batch in lane:
                    baseline.write(session, tenant, batch)

        driver.verify_connectivity()
        return _in_threads(work, lanes)


def _in_threads(work: Callable[[Any], None], lanes: Sequence[Any]) -> float:
    """Run ``work`` on each lane at the same time; return the seconds until the last is done."""
    failures: list[BaseException] = []

    def guarded(lane: Any) -> None:
        try:
            work(lane)
        except BaseException as error:  # noqa: BLE001 - raised again below
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(lane,)) for lane in lanes]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - began
    if failures:
        raise failures[0]
    return took
