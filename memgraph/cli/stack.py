"""up, down, status, demo: the local stack."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from memgraph.cli import ingesting, render
from memgraph.cli.common import (
    err,
    of_local_stack,
    open_app,
    out,
    print_json,
    settings_options,
)
from memgraph.cli.common import json_option as json_flag
from memgraph.domain.errors import StackError
from memgraph.domain.schema import GraphModel
from memgraph.graph import migrations
from memgraph.local import StackState, find, last_failure, start, stop
from memgraph.settings import Settings

DEMO_FILE = Path(__file__).parent.parent / "demo" / "support_team.jsonl"
DEMO_SESSION = "s-0004"
DEMO_RESPONSE = "s-0033-p2-r3"

BROWSER_QUERIES = (
    (
        "a forked conversation",
        "MATCH path = (:Session {tenant_id: $tenant, session_id: 's-0004'})<-[:PART_OF]-(:Prompt)"
        "<-[:RESPONDS_TO]-(:Response) RETURN path",
    ),
    (
        "everything one answer came from",
        "MATCH path = (:Response {tenant_id: $tenant, response_id: 's-0033-p2-r3'})"
        "-[:RESPONDS_TO|INFORMED_BY|INSTANTIATES|INHERITS|REFERENCES|FOLLOWS|HANDLED_BY"
        "|USES_MODEL*1..4]->() RETURN path",
    ),
    (
        "who hands over to whom",
        "MATCH (a:Agent {tenant_id: $tenant})<-[:HANDLED_BY]-(:Prompt)<-[:RESPONDS_TO]-(:Response)"
        "-[:TRANSFERS_TO]->(b:Agent) WHERE a.agent_id IS NOT NULL "
        "RETURN a.name, b.name, count(*) AS handoffs ORDER BY handoffs DESC",
    ),
)
"""What to paste into Neo4j Browser, with what it shows. ``$tenant`` is filled in."""


def browser_queries(tenant: str) -> list[tuple[str, str]]:
    """The queries for a tenant, ready to paste."""
    quoted = "'" + tenant.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return [(what, text.replace("$tenant", quoted)) for what, text in BROWSER_QUERIES]


def describe(stack: StackState) -> dict[str, Any]:
    """What `up` and `status` print as JSON."""
    return {
        "rest": None,
        "docs": None,
        "bolt": stack.bolt,
        "browser": stack.browser,
        "redis": stack.redis,
        "kafka": stack.kafka,
        "pids": stack.pids,
        "data_dir": str(stack.data_dir),
    }


def start_stack(settings: Settings, *, kafka: bool = False, detach: bool = True) -> StackState:
    """Start the stack of the settings with progress on standard error, and migrate."""
    with err.status("starting the local stack") as status:
        stack = start(
            settings.data_dir,
            kafka=kafka,
            detach=detach,
            heap_mb=settings.local.heap_mb,
            page_cache_mb=settings.local.page_cache_mb,
            on_progress=lambda line: _say(status, line),
        )
        local = settings.model_copy(update={"neo4j": settings.neo4j.model_copy(update={"uri": ""})})
        with open_app(local) as app:
            migrations.apply(
                app.graph,
                app.model,
                migrations.migrations_directory(),
                # One line per statement: for a spinner, not for a log.
                on_progress=status.update,
            )
    return stack


def _say(status: Any, line: str) -> None:
    # A terminal shows the newest line beside its spinner, a log shows all of them.
    if err.is_terminal:
        status.update(line)
    else:
        err.print(line)


@click.command(epilog="Example: memgraph up --detach --data-dir ./memory")
@click.option(
    "--detach", is_flag=True, help="Return when everything is up; `memgraph down` ends it."
)
@click.option("--with-kafka", is_flag=True, help="Start Kafka as well.")
@json_flag
@settings_options
def up(settings: Settings, *, detach: bool, with_kafka: bool, as_json: bool) -> None:
    """Start Neo4j with its Browser, and Redis, on this machine. No Docker, no Java needed."""
    stack = start_stack(settings, kafka=with_kafka, detach=detach)
    if as_json:
        print_json(describe(stack))
    else:
        out.print(render.addresses(stack))
    if not detach:
        if not as_json:
            out.print("Press Ctrl-C to stop.")
        _wait_for_end(settings)


def _wait_for_end(settings: Settings) -> None:
    try:
        while find(settings.data_dir) is not None:
            time.sleep(1)
    except KeyboardInterrupt:
        stop(settings.data_dir)
        return
    failure = last_failure(settings.data_dir)
    if failure:
        raise StackError(f"the stack stopped: {failure}")


@click.command(epilog="Example: memgraph down")
@json_flag
@settings_options
def down(settings: Settings, *, as_json: bool) -> None:
    """Stop the local stack; its data stays."""
    stopped = stop(settings.data_dir)
    if as_json:
        print_json({"stopped": stopped})
    else:
        click.echo("stopped" if stopped else "nothing was running")


@click.command(epilog="Example: memgraph status --json")
@json_flag
@settings_options
def status(settings: Settings, *, as_json: bool) -> None:
    """Say whether the local stack runs, and where."""
    stack = find(settings.data_dir)
    if stack is None:
        failure = last_failure(settings.data_dir)
        why = f"it stopped: {failure}" if failure else "`memgraph up` starts it"
        raise StackError(f"no stack runs in {settings.data_dir}; {why}")
    if as_json:
        print_json(describe(stack))
    else:
        out.print(render.addresses(stack))


@click.command(epilog="Example: memgraph demo")
@json_flag
@settings_options
def demo(settings: Settings, *, as_json: bool) -> None:
    """Start the stack, load the conversations of a support team, and show what the graph knows.

    The stack keeps running, so that you can look around; `memgraph down` stops it.
    """
    began = time.monotonic()
    stack = start_stack(settings)
    tenant = settings.tenant
    with open_app(of_local_stack(settings)) as app:
        report = ingesting.ingest_files(
            app, [DEMO_FILE], format_="events", tenant=tenant, batch=settings.ingest.batch
        )
        told = {
            "stack": describe(stack),
            "ingest": report.totals.as_dict(),
            "thread": app.reader.get_thread(tenant, DEMO_SESSION),
            "lineage": app.reader.get_lineage(tenant, "response", DEMO_RESPONSE),
            "stats": app.reader.count(tenant),
        }
        model = app.model
    if as_json:
        print_json(told)
        return
    _show_answers(told, model)
    _show_where_to_look(stack, tenant)
    took_s = time.monotonic() - began
    out.print(f"\n{render.totals(told['ingest'])}, ready after {took_s:.0f} s.")
    out.print("The stack keeps running: `memgraph down` stops it.")


def _show_answers(told: dict[str, Any], model: GraphModel) -> None:
    out.rule(f"memgraph thread {DEMO_SESSION}", align="left")
    out.print(render.thread(told["thread"]))
    out.rule(f"memgraph lineage response {DEMO_RESPONSE}", align="left")
    out.print(render.lineage(told["lineage"], model))
    out.rule("memgraph stats", align="left")
    out.print(render.counts(told["stats"]))


def _show_where_to_look(stack: StackState, tenant: str) -> None:
    out.rule("Where to look next", align="left")
    out.print(render.addresses(stack, password=True))
    for what, statement in browser_queries(tenant):
        out.print(f"\n[dim]// {what}[/dim]")
        # Whole lines, so that they can be copied and pasted.
        click.echo(statement)


COMMANDS = (up, down, status, demo)
