"""Load on the service: ``python -m benchmarks.load --clients 1,16,64,256 --seconds 10``.

A mix of writes and reads by some numbers of clients, each asking again when it is answered;
then requests at ten times the rate that was sustained, whether answered or not; then the
time until all is well again; at the end the acknowledged writes against the graph.

Without --url it starts a stack of its own. With --url the limits are those of the service:
one key is one client to it, so its rate may be what is measured.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any
from urllib.parse import urlsplit

from benchmarks.clients import Answer, Clients, Target
from benchmarks.mix import Mix
from benchmarks.server import connected, say
from benchmarks.service import UNLIMITED
from memgraph.domain.access import Role
from memgraph.local import start, stop
from memgraph.services.limits import RATES_LIFE_S

LEVELS = (1, 16, 64, 256)
SPIKE_TIMES = 10
SPIKE_CLIENTS = 512
"""Connections of the spike: what is due and has none waits here, and its time counts."""
SPIKE_S = 5.0
SHED = frozenset({429, 503})
FAST_MS = 1_000.0
RECOVERY_S = 60.0
PROBE_S = 1.0
PROBE_SHARE = 0.5
MIN_PROBES = 4.0
WARM_UP_CLIENTS = 16
WARM_UP_S = 15.0
WELL = 3.0
"""Recovered: nothing is refused, and p95 is within this factor of what it was."""
ASKED_TOGETHER = 200
HEADINGS = ("", "requests/s", "p50 ms", "p95 ms", "p99 ms", "errors by status")


@dataclass(frozen=True, slots=True)
class Level:
    """What came of one number of clients. Times of what succeeded, in milliseconds."""

    what: str
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    errors: dict[str, int]
    """By status; 0: no answer."""

    @classmethod
    def of(cls, what: str, answers: Sequence[Answer], seconds: float) -> Level:
        good = [answer.ms for answer in answers if is_good(answer)]
        errors = Counter(str(answer.status) for answer in answers if not is_good(answer))
        return cls(what, len(good) / seconds, *percentiles(good), dict(sorted(errors.items())))


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a run found."""

    levels: list[Level]
    spike: Level
    offered_per_s: float
    sent_per_s: float
    refused_p95_ms: float
    recovery_s: float | None
    """None: not within the time there was."""
    acknowledged: int
    unsure: int
    lost: int

    @property
    def faults(self) -> list[str]:
        """What is not as it must be."""
        said = []
        if strange := {s for level in self.levels for s in level.errors} - _named(SHED):
            said.append(f"errors under load: {', '.join(sorted(strange))}")
        if strange := set(self.spike.errors) - _named(SHED):
            said.append(f"errors in the spike: {', '.join(sorted(strange))}")
        if not set(self.spike.errors) & _named(SHED):
            said.append("the spike was not refused")
        if self.refused_p95_ms > FAST_MS:
            said.append(f"refusals take {self.refused_p95_ms:,.0f} ms")
        if self.recovery_s is None:
            said.append(f"no recovery within {RECOVERY_S:g} s")
        if self.lost:
            said.append(f"{self.lost} acknowledged writes are lost")
        return said


def is_good(answer: Answer) -> bool:
    return 200 <= answer.status < 300


def percentiles(values: Sequence[float]) -> tuple[float, float, float]:
    """The 50th, 95th and 99th; zeros when there are too few to say."""
    if len(values) < 2:
        return (0.0, 0.0, 0.0)
    cuts = quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print the table; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--url", help="a service that runs; without one a stack is started")
    parser.add_argument("--key", default="", help="an API key of the service that may write")
    parser.add_argument("--data-dir", type=Path, help="of the own stack, kept afterwards")
    parser.add_argument("--clients", type=_numbers, default=LEVELS, metavar="N,N,…")
    parser.add_argument("--seconds", type=float, default=10.0, help="for each number of clients")
    parser.add_argument("--warm-up-seconds", type=float, default=WARM_UP_S)
    parser.add_argument("--spike-seconds", type=float, default=SPIKE_S)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args(arguments)
    if bool(options.url) != bool(options.key):
        parser.error("--url and --key belong together")
    if options.url:
        report = run(Target(options.url, options.key), options)
    else:
        with tempfile.TemporaryDirectory(prefix="memgraph-load-") as temporary:
            report = _run_own((options.data_dir or Path(temporary)).resolve(), options)
    print(json.dumps(asdict(report), indent=2) if options.as_json else render(report))
    return 1 if report.faults else 0


def _run_own(data_dir: Path, options: argparse.Namespace) -> Report:
    with _own_stack(data_dir) as stack:
        return run(stack.target, options, stack)


def run(target: Target, options: argparse.Namespace, stack: OwnStack | None = None) -> Report:
    """Levels, spike, recovery, balance."""
    mix = Mix(target, options.seed, f"load-{uuid.uuid4()}")
    with Clients(target, mix.note) as clients:
        # A fresh server plans its statements first, some of them for seconds.
        _closed(clients, mix, WARM_UP_CLIENTS, options.warm_up_seconds)
        levels = [_closed(clients, mix, number, options.seconds) for number in options.clients]
        best = max(levels, key=lambda level: level.per_s)
        rate = max(1.0, best.per_s)
        if stack is not None:
            stack.limit(rate)
        offered = SPIKE_TIMES * rate
        say(f"spike of {offered:,.0f} requests/s")
        answers = clients.offer(mix.source(), offered, options.spike_seconds, SPIKE_CLIENTS)
        spike = Level.of("spike", answers, options.spike_seconds)
        say(f"spike: {spike}")
        refused = [answer.ms for answer in answers if answer.status in SHED]
        recovery_s = _recovery(clients, mix, best)
    return Report(
        levels,
        spike,
        offered,
        len(answers) / options.spike_seconds,
        percentiles(refused)[1],
        recovery_s,
        sum(map(len, mix.acknowledged.values())),
        mix.unsure,
        _lost(target, mix),
    )


