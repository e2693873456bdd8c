"""Check the promise: ``python -m benchmarks.chaos --events 20000 --faults 20``.

Sends generated events through `POST /api/v1/events` while things are killed, stopped and
emptied; then prints what became of every event, and the digest of the graph against that of
the same events on a quiet day. Exit code 1 when anything is lost, doubled or otherwise.
It runs a stack of its own, and on Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx2
import orjson
import redis

from benchmarks.server import connected, say
from benchmarks.service import Service, service
from memgraph.bootstrap import App
from memgraph.graph import migrations
from memgraph.graph.digest import digest
from memgraph.ids import now
from memgraph.local import find, start, stop
from memgraph.services.enrichment.items import Item

CHAOS, CALM = "chaos", "calm"
SENDERS = 4
BATCH = 200
BROKEN_SHARE = 0.1
LARGE_CHARS = 1_000_000
FIGURES = ("received", "stored", "duplicate", "rejected", "dead_lettered")
OUTAGE_S = 30.0
GIVE_UP_S = 600.0
PAUSES_S = (2.0, 6.0)
"""Shortest and longest time between two faults."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found."""

    events: int
    broken: int
    faults: Mapping[str, int]
    sent_again: int
    ledger: Mapping[str, int]
    digest: str
    calm_digest: str
    seconds: float

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing doubled, every sum right."""
        good = self.events - self.broken
        settled = sum(self.ledger[name] for name in FIGURES[1:])
        return (
            self.digest == self.calm_digest
            and self.ledger["stored"] == good
            and self.ledger["received"] == settled
            and self.ledger["dead_lettered"] == 0
        )


def generate(count: int, random: Random) -> list[bytes]:
    """Events in sessions: prompts, their responses and tool calls; a tenth of them is broken."""
    first = now() - timedelta(days=1)
    events = []
    for n in range(count):
        at = (first + timedelta(seconds=n)).isoformat()
        turn, kind = divmod(n, 3)
        session = f"s{turn % 97}"
        event: dict[str, Any] = {"event_id": f"e{n}", "timestamp": at}
        if kind == 0:
            text = f"question {turn} " * random.randint(1, 30)
            about = {"id": session, "userId": f"u{turn % 17}"}
            event |= {"prompt": {"text": text}, "session": about, "model": {"id": "m"}}
        elif kind == 1:
            call = {"id": f"t{turn}", "function": {"name": "look", "arguments": "{}"}}
            body = {"text": f"answer {turn}", "tool_calls": [call]}
            event |= {"prompt_event_id": f"e{n - 1}", "response": body, "model": {"id": "m"}}
        else:
            event |= {"type": "tool", "invocation_id": f"t{turn}", "status": "success"}
            event |= {"tool_name": "look", "result": {"turn": turn}, "duration_ms": turn % 100}
        if random.random() < BROKEN_SHARE:
            event["unknown_field"] = 1
        events.append(orjson.dumps(event))
    return events


def batches(events: Sequence[bytes], random: Random) -> list[bytes]:
    """Bodies in any order of their events, each with a large one."""
    shuffled = list(events)
    random.shuffle(shuffled)
    bodies = []
    for number, at in enumerate(range(0, len(shuffled), BATCH)):
        large = orjson.dumps(
            {
                "event_id": f"large{number}",
                "timestamp": (now() + timedelta(hours=1)).isoformat(),  # a clock that is wrong
                "prompt": {"text": "x" * LARGE_CHARS},
                "session": {"id": f"large{number}"},
            }
        )
        bodies.append(b"[" + b",".join([*shuffled[at : at + BATCH], large]) + b"]")
    return bodies


@dataclass
class Senders:
    """Send every body until it is answered, as a careful client does."""

    target: Any
    bodies: Sequence[bytes]
    sent_again: int = 0
    answered: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        with ThreadPoolExecutor(SENDERS) as pool:
            for done in [pool.submit(self._deliver, body) for body in self.bodies]:
                done.result()

    def _deliver(self, body: bytes) -> None:
        give_up = time.monotonic() + GIVE_UP_S
        headers = {"Authorization": f"Bearer {self.target.key}", "Content-Type": "application/json"}
        while time.monotonic() < give_up:
            try:
                answer = httpx2.post(
                    f"{self.target.url}/api/v1/events", content=body, headers=headers, timeout=60
                )
            except httpx2.HTTPError:
                answer = None
            if answer is not None and answer.status_code in (200, 207):
                with self._lock:
                    self.answered += 1
                return
            with self._lock:
                self.sent_again += 1
            time.sleep(0.5)
        raise SystemExit("a body was not answered in time")


@dataclass
class Faults:
    """Things that break, one after the other, while events are sent."""

    data_dir: Path
    service: Service
    random: Random
    count: int
    done: Counter[str] = field(default_factory=Counter)

    def run(self, is_over: Callable[[], bool]) -> None:
        """Break things until there were enough, or nothing is sent any more."""
        kinds = [self.kill_worker, self.pause_neo4j, self.flush_redis, self.pause_redis]
        order = [kinds[n % len(kinds)] for n in range(self.count - 1)]
        self.random.shuffle(order)
        order.insert(len(order) // 2, self.stop_neo4j)
        for act in order:
            time.sleep(self.random.uniform(*PAUSES_S))
            if is_over():
                return
            say(act.__name__.replace("_", " "))
            act()
            self.done[act.__name__.replace("_", " ")] += 1

    def kill_worker(self) -> None:
        workers = self.service.workers
        if workers:
            os.kill(self.random.choice(workers), signal.SIGKILL)

    def pause_neo4j(self) -> None:
        self._pause("neo4j")

    def pause_redis(self) -> None:
        self._pause("redis")

    def flush_redis(self) -> None:
        stack = find(self.data_dir)
        if stack is not None and stack.redis:
            with redis.Redis.from_url(stack.redis) as client:
                client.flushall()

    def stop_neo4j(self) -> None:
        """Away for half a minute, and Redis with it."""
        stop(self.data_dir)
        time.sleep(OUTAGE_S)
        start(self.data_dir, browser=False, detach=False)

    def _pause(self, server: str) -> None:
        stack = find(self.data_dir)
        if stack is None:
            return
        os.kill(stack.pids[server], signal.SIGSTOP)
        time.sleep(self.random.uniform(1.0, 8.0))
        os.kill(stack.pids[server], signal.SIGCONT)


def measure(data_dir: Path, events: int, faults: int, seed: int) -> Report:
    """Run once in chaos and once in calm, in a stack that runs in ``data_dir``."""
    random = Random(seed)
    generated = generate(events, random)
    broken = sum(b"unknown_field" in event for event in generated)
    bodies = batches(generated, random)
    began = time.monotonic()
    with connected(data_dir) as app:
        environment = {"MEMGRAPH_API__WORKERS": "2"}
        with service(app, data_dir, CHAOS, environment) as served:
            senders = Senders(served.target, bodies)
            breaking = Faults(data_dir, served, random, faults)
            sending = threading.Thread(target=senders.run)
            sending.start()
            breaking.run(lambda: not sending.is_alive())
            sending.join()
    if senders.answered != len(bodies):
        raise SystemExit(f"{senders.answered} of {len(bodies)} bodies were answered")
    with connected(data_dir) as app:
        _calm(app, bodies)
        [source] = app.reader.list_sources(CHAOS)
        return Report(
            events=events + len(bodies),
            broken=broken,
            faults=dict(breaking.done),
            sent_again=senders.sent_again,
            ledger={name: source[name] for name in FIGURES},
            digest=digest(app.graph, app.model, CHAOS).value,
            calm_digest=digest(app.graph, app.model, CALM).value,
            seconds=time.monotonic() - began,
        )


def _calm(app: App, bodies: Sequence[bytes]) -> None:
    """The same events without faults, each once, in another order."""
    for body in reversed(bodies):
        items = [Item(orjson.dumps(event)) for event in orjson.loads(body)]
        app.pipeline.run(CALM, items, door=CALM)


@contextmanager
def stack(data_dir: Path | None) -> Iterator[Path]:
    """A migrated stack with Redis, in a folder that is kept or in one that is not."""
    with tempfile.TemporaryDirectory(prefix="memgraph-chaos-") as temporary:
        place = (data_dir or Path(temporary)).resolve()
        start(place, browser=False, detach=False, on_progress=say)
        try:
            with connected(place) as app:
                migrations.apply(app.graph, app.model, migrations.migrations_directory())
            yield place
        finally:
            stop(place)


def render(report: Report) -> str:
    """The report in lines."""
    faults = ", ".join(f"{name} {count}" for name, count in sorted(report.faults.items()))
    ledger = ", ".join(f"{report.ledger[name]:,} {name}" for name in FIGURES)
    return "\n".join(
        [
            f"{report.events:,} events, {report.broken:,} broken, in {report.seconds:.0f} s",
            f"faults: {faults or 'none'}; bodies sent again: {report.sent_again}",
            f"ledger: {ledger}",
            f"digest in chaos {report.digest}",
            f"digest in calm  {report.calm_digest}",
            "nothing lost, nothing twice" if report.is_good else "THE PROMISE IS BROKEN",
        ]
    )


def main() -> int:
    """Run and print; 1 when the promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    with stack(options.data_dir) as place:
        report = measure(place, options.events, options.faults, options.seed)
    if options.as_json:
        print(json.dumps({**asdict(report), "is_good": report.is_good}, indent=2))
    else:
        print(render(report))
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
