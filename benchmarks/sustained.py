"""Minutes of events by Kafka at a rate that lasts: ``python -m benchmarks.sustained``.

A producer writes replayed sessions to a topic at an even rate, `memgraph consume` brings them
into the graph, and a prompt of each tenth of a second is looked for until a reader of the
graph sees it. Without --rate it is a share of what a full topic drains at. Prints the
percentiles from produce to visible, and the balance; exit code 1 when anything is lost or
the rate did not last. It runs a stack of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import orjson

from benchmarks.broker import broker
from benchmarks.kept import kept
from benchmarks.load import percentiles
from benchmarks.replay import Replay, find_source
from benchmarks.server import environment, say, serving
from memgraph.adapters.kafka import open_publisher
from memgraph.bootstrap import App
from memgraph.sections import KafkaSettings
from memgraph.services.ports import EventPublisher

TOPIC, WARM_UP_TOPIC = "sustained.v1", "warm-up.v1"
TENANT = "sustained"
SHARE = 0.85
"""Of the rate at which a full topic drains: room for the collectors and checkpoints of Neo4j."""
DRAINED = 80_000
ENDLESS = 1_000_000
"""Replays: more than anybody sends."""
STEP_S = 0.1
LOOK_EVERY_S = 0.02
MOST_ASKED = 20
"""The oldest of those that wait: to ask for all of a long queue would be load itself."""
BEHIND_S = 5.0
"""A rate lasts when what waits at the end is gone in this time."""
TIMEOUT_S = 900.0
FIND_PROMPTS = """\
UNWIND $ids AS id
MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: id})
WHERE NOT p:Placeholder
RETURN id"""

Message = tuple[bytes, bytes, tuple[()]]


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found. Times in milliseconds."""

    drained_per_s: float
    rate: float
    seconds: float
    produced: int
    stored: int
    duplicate: int
    not_stored: int
    markers: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    longest_ms: float
    behind_s: float
    """From the last produced event to the last one in the graph."""

    @property
    def faults(self) -> list[str]:
        """What is not as it must be."""
        said = []
        if self.stored + self.duplicate != self.produced or self.not_stored:
            said.append(f"{self.produced - self.stored - self.duplicate} events are lost")
        if self.behind_s > BEHIND_S:
            said.append(f"{self.behind_s:.1f} s behind at the end: the rate did not last")
        return said