def _closed(clients: Clients, mix: Mix, number: int, seconds: float) -> Level:
    began = time.perf_counter()
    answers = clients.run([mix.source() for _ in range(number)], seconds)
    level = Level.of(f"{number} clients", answers, time.perf_counter() - began)
    say(f"{level.what}: {level.per_s:,.0f}/s, p95 {level.p95_ms:.0f} ms, errors {level.errors}")
    return level


def _recovery(clients: Clients, mix: Mix, best: Level) -> float | None:
    """Seconds until half the sustained rate is answered again, and about as soon as before."""
    rate = max(MIN_PROBES, best.per_s * PROBE_SHARE)
    began = time.perf_counter()
    while (at := time.perf_counter() - began) < RECOVERY_S:
        answers = clients.offer(mix.source(), rate, PROBE_S, SPIKE_CLIENTS)
        level = Level.of("after the spike", answers, PROBE_S)
        say(f"{level.what}: {level.per_s:,.0f}/s, p95 {level.p95_ms:.0f} ms, {level.errors}")
        if not level.errors and level.p95_ms <= WELL * best.p95_ms:
            return at
    return None


def _lost(target: Target, mix: Mix) -> int:
    """Acknowledged writes that the service does not find."""
    lost = 0
    for kind, ids in mix.acknowledged.items():
        rest = sorted(ids)
        for first in range(0, len(rest), ASKED_TOGETHER):
            asked = rest[first : first + ASKED_TOGETHER]
            lost += len(set(asked) - _found(target, kind, asked))
    return lost


def _found(target: Target, kind: str, ids: list[str]) -> set[str]:
    field = f"{kind}_id"
    condition = {"field": field, "operator": "in", "value": ids}
    body = json.dumps({"kind": kind, "where": [condition], "limit": ASKED_TOGETHER})
    headers = {"Authorization": f"Bearer {target.key}", "Content-Type": "application/json"}
    while True:
        connection = http.client.HTTPConnection(urlsplit(target.url).netloc, timeout=60)
        try:
            connection.request("POST", "/api/v1/query", body, headers)
            answer = connection.getresponse()
            said: Any = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status == 200:
            return {item[field] for item in said["items"]}
        if answer.status not in SHED:
            raise SystemExit(f"the balance cannot be drawn: {answer.status}")
        time.sleep(int(answer.headers.get("Retry-After", 1)))


@dataclass(frozen=True)
class OwnStack:
    """A stack of this run, and a key of it."""

    target: Target
    data_dir: Path
    tenant: str

    def limit(self, per_s: float) -> None:
        """Allow the tenant what was sustained, as its operator would, and let it take effect."""
        said = json.dumps({"client_per_s": per_s, "client_burst": max(1, int(per_s))})
        with connected(self.data_dir) as app:
            app.graph.run(
                "MERGE (t:Tenant {tenant_id: $tenant_id}) SET t.limits = $said",
                tenant_id=self.tenant,
                said=said,
            )
        time.sleep(RATES_LIFE_S)


@contextmanager
def _own_stack(data_dir: Path) -> Iterator[OwnStack]:
    os.environ.update(UNLIMITED)
    state = start(data_dir, browser=False, detach=False, rest_port=8080, on_progress=say)
    try:
        tenant = f"load-{uuid.uuid4()}"
        with connected(data_dir) as app:
            _, key = app.services.access.create_key(tenant, name="load", roles=[Role.ADMIN])
        yield OwnStack(Target(state.rest or "", key), data_dir, tenant)
    finally:
        stop(data_dir)


def render(report: Report) -> str:
    """The table and what it means."""
    rows: list[tuple[str, ...]] = [
        ("", "requests/s", "p50 ms", "p95 ms", "p99 ms", "errors by status")
    ]
    for level in (*report.levels, report.spike):
        times = [f"{value:,.1f}" for value in (level.p50_ms, level.p95_ms, level.p99_ms)]
        errors = ", ".join(f"{status}: {n:,}" for status, n in level.errors.items()) or "none"
        rows.append((level.what, f"{level.per_s:,.0f}", *times, errors))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    text = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    recovery = "none" if report.recovery_s is None else f"{report.recovery_s:.1f} s"
    return "\n".join(
        [
            *(line.rstrip() for line in text),
            f"spike: {report.offered_per_s:,.0f}/s offered, {report.sent_per_s:,.0f}/s answered, "
            f"refusals p95 {report.refused_p95_ms:,.0f} ms, recovery after {recovery}",
            f"writes: {report.acknowledged:,} acknowledged, {report.lost:,} of them lost, "
            f"{report.unsure:,} unsure",
            f"{os.cpu_count()} cores, shared by clients, service and Neo4j when they are on this "
            "machine",
            "; ".join(report.faults) or "as it should be",
        ]
    )


def _named(statuses: frozenset[int]) -> set[str]:
    return {str(status) for status in statuses}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
