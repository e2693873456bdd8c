"""Two sides that take turns on fresh tenants, round by round: ours, and the bare driver."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks import baseline
from benchmarks.replay import Expected
from benchmarks.server import Bench, cpu_seconds, say, settle
from benchmarks.volume import WRITERS, delete, lost
from memgraph.graph.driver import open_driver

ROUNDS = 5
WARM_UP_ROUNDS = 4
"""Rounds that do not count: a fresh server compiles our longer statements for half a minute."""

Took = tuple[float, float]
"""Seconds by the clock, and of processors."""
Side = Callable[[str], float]
"""Writes everything into a tenant; returns the seconds that count."""


def alternate(
    bench: Bench, name: str, events: int, ours: Side, base: Side, expected: Expected
) -> tuple[list[tuple[Took, Took]], int]:
    """What each round took, and how much of ours was not there afterwards."""
    rounds: list[tuple[Took, Took]] = []
    missing = 0
    for number in range(WARM_UP_ROUNDS + ROUNDS):
        own, other = (f"{name.lower()}-{who}-{uuid.uuid4()}" for who in ("ours", "baseline"))
        # Whoever goes second finds the server as the first one left it, so they take turns.
        if number % 2:
            took = timed(bench, ours, own), timed(bench, base, other)
        else:
            second = timed(bench, base, other)
            took = timed(bench, ours, own), second
        missing += lost(bench.app, own, expected)
        say(f"{name}: {events / took[0][0]:,.0f} against {events / took[1][0]:,.0f} events/s")
        if number >= WARM_UP_ROUNDS:
            rounds.append(took)
        for tenant in (own, other):
            delete(bench.app, tenant)
    return rounds, missing


def timed(bench: Bench, side: Side, tenant: str) -> Took:
    """Seconds that a side says it took, and of processors of this process and the server."""
    settle(bench.app)
    before = cpu_seconds(bench)
    seconds = side(tenant)
    settle(bench.app)
    return seconds, cpu_seconds(bench) - before


def bare(bench: Bench, tenant: str, prepared: list[list[baseline.Batch]]) -> float:
    """Write prepared rows with the bare driver, a thread for each lane."""
    database = bench.app.graph.database

    def work(lane: list[baseline.Batch]) -> None:
        with driver.session(database=database) as session:
            for batch in lane:
                baseline.write(session, tenant, batch)

    with open_driver(bench.app.settings.neo4j) as driver, ThreadPoolExecutor(WRITERS) as pool:
        began = time.perf_counter()
        for done in [pool.submit(work, lane) for lane in prepared]:
            done.result()
        return time.perf_counter() - began
