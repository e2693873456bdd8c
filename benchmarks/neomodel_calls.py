"""P11: the writer against neomodel's own calls, on the same classes and rows."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from typing import Any

import neomodel

from benchmarks.server import Bench, say
from benchmarks.table import Line, ratio_line
from benchmarks.volume import WRITERS, count, delete, lane_of
from memgraph.domain.mutations import Edge, Mutation
from memgraph.domain.nodes import Prompt, Session
from memgraph.graph.driver import open_driver

NODES = 2_000
EDGES = 100
OUR_EDGES = 10_000
BATCH = 500
ROUNDS = 3


def run(bench: Bench) -> list[Line]:
    """Alternate the two: prompts without relationships, then prompts into their sessions."""
    prompts = list(islice(_prompts(bench), OUR_EDGES))
    nodes: list[tuple[float, float]] = []
    edges: list[tuple[float, float]] = []
    missing = 0
    with open_driver(bench.app.settings.neo4j) as driver:
        neomodel.db.set_connection(driver=driver)
        for number in range(ROUNDS + 1):
            tenant, other = (f"p11-{who}-{uuid.uuid4()}" for who in ("ours", "neomodel"))
            node_rates = (_our_nodes(bench, tenant, prompts), _their_nodes(other, prompts[:NODES]))
            edge_rates = (_our_edges(bench, tenant, prompts), _their_edges(other, prompts[:EDGES]))
            missing += _missing(bench, tenant, len(prompts))
            say(f"nodes {node_rates[0]:,.0f} against {node_rates[1]:,.0f}/s")
            say(f"relationships {edge_rates[0]:,.0f} against {edge_rates[1]:,.0f}/s")
            if number:
                nodes.append(node_rates)
                edges.append(edge_rates)
            for each in (tenant, other):
                delete(bench.app, each)
    note = f"neomodel in one thread, as its calls are; the writer in {WRITERS}"
    return [
        ratio_line(
            "P11",
            f"prompts: {len(prompts):,} of ours, {NODES:,} by bulk_create_or_update",
            "nodes/s",
            nodes,
            at_least=4,
            lost=missing,
            note=note,
        ),
        ratio_line(
            "P11",
            f"PART_OF: {len(prompts):,} of ours, {EDGES:,} by get, get, connect",
            "relationships/s",
            edges,
            at_least=100,
            note=note,
        ),
    ]


def _prompts(bench: Bench) -> Iterator[tuple[str, Mutation]]:
    replays = -(-OUR_EDGES // bench.replay.expected(1).nodes["Prompt"])
    for session_id, m in bench.replay.mutations(replays):
        if m.fact is not None and m.fact[0] == "Prompt":
            alone = replace(m, mentions=[("Session", (session_id,))], changes=[], edges=[])
            yield session_id, replace(alone, place=None)


def _our_nodes(bench: Bench, tenant: str, prompts: list[tuple[str, Mutation]]) -> float:
    return _write(bench, tenant, [(s, replace(m, mentions=[])) for s, m in prompts])


def _our_edges(bench: Bench, tenant: str, prompts: list[tuple[str, Mutation]]) -> float:
    named = [(s, Mutation(m.event_id, m.occurred_at, mentions=m.mentions)) for s, m in prompts]
    _write(bench, tenant, named)
    edges = []
    for session_id, m in prompts:
        edge = Edge(("Prompt", (m.event_id,)), "PART_OF", ("Session", (session_id,)))
        edges.append((session_id, Mutation(m.event_id, m.occurred_at, edges=[edge])))
    return _write(bench, tenant, edges)


def _write(bench: Bench, tenant: str, mutations: list[tuple[str, Mutation]]) -> float:
    """Write in lanes; return the rate."""
    lanes: list[list[Mutation]] = [[] for _ in range(WRITERS)]
    for session_id, mutation in mutations:
        lanes[lane_of(session_id)].append(mutation)

    def work(lane: list[Mutation]) -> None:
        for at in range(0, len(lane), BATCH):
            bench.app.writer.write(tenant, lane[at : at + BATCH])

    began = time.perf_counter()
    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(work, lanes))
    return len(mutations) / (time.perf_counter() - began)


def _their_nodes(tenant: str, prompts: list[tuple[str, Mutation]]) -> float:
    rows: list[dict[str, Any]] = []
    for _, m in prompts:
        said = {n: v for n, v in m.fact_properties.items() if v is not None}
        rows.append({"tenant_id": tenant, "prompt_id": m.event_id, **said})
    key = {"keys": ["tenant_id", "prompt_id"]}
    began = time.perf_counter()
    for at in range(0, len(rows), BATCH):
        Prompt.nodes.bulk_create_or_update(*rows[at : at + BATCH], merge_by=key, lazy=True)
    return len(rows) / (time.perf_counter() - began)


def _their_edges(tenant: str, prompts: list[tuple[str, Mutation]]) -> float:
    sessions = {session_id: m.occurred_at for session_id, m in prompts}
    rows = [
        {"tenant_id": tenant, "session_id": session_id, "created_at": at}
        for session_id, at in sessions.items()
    ]
    key = {"keys": ["tenant_id", "session_id"]}
    Session.nodes.bulk_create_or_update(*rows, merge_by=key, lazy=True)
    began = time.perf_counter()
    for session_id, m in prompts:
        prompt = Prompt.nodes.get(tenant_id=tenant, prompt_id=m.event_id)
        session = Session.nodes.get(tenant_id=tenant, session_id=session_id)
        prompt.session.connect(session)
    return len(prompts) / (time.perf_counter() - began)


def _missing(bench: Bench, tenant: str, prompts: int) -> int:
    found = count(bench.app, tenant)
    return abs(prompts - found.nodes["Prompt"]) + abs(prompts - found.edges["PART_OF"])
