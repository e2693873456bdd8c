"""P1: the writer against the bare driver, both with two threads, on the same events."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from benchmarks import baseline
from benchmarks.replay import turns
from benchmarks.server import Bench, cpu_seconds, say, settle
from benchmarks.table import Line, ratio_line
from benchmarks.volume import WRITERS, delete, lane_of, lost
from memgraph.domain.mutations import Mutation, Outcome
from memgraph.graph.driver import open_driver

TURNS = 4_000
TURNS_IN_TRANSACTION = 500
EVENTS_IN_TRANSACTION = 1_000
ROUNDS = 9
FEWEST_ROUNDS = 3
BUDGET_S = 75.0
"""Rounds end when they took so long, however few cores there are."""

Lanes = list[list[Any]]
"""Per writer its batches."""


@dataclass(frozen=True, slots=True)
class _Took:
    seconds: float
    cpu_seconds: float
    """Of this process and the server."""


def run(bench: Bench) -> list[Line]:
    """Compare on turns alone, then on everything that real sessions hold."""
    replays = -(-TURNS // sum(1 for _ in turns(bench.replay.mutations(1), TURNS)))
    thin = turns(bench.replay.mutations(replays), TURNS)
    everything = bench.replay.mutations(-(-2 * TURNS // bench.replay.events))
    lines = _compare(bench, "writer, whole turns", _batched(thin, 2 * TURNS_IN_TRANSACTION))
    lines += _compare(
        bench, "writer, all that sessions hold", _batched(everything, EVENTS_IN_TRANSACTION)
    )
    return lines


def _compare(bench: Bench, what: str, lanes: Lanes) -> list[Line]:
    """Alternate the two on fresh tenants; the first round warms up and does not count."""
    prepared = baseline.prepare(bench.app.model, lanes)
    expected = baseline.expected(prepared)
    events = sum(len(batch) for lane in lanes for batch in lane) - len(lanes[0][0])
    rounds: list[tuple[_Took, _Took]] = []
    tenants: list[str] = []
    missing = not_made = retries = 0
    began = time.monotonic()
    for number in range(ROUNDS + 1):
        if number > FEWEST_ROUNDS and time.monotonic() - began > BUDGET_S:
            break
        own, other = (f"p1-{who}-{uuid.uuid4()}" for who in ("ours", "baseline"))
        tenants += (own, other)
        # Whoever goes second finds the server as the first one left it, so they take turns.
        if number % 2:
            ours, again = _ours(bench, own, lanes)
            base = _baseline(bench, other, prepared)
        else:
            base = _baseline(bench, other, prepared)
            ours, again = _ours(bench, own, lanes)
        missing += lost(bench.app, own, expected)
        not_made += lost(bench.app, other, expected)
        say(
            f"{what}: {events / ours.seconds:,.0f} against {events / base.seconds:,.0f} events/s, "
            f"{base.seconds / ours.seconds:.2f}; processor time {ours.cpu_seconds:.1f} against "
            f"{base.cpu_seconds:.1f} s, {ours.cpu_seconds / base.cpu_seconds:.2f}"
        )
        if number:
            rounds.append((ours, base))
            retries += again
    for tenant in tenants:
        delete(bench.app, tenant)
    note = (
        f"{WRITERS} threads, {len(rounds)} rounds of {events:,} events; a turn is a prompt in "
        f"its session, the last answer to it, and FOLLOWS; {TURNS_IN_TRANSACTION} turns or "
        f"{EVENTS_IN_TRANSACTION:,} events a transaction; {retries} transactions of ours ran twice"
    )
    if not_made:
        note += f"; the baseline left out {not_made:,} edges whose ends came later"
    speed = [(events / ours.seconds, events / base.seconds) for ours, base in rounds]
    cpu = [(1e6 * o.cpu_seconds / events, 1e6 * b.cpu_seconds / events) for o, b in rounds]
    return [
        ratio_line("P1", what, "events/s", speed, at_least=0.85, lost=missing, note=note),
        ratio_line("P1", "  its processor time, client and server", "us/event", cpu),
    ]


def _batched(stream: Iterable[tuple[str, Mutation]], size: int) -> Lanes:
    lanes: list[list[Mutation]] = [[] for _ in range(WRITERS)]
    for session_id, mutation in stream:
        lanes[lane_of(session_id)].append(mutation)
    return [[lane[i : i + size] for i in range(0, len(lane), size)] for lane in lanes]


def _ours(bench: Bench, tenant: str, lanes: Lanes) -> tuple[_Took, int]:
    """Write with the writer; also count the transactions that had to run again."""
    again = 0

    def write(batch: list[Mutation]) -> None:
        nonlocal again
        result = bench.app.writer.write(tenant, batch)
        again += result.attempts - 1
        if result.count(Outcome.STORED) != len(batch):
            raise AssertionError(f"{result.count(Outcome.STORED)} of {len(batch)} stored")

    def work(lane: list[list[Mutation]]) -> None:
        for batch in lane:
            write(batch)

    return _timed(bench, write, work, lanes), again


def _baseline(bench: Bench, tenant: str, lanes: Lanes) -> _Took:
    database = bench.app.graph.database

    def write(batch: baseline.Batch) -> None:
        work([batch])

    def work(lane: list[baseline.Batch]) -> None:
        with driver.session(database=database) as session:
            for batch in lane:
                baseline.write(session, tenant, batch)

    with open_driver(bench.app.settings.neo4j) as driver:
        return _timed(bench, write, work, lanes)


def _timed(
    bench: Bench, write: Callable[[Any], None], work: Callable[[list[Any]], None], lanes: Lanes
) -> _Took:
    """Time all lanes but the first batch, which makes what everybody shares."""
    write(lanes[0][0])
    rest = [lanes[0][1:], *lanes[1:]]
    settle(bench.app)
    began, cpu = time.perf_counter(), cpu_seconds(bench)
    with ThreadPoolExecutor(WRITERS) as pool:
        for done in [pool.submit(work, lane) for lane in rest]:
            done.result()
    seconds = time.perf_counter() - began
    settle(bench.app)
    return _Took(seconds, cpu_seconds(bench) - cpu)