class Visible:
    """Looks for prompts until a reader of the graph sees them."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._waiting: dict[str, float] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.took_ms: list[float] = []
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Visible:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def expect(self, prompt_id: str, produced: float) -> None:
        with self._lock:
            self._waiting[prompt_id] = produced

    def wait(self) -> None:
        """Return when everything that is expected was seen."""
        give_up = time.monotonic() + TIMEOUT_S
        while self._waiting and time.monotonic() < give_up:
            time.sleep(LOOK_EVERY_S)

    def _look(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S):
            with self._lock:
                asked = list(islice(self._waiting, MOST_ASKED))
            if not asked:
                continue
            rows = self._app.graph.read(FIND_PROMPTS, tenant_id=TENANT, ids=asked)
            now = time.perf_counter()
            with self._lock:
                self.took_ms += [1000 * (now - self._waiting.pop(row["id"])) for row in rows]


def measure(app: App, data_dir: Path, seed: int, seconds: float, rate: float | None) -> Report:
    """Drain a full topic, then produce at the rate for so long."""
    messages = _messages(Replay(find_source(), seed))
    with broker(data_dir / "broker", (TOPIC, WARM_UP_TOPIC), "unused.v1") as at:
        settings = {
            "MEMGRAPH_DATA_DIR": str(data_dir),
            "MEMGRAPH_KAFKA__BROKERS": at.address,
            "MEMGRAPH_KAFKA__TENANT": TENANT,
        }
        arguments = ("consume", "--topics", f"{TOPIC},{WARM_UP_TOPIC}")
        with closing(open_publisher(KafkaSettings(), at.address)) as publisher:
            publisher.publish(WARM_UP_TOPIC, list(islice(messages, DRAINED)))
            with kept(arguments, settings, data_dir / "consume.log"):
                drained_per_s = _drain(app)
                rate = rate or SHARE * drained_per_s
                say(f"a full topic drains at {drained_per_s:,.0f}/s; {rate:,.0f}/s from now on")
                return _sustain(app, publisher, messages, drained_per_s, rate, seconds)


def _drain(app: App) -> float:
    """Events a second of the second half of what waits: the first warms the server up."""
    half = _wait_for(app, WARM_UP_TOPIC, DRAINED // 2)
    whole = _wait_for(app, WARM_UP_TOPIC, DRAINED)
    return (whole[1] - half[1]) / (whole[0] - half[0])


def _wait_for(app: App, source: str, events: int) -> tuple[float, int]:
    """The time at which so many were received, and how many there were."""
    give_up = time.monotonic() + TIMEOUT_S
    while (received := _sums(app, source)["received"]) < events:
        if time.monotonic() > give_up:
            raise SystemExit(f"{source} stays at {received:,} events")
        time.sleep(LOOK_EVERY_S)
    return time.perf_counter(), received


def _sustain(
    app: App,
    publisher: EventPublisher,
    messages: Iterator[Message],
    drained_per_s: float,
    rate: float,
    seconds: float,
) -> Report:
    produced, told = 0, 0.0
    # Made beforehand: to make an event takes as long as to store it.
    ready = list(islice(messages, int(rate * seconds)))
    say(f"{len(ready):,} events are ready")
    with Visible(app) as visible:
        began = time.perf_counter()
        while produced < len(ready):
            due = min(len(ready), int(rate * (time.perf_counter() - began + STEP_S)))
            batch, produced = ready[produced:due], due
            at = time.perf_counter()
            publisher.publish(TOPIC, batch)
            if marker := _marker(batch):
                visible.expect(marker, at)
            if at - told > 10:
                told = at
                say(f"{produced:,} produced, last seen after {_last(visible):,.0f} ms")
            time.sleep(max(0.0, began + produced / rate - time.perf_counter()))
        ended = time.perf_counter()
        reached, _ = _wait_for(app, TOPIC, produced)
        visible.wait()
    sums = _sums(app, TOPIC)
    took = visible.took_ms
    return Report(
        drained_per_s,
        rate,
        ended - began,
        produced,
        sums["stored"],
        sums["duplicate"],
        sums["rejected"] + sums["dead_lettered"],
        len(took),
        *percentiles(took),
        max(took, default=0.0),
        reached - ended,
    )


def _messages(replay: Replay) -> Iterator[Message]:
    return ((key.encode(), value, ()) for key, value in replay.payloads(ENDLESS))


def _marker(batch: Sequence[Message]) -> str | None:
    """The id of the last prompt of a batch."""
    for _, value, _ in reversed(batch):
        event = orjson.loads(value)
        if event["type"] == "prompt":
            return str(event["eventId"])
    return None


def _last(visible: Visible) -> float:
    return visible.took_ms[-1] if visible.took_ms else 0.0


def _sums(app: App, source: str) -> dict[str, int]:
    found = [row for row in app.reader.list_sources(TENANT) if row["source"] == source]
    return (
        found[0]
        if found
        else dict.fromkeys(("received", "stored", "duplicate", "rejected", "dead_lettered"), 0)
    )


def render(report: Report) -> str:
    """The report in words."""
    return "\n".join(
        [
            f"{report.produced:,} events in {report.seconds:,.0f} s, {report.rate:,.0f}/s "
            f"(a full topic drains at {report.drained_per_s:,.0f}/s)",
            f"from produce to visible: p50 {report.p50_ms:,.0f} ms, p95 {report.p95_ms:,.0f} ms, "
            f"p99 {report.p99_ms:,.0f} ms, longest {report.longest_ms:,.0f} ms "
            f"({report.markers:,} prompts looked for)",
            f"{report.stored:,} stored, {report.duplicate:,} duplicate, "
            f"{report.not_stored:,} neither; {report.behind_s:.1f} s behind at the end",
            "; ".join(report.faults) or "nothing lost, and the rate lasted",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and print; 1 when something is not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sustained", description=__doc__)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--rate", type=float, help="events per second")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="memgraph-sustained-") as temporary:
        data_dir = Path(temporary).resolve()
        with serving(data_dir) as app:
            say(", ".join(f"{name} {value}" for name, value in environment(app).items()))
            report = measure(app, data_dir, options.seed, options.seconds, options.rate)
    print(json.dumps(asdict(report), indent=2) if options.as_json else render(report))
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main())
