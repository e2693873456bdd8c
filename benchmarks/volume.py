"""Graphs of any size: fill a tenant from the replay, count what is there, delete it again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from zlib import crc32

from benchmarks.replay import Expected
from benchmarks.server import Bench, say
from memgraph.bootstrap import App
from memgraph.domain.mutations import Mutation

WRITERS = 2
BATCH = 1_000
_SAY_EVERY = 100_000


def lane_of(session_id: str) -> int:
    """The writer that a session belongs to."""
    return crc32(session_id.encode()) % WRITERS


def volume_tenant(bench: Bench, nodes: int) -> str:
    """Name the tenant with a replay of at least so many nodes, filled when it is not there."""
    replays = bench.replay.replays_for(nodes)
    tenant = f"volume-{bench.replay.folder.parent.name}-{bench.seed}-{replays}"
    expected = bench.replay.expected(replays)
    if lost(bench.app, tenant, expected) == 0:
        say(f"{tenant}: {sum(expected.nodes.values()):,} nodes are there already")
        return tenant
    began = time.monotonic()
    written = 0
    for count in _written(bench.app, tenant, bench.replay.mutations(replays)):
        if (written + count) // _SAY_EVERY > written // _SAY_EVERY:
            rate = (written + count) / (time.monotonic() - began)
            say(f"{tenant}: {written + count:,} events, {rate:,.0f}/s")
        written += count
    gone = lost(bench.app, tenant, expected)
    if gone:
        raise AssertionError(f"{gone} nodes and relationships were lost in {tenant}")
    say(f"{tenant}: filled in {time.monotonic() - began:.0f} s, nothing lost")
    return tenant


def _written(app: App, tenant: str, stream: Iterable[tuple[str, Mutation]]) -> Iterator[int]:
    """Write a stream in lanes, one batch of each under way; yield the size of each batch."""
    lanes: list[list[Mutation]] = [[] for _ in range(WRITERS)]
    under_way: list[Future[object] | None] = [None] * WRITERS

    def flush(number: int) -> int:
        before, batch = under_way[number], lanes[number]
        if before is not None:
            before.result()
        under_way[number] = pool.submit(app.writer.write, tenant, batch) if batch else None
        lanes[number] = []
        return len(batch)

    with ThreadPoolExecutor(WRITERS) as pool:
        for session_id, mutation in stream:
            lane = lane_of(session_id)
            lanes[lane].append(mutation)
            if len(lanes[lane]) == BATCH:
                yield flush(lane)
        for lane in (*range(WRITERS), *range(WRITERS)):
            yield flush(lane)


def count(app: App, tenant: str) -> Expected:
    """Count a tenant by plain statements that share nothing with the reader."""
    nodes = {
        label: app.graph.read(
            f"MATCH (n:{label} {{tenant_id: $tenant_id}}) RETURN count(n) AS n", tenant_id=tenant
        )[0]["n"]
        for label, spec in app.model.nodes.items()
        if spec.is_content
    }
    edges: dict[str, int] = {}
    for start, type_, end in app.model.edges:
        path = f"(:{start} {{tenant_id: $tenant_id}})-[r:{type_}]->(:{end})"
        found = app.graph.read(f"MATCH {path} RETURN count(r) AS n", tenant_id=tenant)
        edges[type_] = edges.get(type_, 0) + found[0]["n"]
    return Expected(nodes, edges)


def lost(app: App, tenant: str, expected: Expected) -> int:
    """Nodes and relationships that are too few or too many, by label and type."""
    found = count(app, tenant)
    pairs = [(expected.nodes, found.nodes), (expected.edges, found.edges)]
    return sum(
        abs(want.get(name, 0) - have.get(name, 0))
        for want, have in pairs
        for name in {*want, *have}
    )


def delete(app: App, tenant: str) -> None:
    """Delete a tenant and everything in it."""
    for label in app.model.nodes:
        app.graph.run(
            f"MATCH (n:{label} {{tenant_id: $tenant_id}}) "
            "CALL (n) { DETACH DELETE n } IN TRANSACTIONS OF 1000 ROWS",
            tenant_id=tenant,
        )
