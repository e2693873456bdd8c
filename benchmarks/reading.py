"""P6: what the reader costs beside the same statements run by hand, on random roots."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from statistics import median, quantiles
from typing import Any

import neo4j

from benchmarks.server import Bench, say
from benchmarks.table import Line
from benchmarks.volume import volume_tenant
from memgraph.graph.driver import open_driver
from memgraph.graph.queries import query
from memgraph.graph.traversal import Direction, lineage_statement

ROOTS = 200
WARM_UP = 20
HUB_ROOTS = 10
P95_MS = 20.0
RATIO = 1.3


@dataclass(frozen=True, slots=True)
class _Question:
    what: str
    label: str
    """Class of the roots."""
    ask: Callable[[str], Any]
    statement: str
    parameters: Callable[[str], dict[str, Any]]
    roots: int = ROOTS


def run(bench: Bench) -> list[Line]:
    """Ask each question through the reader and by hand, in turns."""
    tenant = volume_tenant(bench, bench.nodes)
    lines: list[Line] = []
    with open_driver(bench.app.settings.neo4j) as driver:
        for question in _questions(bench, tenant):
            lines += _measure(bench, driver, tenant, question)
    return lines


def _questions(bench: Bench, tenant: str) -> Iterator[_Question]:
    reader, model = bench.app.reader, bench.app.model
    bounds = {"depth": 6, "fan_out": 50, "max_nodes": 1_000}
    walks: tuple[tuple[Direction, str], ...] = (("up", "Response"), ("down", "Prompt"))
    for direction, label in walks:
        key = model.nodes[label].key[0]
        yield _Question(
            f"lineage {direction} from a {label.lower()}",
            label,
            lambda id_, d=direction, k=label: reader.get_lineage(  # type: ignore[misc]
                tenant, k, id_, directions=(d,)
            ),
            lineage_statement(model, label, (direction,)),
            lambda id_, k=key: {k: id_, **bounds},  # type: ignore[misc]
        )
    yield _Question(
        "thread of a session",
        "Session",
        lambda id_: reader.get_thread(tenant, id_),
        query("sessions/read_thread"),
        lambda id_: {"session_id": id_, "limit": 1_000},
    )
    yield _Question(
        "impact of a template",
        "PromptTemplate",
        lambda id_: reader.get_impact(tenant, "template", id_),
        query("impact/read_template"),
        lambda id_: {"id": id_, "version": None, "limit": 10_000},
    )
    yield _Question(
        "impact of a model, its first 10,000 prompts",
        "Model",
        lambda id_: reader.get_impact(tenant, "model", id_),
        query("impact/read_model"),
        lambda id_: {"id": id_, "version": None, "limit": 10_000},
        roots=HUB_ROOTS,
    )


def _measure(
    bench: Bench, driver: neo4j.Driver, tenant: str, question: _Question
) -> Iterator[Line]:
    random = bench.random
    replays = bench.replay.replays_for(bench.nodes)
    ids = [bench.replay.draw_key(random, question.label, replays) for _ in range(question.roots)]
    runs = {"ours": question.ask, "by hand": _by_hand(bench, driver, tenant, question)}
    for id_ in ids[:WARM_UP]:
        for run_one in runs.values():
            run_one(id_)
    with _messages() as sent:
        question.ask(ids[0])
    took: dict[str, list[float]] = {name: [] for name in runs}
    for id_ in ids:
        for name in _shuffled(random, runs):
            began = time.perf_counter()
            runs[name](id_)
            took[name].append(1000 * (time.perf_counter() - began))
    ours, base = took["ours"], took["by hand"]
    say(f"{question.what}: p50 {median(ours):.1f} ms, by hand {median(base):.1f} ms")
    yield from _lines(question, ours, base, sent)


def _lines(
    question: _Question, ours: list[float], base: list[float], sent: list[str]
) -> Iterator[Line]:
    trips = sum(name in ("PULL", "DISCARD", "BEGIN", "COMMIT", "RESET") for name in sent)
    is_hub = question.roots == HUB_ROOTS
    for name, of in (("p50", median), ("p95", _p95)):
        ratio = of(ours) / of(base)
        good = ratio <= RATIO and trips == 1 and (name == "p50" or of(ours) < P95_MS)
        target = f"ratio <= {RATIO}" + (f", < {P95_MS:g} ms" if name == "p95" else "")
        yield Line(
            "P6",
            f"{question.what}, {name}",
            ours=of(ours),
            unit="ms",
            baseline=of(base),
            ratio=ratio,
            target="" if is_hub else f"{target}, 1 round trip",
            verdict=None if is_hub else good,
            note=f"{trips} round trip{'s' if trips > 1 else ''}: " + " ".join(sent),
        )


def _by_hand(
    bench: Bench, driver: neo4j.Driver, tenant: str, question: _Question
) -> Callable[[str], Any]:
    database = bench.app.graph.database

    def run_one(id_: str) -> list[neo4j.Record]:
        with driver.session(database=database, default_access_mode=neo4j.READ_ACCESS) as session:
            result = session.run(question.statement, tenant_id=tenant, **question.parameters(id_))
            return list(result)

    return run_one


def _shuffled(random: Random, names: Any) -> list[str]:
    # The second one finds the pages of the first in memory, so chance decides.
    return random.sample(list(names), len(names))


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


@contextmanager
def _messages() -> Iterator[list[str]]:
    """Collect the names of the messages that the driver sends to the server."""
    sent: list[str] = []

    class Collect(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            _, is_sent, message = record.getMessage().partition("C: ")
            if is_sent and message[0].isupper():
                sent.append(message.split()[0])

    logger, handler = logging.getLogger("neo4j.io"), Collect()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield sent
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
