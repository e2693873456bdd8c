"""P2: batches of events through `POST /api/v1/events`, against the bare driver."""

from __future__ import annotations

import gzip
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx2

from benchmarks import baseline
from benchmarks.clients import Target
from benchmarks.rounds import ROUNDS, alternate, bare
from benchmarks.server import Bench
from benchmarks.service import service
from benchmarks.table import Line, ratio_line
from benchmarks.volume import WRITERS, lane_of
from benchmarks.writing import EVENTS_IN_TRANSACTION
from memgraph.domain.access import Role
from memgraph.domain.mutations import Mutation

EVENTS = 8_000
EVENTS_IN_BODY = 500
TIMEOUT_S = 120.0


def run(bench: Bench) -> list[Line]:
    """Alternate the two."""
    replays = -(-EVENTS // bench.replay.events)
    lanes: list[list[Mutation]] = [[] for _ in range(WRITERS)]
    payloads: list[list[bytes]] = [[] for _ in range(WRITERS)]
    for session_id, mutation in bench.replay.mutations(replays):
        lanes[lane_of(session_id)].append(mutation)
    for session_id, payload in bench.replay.payloads(replays):
        payloads[lane_of(session_id)].append(payload)
    size = EVENTS_IN_TRANSACTION
    batches = [[lane[i : i + size] for i in range(0, len(lane), size)] for lane in lanes]
    prepared = baseline.prepare(bench.app.model, batches)
    bodies = [_bodies(lane) for lane in payloads]
    events = sum(map(len, lanes))
    with service(bench.app, bench.data_dir, f"p2-{uuid.uuid4()}") as served:

        def ours(tenant: str) -> float:
            _, key = bench.app.services.access.create_key(tenant, name="p2", roles=[Role.ADMIN])
            return _post(Target(served.target.url, key), bodies, events)

        rounds, missing = alternate(
            bench,
            "P2",
            events,
            ours,
            lambda tenant: bare(bench, tenant, prepared),
            baseline.expected(prepared),
        )
    speed = [(events / ours[0], events / base[0]) for ours, base in rounds]
    note = (
        f"{ROUNDS} rounds of {events:,} events, {WRITERS} clients, {EVENTS_IN_BODY} events in a "
        "body, gzip; ours validates, looks at texts, tokens and personal data, and answers after "
        "the commit"
    )
    what = "batches of events over HTTP"
    return [ratio_line("P2", what, "events/s", speed, at_least=0.6, lost=missing, note=note)]


def _bodies(payloads: Sequence[bytes]) -> list[bytes]:
    parts = range(0, len(payloads), EVENTS_IN_BODY)
    plain = [b"[" + b",".join(payloads[i : i + EVENTS_IN_BODY]) + b"]" for i in parts]
    return [gzip.compress(body, compresslevel=1) for body in plain]


def _post(target: Target, bodies: Sequence[Sequence[bytes]], events: int) -> float:
    headers = {
        "Authorization": f"Bearer {target.key}",
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }

    def work(lane: Sequence[bytes]) -> int:
        stored = 0
        with httpx2.Client(base_url=target.url, headers=headers, timeout=TIMEOUT_S) as client:
            for body in lane:
                stored += client.post("/api/v1/events", content=body).json()["stored"]
        return stored

    with ThreadPoolExecutor(WRITERS) as pool:
        began = time.perf_counter()
        stored = sum(done.result() for done in [pool.submit(work, lane) for lane in bodies])
        took_s = time.perf_counter() - began
    if stored != events:
        raise AssertionError(f"{stored} of {events} stored")
    return took_s
