"""P4 and P5: single prompts written and read through the service, against the bare driver."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from statistics import median, quantiles
from typing import Any

import neo4j

from benchmarks import baseline
from benchmarks.clients import Clients, Request, Target
from benchmarks.replay import Replay
from benchmarks.server import Bench, say, settle
from benchmarks.service import resident_mb, service
from benchmarks.table import Line, ratio_line
from benchmarks.volume import volume_tenant
from memgraph.bootstrap import App
from memgraph.domain.mutations import Mutation
from memgraph.graph.driver import open_driver

CLIENTS = 64
ROUNDS = 4
SECONDS = 4.0
PROMPTS_IN_SESSION = 10
P4_RATIO = 3.0
P4_P95_RATIO = 3.0
MADE = 10_000
"""Rows by hand that are made before the time of a round begins."""
OURS = "bench-"
"""How everything begins that is written here, so that it can be deleted again."""

READS = 400
WARM_UP = 50
ADDED_MS = 2.0
CACHED_MS = 2.0
WORKER_MB = 200.0
READ = "MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: $prompt_id}) RETURN p"


@dataclass(frozen=True, slots=True)
class Written:
    """What one way of writing did in one round."""

    per_s: float
    p95_ms: float
    ids: frozenset[str]
    """Of prompts that were acknowledged."""
    refused: int = 0


def write(bench: Bench) -> list[Line]:
    """P4: prompts one by one over HTTP, against one row per transaction by hand."""
    tenant = volume_tenant(bench, bench.nodes)
    try:
        return _write(bench, tenant)
    finally:
        # The tenant must be again what the others read.
        _delete(bench.app, tenant)
        settle(bench.app)


def read(bench: Bench) -> list[Line]:
    """P5: one prompt by its key over HTTP, against a point read by hand, in turns."""
    tenant = volume_tenant(bench, bench.nodes)
    random = bench.random
    replays = bench.replay.replays_for(bench.nodes)
    ids = [bench.replay.draw_key(random, "Prompt", replays) for _ in range(WARM_UP + READS)]
    took: dict[str, list[float]] = {"fresh": [], "cached": [], "by hand": []}
    with (
        service(bench.app, bench.data_dir, tenant) as served,
        Clients(served.target) as clients,
        open_driver(bench.app.settings.neo4j) as driver,
    ):
        ways = {
            "fresh": lambda id_: _get(served.target, clients, id_, is_cached=False),
            "cached": lambda id_: _get(served.target, clients, id_, is_cached=True),
            "by hand": lambda id_: _get_by_hand(bench, driver, tenant, id_),
        }
        for id_ in ids:
            clients.run([iter([_prompt(served.target, id_)])], 60)
            for name in random.sample(list(ways), len(ways)):
                took[name].append(ways[name](id_))
    return list(read_lines({name: values[WARM_UP:] for name, values in took.items()}))


class Said:
    """Real prompts to say again, under new ids."""

    def __init__(self, replay: Replay) -> None:
        self.bodies = [
            {"prompt": event["prompt"], "model": event["model"]}
            for event in (json.loads(payload) for _, payload in replay.payloads(1))
            if event["type"] == "prompt"
        ]
        self.mutations = [
            m for _, m in replay.mutations(1) if m.fact is not None and m.fact[0] == "Prompt"
        ]

    def requests(self, target: Target) -> Iterator[Request]:
        """Prompts of one client, in sessions of an ordinary length."""
        client = f"{OURS}{uuid.uuid4()}"
        for number in count():
            id_ = f"{client}-{number}"
            body = {"id": id_, **self.bodies[number % len(self.bodies)]}
            session = f"{client}-{number // PROMPTS_IN_SESSION}"
            yield target.request("POST", f"/api/v1/sessions/{session}/prompts", body, about=id_)

    def rows(self) -> list[Mutation]:
        """The prompts alone, without anything that they point to."""
        batch = f"{OURS}{uuid.uuid4()}"
        return [
            replace(
                self.mutations[number % len(self.mutations)],
                fact=("Prompt", (f"{batch}-{number}",)),
                changes=[],
                mentions=[],
                edges=[],
                place=None,
            )
            for number in range(MADE)
        ]


class _ByHand:
    """One row per managed transaction, with the best statement we know."""

    def __init__(self, bench: Bench, driver: neo4j.Driver, tenant: str, said: Said) -> None:
        self._bench = bench
        self._driver = driver
        self._tenant = tenant
        self._said = said

    def write(self, threads: int) -> Written:
        """Write with so many threads for the time of a round."""
        lanes = [[[mutation] for mutation in self._said.rows()]]
        [rows] = baseline.prepare(self._bench.app.model, lanes)
        settle(self._bench.app)
        feed, lock = iter(rows), threading.Lock()
        until = time.perf_counter() + SECONDS

        def work(_: int) -> list[float]:
            took: list[float] = []
            with self._driver.session(database=self._bench.app.graph.database) as session:
                while (began := time.perf_counter()) < until:
                    with lock:
                        batch = next(feed, None)
                    if batch is None:
                        raise AssertionError("more rows must be made for a machine this fast")
                    baseline.write(session, self._tenant, batch)
                    took.append(1000 * (time.perf_counter() - began))
            return took

        began = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            took = [ms for lane in pool.map(work, range(threads)) for ms in lane]
        return Written(len(took) / (time.perf_counter() - began), _p95(took), frozenset())


def _post(target: Target, clients: Clients, said: Said) -> Written:
    began = time.perf_counter()
    answers = clients.run([said.requests(target) for _ in range(CLIENTS)], SECONDS)
    seconds = time.perf_counter() - began
    good = [answer for answer in answers if answer.status == 201]
    return Written(
        len(good) / seconds,
        _p95([answer.ms for answer in answers]),
        frozenset(answer.request.about for answer in good),
        len(answers) - len(good),
    )


def _prompt(target: Target, id_: str, **headers: str) -> Request:
    return target.request("GET", f"/api/v1/prompts/{id_}", headers=headers)


def _get(target: Target, clients: Clients, id_: str, *, is_cached: bool) -> float:
    headers = {} if is_cached else {"Cache-Control": "no-cache"}
    [answer] = clients.run([iter([_prompt(target, id_, **headers)])], 60)
    if answer.status != 200 or (b"x-cache: hit" in answer.head.lower()) is not is_cached:
        raise AssertionError(f"a prompt of the volume answers {answer.status}, or not as asked")
    return answer.ms


def _get_by_hand(bench: Bench, driver: neo4j.Driver, tenant: str, id_: str) -> float:
    began = time.perf_counter()
    database = bench.app.graph.database
    with driver.session(database=database, default_access_mode=neo4j.READ_ACCESS) as session:
        session.run(READ, tenant_id=tenant, prompt_id=id_).single(strict=True)
    return 1000 * (time.perf_counter() - began)


def _write(bench: Bench, tenant: str) -> list[Line]:
    said = Said(bench.replay)
    rounds: list[tuple[Written, Written, Written]] = []
    with (
        service(bench.app, bench.data_dir, tenant) as served,
        Clients(served.target) as clients,
        open_driver(bench.app.settings.neo4j) as driver,
    ):
        hand = _ByHand(bench, driver, tenant, said)
        for number in range(ROUNDS):
            # Whoever goes second finds the server as the first one left it, so they take turns.
            if number % 2:
                ours = _post(served.target, clients, said)
                base, many = hand.write(1), hand.write(CLIENTS)
            else:
                base, many = hand.write(1), hand.write(CLIENTS)
                ours = _post(served.target, clients, said)
            say(
                f"prompts one by one: {ours.per_s:,.0f}/s, p95 {ours.p95_ms:.0f} ms; by hand "
                f"{base.per_s:,.0f}/s, with {CLIENTS} threads {many.per_s:,.0f}/s, "
                f"p95 {many.p95_ms:.0f} ms"
            )
            rounds.append((ours, base, many))
        worker_mb = [resident_mb(pid) for pid in served.workers]
    stored = _stored(bench.app, tenant)
    lost = sum(len(ours.ids - stored) for ours, _, _ in rounds)
    return [*write_lines(bench, rounds[1:], lost, len(worker_mb)), _memory(worker_mb)]


def write_lines(
    bench: Bench, rounds: list[tuple[Written, Written, Written]], lost: int, workers: int
) -> list[Line]:
    acknowledged = sum(len(ours.ids) for ours, _, _ in rounds)
    refused = sum(ours.refused for ours, _, _ in rounds)
    threads = bench.app.settings.api.threads
    note = (
        f"{CLIENTS} clients, workers: {workers}, threads of each: {threads}; "
        f"{acknowledged:,} acknowledged in {len(rounds)} rounds, {refused} refused; ours: prompt, "
        "session, model and edges, by hand: the prompt alone in a transaction, clients, service "
        "and Neo4j share the cores"
    )
    return [
        ratio_line(
            "P4",
            "POST of a prompt, against one thread by hand",
            "prompts/s",
            [(ours.per_s, base.per_s) for ours, base, _ in rounds],
            at_least=P4_RATIO,
            lost=lost,
            note=note,
        ),
        ratio_line(
            "P4",
            f"  p95, against {CLIENTS} threads by hand",
            "ms",
            [(ours.p95_ms, many.p95_ms) for ours, _, many in rounds],
            at_most=P4_P95_RATIO,
        ),
        ratio_line(
            "P4",
            f"  rate, against {CLIENTS} threads by hand",
            "prompts/s",
            [(ours.per_s, many.per_s) for ours, _, many in rounds],
        ),
    ]


def _memory(worker_mb: list[float]) -> Line:
    return Line(
        "P4",
        "  resident memory of a worker after it",
        ours=max(worker_mb),
        unit="MB",
        target=f"< {WORKER_MB:g} MB",
        verdict=max(worker_mb) < WORKER_MB,
    )


def read_lines(took: dict[str, list[float]]) -> Iterator[Line]:
    base = took["by hand"]
    limits = {"fresh": _p95(base) + ADDED_MS, "cached": CACHED_MS}
    targets = {"fresh": f"<= baseline + {ADDED_MS:g} ms", "cached": f"< {CACHED_MS:g} ms"}
    for name in limits:
        for figure, of in (("p50", median), ("p95", _p95)):
            ours = of(took[name])
            is_promised = figure == "p95"
            yield Line(
                "P5",
                f"GET of a prompt, {name}, {figure}",
                ours=ours,
                unit="ms",
                baseline=of(base),
                ratio=ours / of(base),
                target=targets[name] if is_promised else "",
                verdict=ours <= limits[name] if is_promised else None,
                note=f"{len(base)} reads in turns with a point read by hand",
            )


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


def _stored(app: App, tenant: str) -> set[str]:
    rows: list[dict[str, Any]] = app.graph.read(
        "MATCH (p:Prompt {tenant_id: $tenant_id}) WHERE p.prompt_id STARTS WITH $ours "
        "RETURN p.prompt_id AS id",
        tenant_id=tenant,
        ours=OURS,
    )
    return {row["id"] for row in rows}


def _delete(app: App, tenant: str) -> None:
    for label, key in (("Prompt", "prompt_id"), ("Session", "session_id")):
        app.graph.run(
            f"MATCH (n:{label} {{tenant_id: $tenant_id}}) WHERE n.{key} STARTS WITH $ours "
            "CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 1000 ROWS",
            tenant_id=tenant,
            ours=OURS,
        )
