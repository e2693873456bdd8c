"""consume: read topics into the graph until told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import click
from pydantic import ValidationError

from memgraph.bootstrap import App
from memgraph.cli import render
from memgraph.cli.common import (
    err,
    json_option,
    metered,
    open_app,
    out,
    print_json,
    settings_options,
    stopped_by_signals,
)
from memgraph.domain.errors import GraphUnavailable, Overloaded, SchemaOutdated
from memgraph.domain.events import first_problem
from memgraph.endpoints import kafka_brokers
from memgraph.services.consuming import OnProgress, Progress
from memgraph.services.readiness import Readiness
from memgraph.settings import Settings
from memgraph.telemetry import configure_logging

RETRY_FOR_S = 2.0
"""A writer does not wait for a graph that is away: its partition is paused instead."""
LOOK_EVERY_S = 1.0
SAY_EVERY_S = 10.0


@click.command(epilog="Example: memgraph consume --topics llm.prompts.v1,llm.responses.v1")
@click.option("--topics", help="Topics to read, with commas between; the settings name them else.")
@click.option("--group", help="Consumer group; readers of the same one share the partitions.")
@json_option
@settings_options
def consume(settings: Settings, *, topics: str | None, group: str | None, as_json: bool) -> None:
    """Read Kafka topics into the graph until it is stopped. Any number may run at once.

    What is committed there is in the graph or in the dead letters, which are copied to
    TOPIC.dlq as well. SIGTERM and Ctrl-C finish what is at work. Exit code 1 when too much
    of a topic breaks the rules of events, or the broker refuses.
    """
    settings = _with(settings, topics, group)
    kafka = settings.kafka
    brokers = kafka_brokers(settings)
    stop = stopped_by_signals()
    configure_logging()
    meters = metered(kafka.metrics_port)
    with open_app(settings, retry_for_s=RETRY_FOR_S, meters=meters) as app:
        _wait_for_graph(app, stop)
        say(
            f"reading {', '.join(kafka.topics)} of {brokers} as {kafka.group} "
            f"into tenant {kafka.tenant or settings.tenant}"
        )
        with _telling() as tell, app.consumer(tell) as consumer:
            totals = consumer.run(stop)
    if as_json:
        print_json(totals.as_dict())
    else:
        out.print(render.totals(totals.as_dict()))


def say(line: str) -> None:
    """Say a whole line, however wide the terminal: logs are searched."""
    click.echo(line, err=True)


def _with(settings: Settings, topics: str | None, group: str | None) -> Settings:
    changed: dict[str, Any] = {"group": group} if group else {}
    if topics:
        changed["topics"] = [name.strip() for name in topics.split(",")]
    try:
        kafka = type(settings.kafka).model_validate(settings.kafka.model_dump() | changed)
    except ValidationError as error:
        raise click.UsageError(first_problem(error).message) from None
    return settings.model_copy(update={"kafka": kafka})


def _wait_for_graph(app: App, stop: threading.Event) -> None:
    """Return when the graph can be written to, or it is time to stop."""
    readiness, said = Readiness(app.graph, app.model), ""
    while not stop.is_set():
        try:
            readiness.check()
        except (GraphUnavailable, Overloaded, SchemaOutdated) as error:
            if error.message != said:
                said = error.message
                say(f"waiting: {said}")
            stop.wait(LOOK_EVERY_S)
        else:
            return


@contextmanager
def _telling() -> Iterator[OnProgress]:
    """Show progress: a line that changes in a terminal, else one now and then."""
    with err.status("waiting for partitions") if err.is_terminal else nullcontext() as status:
        yield (lambda progress: status.update(_said(progress))) if status else _log_line()


def _log_line() -> OnProgress:
    """Say where it stands when that changed, not more often than needed."""
    said, due = "", 0.0

    def tell(progress: Progress) -> None:
        nonlocal said, due
        line = _said(progress)
        if line != said and time.monotonic() >= due:
            said, due = line, time.monotonic() + SAY_EVERY_S
            say(line)

    return tell


def _said(progress: Progress) -> str:
    paused = f", {progress.paused} paused" if progress.paused else ""
    trouble = f"; {progress.trouble}" if progress.trouble else ""
    return (
        f"{progress.partitions} partitions{paused}, {progress.lag:,} records behind, "
        f"{render.totals(progress.totals.as_dict())}{trouble}"
    )


COMMANDS = (consume,)
