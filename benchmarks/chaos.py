"""Check the promise: ``python -m benchmarks.chaos --events 20000 --faults 20``.

Sends generated events through `POST /api/v1/events` and through topics of Kafka while things
are killed, stopped and emptied; then prints what became of every event, the digest of the
graph against that of the same events on a quiet day, and whether every change was told, and
in order. Exit code 1 when anything is lost, doubled or otherwise.
It runs a stack and a broker of its own, and on Linux only.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

from benchmarks.broker import Broker, broker
from benchmarks.chaos_check import (
    Life,
    Told,
    check_told,
    count_missing_copies,
    is_read,
    note_places,
    wait_until,
)
from benchmarks.chaos_events import TOPICS, Event, batches, generate
from benchmarks.chaos_faults import Faults, Pace
from benchmarks.chaos_senders import Senders
from benchmarks.kept import kept
from benchmarks.server import connected, say
from benchmarks.service import service
from memgraph.bootstrap import App
from memgraph.domain.errors import MemgraphError
from memgraph.graph import migrations
from memgraph.graph.digest import digest
from memgraph.graph.outbox import Outbox
from memgraph.local import start, stop
from memgraph.sections import KafkaSettings
from memgraph.services.enrichment.items import Item
from memgraph.settings import OutboxSettings

CHAOS, CALM = "chaos", "calm"
FIGURES = ("received", "stored", "duplicate", "rejected", "dead_lettered")
DRAIN_S = 600.0
SESSION_TIMEOUT_S = 6
GROUP = KafkaSettings().group
EVENTS_OUT = OutboxSettings().topic


@dataclass(frozen=True, slots=True)
class Report:
    """What a run found."""

    events: int
    broken: int
    faults: Mapping[str, int]
    sent_again: int
    sources: Mapping[str, Mapping[str, int]]
    """What became of the events of each door and topic."""
    letters_missing: int
    """Broken events of topics without their dead letter or the copy of it."""
    told: Told
    digest: str
    calm_digest: str
    seconds: float

    @property
    def is_good(self) -> bool:
        """Nothing lost, nothing doubled, every sum right."""
        stored = sum(figures["stored"] for figures in self.sources.values())
        return (
            self.digest == self.calm_digest
            and stored == self.events - self.broken
            and all(map(is_balanced, self.sources.values()))
            and not self.letters_missing
            and self.told.is_good
        )


def is_balanced(figures: Mapping[str, int]) -> bool:
    """Whether all that was received became something."""
    return figures["received"] == sum(figures[name] for name in FIGURES[1:])


def measure(data_dir: Path, events: int, faults: int, seed: int, only: str = "") -> Report:
    """Run once in chaos and once in calm, in a stack that runs in ``data_dir``."""
    random = Random(seed)
    bodies, shipments = batches(generate(events, random), random)
    sent = [event for batch in (*bodies, *shipments) for event in batch]
    lives = {event.event_id: Life() for event in sent}
    began = time.monotonic()
    with broker(data_dir / "broker", TOPICS, EVENTS_OUT) as running:
        senders, breaking = _run(data_dir, running, bodies, shipments, lives, faults, random, only)
        note_places(running.address, sent, lives)
        told = check_told(running.address, EVENTS_OUT, CHAOS, sent, lives)
        copies = sum(count_missing_copies(running.address, sent, topic) for topic in TOPICS)
    with connected(data_dir) as app:
        _calm(app, [*bodies, *shipments])
        sources = {row["source"]: row for row in app.reader.list_sources(CHAOS)}
        return Report(
            events=len(sent),
            broken=sum(event.is_broken for event in sent),
            faults=dict(breaking.done),
            sent_again=senders.sent_again,
            sources={name: {f: row[f] for f in FIGURES} for name, row in sources.items()},
            letters_missing=copies + _missing_letters(sources, sent),
            told=told,
            digest=digest(app.graph, app.model, CHAOS).value,
            calm_digest=digest(app.graph, app.model, CALM).value,
            seconds=time.monotonic() - began,
        )


def _run(
    data_dir: Path,
    running: Broker,
    bodies: Sequence[Sequence[Event]],
    shipments: Sequence[Sequence[Event]],
    lives: Mapping[str, Life],
    faults: int,
    random: Random,
    only: str,
) -> tuple[Senders, Faults]:
    """Send all of it while things break; return when it is read, and told."""
    settings = {
        "MEMGRAPH_DATA_DIR": str(data_dir),
        "MEMGRAPH_KAFKA__BROKERS": running.address,
        "MEMGRAPH_KAFKA__TENANT": CHAOS,
        "MEMGRAPH_KAFKA__SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
    }
    reading = ["consume", "--topics", ",".join(TOPICS)]
    visits = (data_dir / f"visitor-{number}.log" for number in count())
    with (
        connected(data_dir) as app,
        kept(["relay", "--tenant", CHAOS], settings, data_dir / "chaos-relay.log") as relay,
        kept(reading, settings, data_dir / "chaos-consumer.log") as consumer,
        service(app, data_dir, CHAOS, {"MEMGRAPH_API__WORKERS": "2"}) as served,
        ThreadPoolExecutor(1) as pool,
    ):
        pace = Pace(faults)
        senders = Senders(served.target, running.address, bodies, shipments, pace, lives)
        breaking = Faults(
            data_dir,
            served,
            running,
            consumer,
            relay,
            lambda: kept(reading, settings, next(visits)),
            random,
        )
        sending = pool.submit(senders.run)
        breaking.run(faults, pace, only)
        sending.result()
        say("waiting for readers and relay")
        wait_until(partial(is_read, running.address, GROUP, TOPICS), DRAIN_S, "reading")
        wait_until(partial(_is_told, app), DRAIN_S, "telling")
    return senders, breaking


def _is_told(app: App) -> bool:
    try:
        return not Outbox(app.graph).list_entries(CHAOS, 0, 1)
    except MemgraphError:
        return False


def _missing_letters(sources: Mapping[str, Mapping[str, int]], sent: Sequence[Event]) -> int:
    """How far the dead letters are from one for each broken event of a topic."""
    return sum(
        abs(sources[topic]["kept"] - sum(e.topic == topic and e.is_broken for e in sent))
        for topic in TOPICS
        if topic in sources
    )


def _calm(app: App, batches: Sequence[Sequence[Event]]) -> None:
    """The same events without faults, each once, in another order."""
    for batch in reversed(batches):
        app.pipeline.run(CALM, [Item(event.meant) for event in batch], door=CALM)


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
    faults = ", ".join(f"{name} {times}" for name, times in sorted(report.faults.items()))
    told = report.told
    return "\n".join(
        [
            f"{report.events:,} events, {report.broken:,} broken, in {report.seconds:.0f} s",
            f"{sum(report.faults.values())} faults: {faults or 'none'}; "
            f"sent again: {report.sent_again}",
            *(
                f"{source}: {_sum(figures)}{'' if is_balanced(figures) else ' WRONG'}"
                for source, figures in sorted(report.sources.items())
            ),
            f"dead letters and copies missing: {report.letters_missing}",
            f"told: {told.records:,} records of {told.expected:,} changes, {told.missing} missing, "
            f"{told.unknown} unknown, {told.disordered} out of order",
            f"digest in chaos {report.digest}",
            f"digest in calm  {report.calm_digest}",
            "nothing lost, nothing twice" if report.is_good else "THE PROMISE IS BROKEN",
        ]
    )


def _sum(figures: Mapping[str, int]) -> str:
    received, *parts = (f"{figures[name]:,} {name}" for name in FIGURES)
    return f"{received} = {' + '.join(parts)}"


def main() -> int:
    """Run and print; 1 when the promise is broken."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument(
        "--only",
        default="",
        choices=("kill", "stop", "pause", "flush", "rebalance"),
        help="faults of one kind",
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--json", action="store_true", dest="as_json")
    options = parser.parse_args()
    with stack(options.data_dir) as place:
        report = measure(place, options.events, options.faults, options.seed, options.only)
    if options.as_json:
        print(json.dumps({**asdict(report), "is_good": report.is_good}, indent=2))
    else:
        print(render(report))
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
