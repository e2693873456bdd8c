"""P7: streams of ours against plain iteration over the bare driver's, and how flat memory is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import neo4j

from benchmarks.server import Bench, connected, say
from benchmarks.table import Line, ratio_line
from benchmarks.volume import volume_tenant
from memgraph.bootstrap import App
from memgraph.graph.driver import open_driver
from memgraph.graph.export import export

ROUNDS = 5
FLAT_MB = 16.0
PROMPTS = """\
MATCH (p:Prompt {tenant_id: $tenant_id})
RETURN p.prompt_id AS prompt_id, p.created_at AS created_at, p.text AS text,
       p.model_id AS model_id, p.token_count AS token_count, p.user_id AS user_id"""


def run(bench: Bench) -> list[Line]:
    """Stream prompts of the volume, export a tenth of it, and look at memory at both sizes."""
    large = volume_tenant(bench, bench.nodes)
    small = volume_tenant(bench, bench.nodes // 10)
    graph = bench.app.graph
    with open_driver(bench.app.settings.neo4j) as driver:
        lines = [
            _compare(
                "P7",
                "stream of prompts",
                lambda: _count(graph.stream(PROMPTS, tenant_id=large)),
                lambda: _count_by_hand(bench, driver, [PROMPTS], large),
            ),
            _compare(
                "P7",
                "export to JSON lines, nodes and relationships",
                lambda: _export(bench.app, small),
                lambda: _count_by_hand(bench, driver, _everything(bench.app), small),
            ),
        ]
    return [*lines, *_memory(bench, small, large)]


def _compare(id_: str, what: str, ours: Callable[[], int], by_hand: Callable[[], int]) -> Line:
    rounds = []
    missing = 0
    for number in range(ROUNDS + 1):
        pair = (_rate(ours), _rate(by_hand)) if number % 2 else (_rate(by_hand), _rate(ours))[::-1]
        (rate, count), (hand_rate, hand_count) = pair
        missing += abs(count - hand_count)
        say(f"{what}: {rate:,.0f} against {hand_rate:,.0f} records/s of {count:,}")
        if number:
            rounds.append((rate, hand_rate))
    note = "by hand: the records are counted and nothing is done with them"
    return ratio_line(id_, what, "records/s", rounds, at_least=0.5, lost=missing, note=note)


def _rate(work: Callable[[], int]) -> tuple[float, int]:
    began = time.perf_counter()
    count = work()
    return count / (time.perf_counter() - began), count


def _count(rows: Iterable[object]) -> int:
    return sum(1 for _ in rows)


def _count_by_hand(bench: Bench, driver: neo4j.Driver, statements: list[str], tenant: str) -> int:
    database = bench.app.graph.database
    with driver.session(database=database, default_access_mode=neo4j.READ_ACCESS) as session:
        return sum(_count(session.run(text, tenant_id=tenant)) for text in statements)


def _everything(app: App) -> list[str]:
    """Whole nodes of each class, relationships with the keys of their ends."""
    nodes = {label: spec for label, spec in app.model.nodes.items() if spec.is_content}
    statements = [f"MATCH (n:{label} {{tenant_id: $tenant_id}}) RETURN n" for label in nodes]
    for start, type_, end in app.model.edges:
        if start in nodes and end in nodes:
            keys = [f"a.{k}" for k in nodes[start].key] + [f"b.{k}" for k in nodes[end].key]
            statements.append(
                f"MATCH (a:{start} {{tenant_id: $tenant_id}})-[r:{type_}]->(b:{end})\n"
                f"RETURN {', '.join(keys)}, properties(r)"
            )
    return statements


def _export(app: App, tenant: str) -> int:
    with TemporaryDirectory() as folder:
        totals = export(app.graph, app.model, tenant, Path(folder) / "export.jsonl")
    return totals.nodes + totals.relationships


def _memory(bench: Bench, small: str, large: str) -> list[Line]:
    """Let a fresh process per tenant say how far its memory grew."""
    grown = {}
    for tenant in (small, large):
        command = [sys.executable, "-m", "benchmarks.streaming", str(bench.data_dir), tenant]
        answer = subprocess.run(command, check=True, capture_output=True, text=True)
        grown[tenant] = json.loads(answer.stdout)
        say(f"{tenant}: memory grew by {grown[tenant]} MB")
    return [
        Line(
            "P7",
            f"{what}: growth of peak memory, {bench.nodes:,} nodes against a tenth",
            ours=grown[large][what],
            unit="MB",
            baseline=grown[small][what],
            target=f"<= {FLAT_MB:g} MB more",
            verdict=grown[large][what] - grown[small][what] <= FLAT_MB,
        )
        for what in grown[large]
    ]


def _watched(work: Callable[[], object]) -> float:
    """Run ``work`` and return by how many MB the peak of resident memory rose (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    work()
    return round((_status("VmHWM") - before) / 1024, 1)


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def main(data_dir: str, tenant: str) -> None:
    """Print how far memory grows when everything of a tenant is read."""
    with connected(Path(data_dir)) as app:
        app.reader.count("nobody")
        grown = {
            "stream": _watched(lambda: _count(app.graph.stream(PROMPTS, tenant_id=tenant))),
            "export": _watched(lambda: _export(app, tenant)),
        }
    print(json.dumps(grown))


if __name__ == "__main__":
    main(*sys.argv[1:])
