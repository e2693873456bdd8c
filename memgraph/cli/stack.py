"""up, down, status, demo: the local stack."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import click

from memgraph.bootstrap import App
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
from memgraph.domain.access import Role
from memgraph.domain.errors import Conflict, StackError
from memgraph.domain.schema import GraphModel
from memgraph.ids import now
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


def describe(stack: StackState, api_key: str | None = None) -> dict[str, Any]:
    """What `up` and `status` print as JSON; the key only when it was just made."""
    return {
        "rest": stack.rest,
        "docs": stack.docs,
        "bolt": stack.bolt,
        "browser": stack.browser,
        "redis": stack.redis,
        "kafka": stack.kafka,
        "pids": stack.pids,
        "data_dir": str(stack.data_dir),
    } | ({"api_key": api_key} if api_key else {})


def start_stack(
    settings: Settings,
    *,
    kafka: bool = False,
    detach: bool = True,
    port: int | None = None,
) -> tuple[StackState, str | None]:
    """Start the stack of the settings with progress on standard error.

    The second is an API key, made when the tenant has none yet. It is kept nowhere.
    """
    from memgraph.adapters.embedders import has_embedder

    with err.status("starting the local stack") as status:
        stack = start(
            settings.data_dir,
            kafka=kafka,
            detach=detach,
            heap_mb=settings.local.heap_mb,
            page_cache_mb=settings.local.page_cache_mb,
            rest_port=port or settings.api.port,
            rest_grace_s=settings.api.graceful_timeout_s,
            embeddings=has_embedder(settings.embedding),
            settings_file=click.get_current_context().params.get("config"),
            on_progress=lambda line: _say(status, line),
        )
        with open_app(of_local_stack(settings)) as app:
            return stack, first_key(app, settings.tenant)


def first_key(app: App, tenant: str) -> str | None:
    """Make the tenant and a key that may do everything in it; None when it ever had a key."""
    access = app.services.access
    if access.list_keys(tenant):
        return None
    with contextlib.suppress(Conflict):
        app.credentials.create_tenant(tenant, {"name": tenant, "created_at": now()})
    _, key = access.create_key(tenant, name="first", roles=[Role.ADMIN])
    return key


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
@click.option(
    "--port", type=click.IntRange(1, 65_535), help="Port of the REST service, if it is free."
)
@click.option("--with-kafka", is_flag=True, help="Start Kafka as well, and a reader of its topics.")
@json_flag
@settings_options
def up(
    settings: Settings, *, detach: bool, port: int | None, with_kafka: bool, as_json: bool
) -> None:
    """Start the REST service, Neo4j with its Browser, and Redis, on this machine.

    No Docker, no Java needed. The first time it makes an API key and shows it, once.
    """
    stack, key = start_stack(settings, kafka=with_kafka, detach=detach, port=port)
    if as_json:
        print_json(describe(stack, key))
    else:
        out.print(render.addresses(stack))
        _show_key(key)
    if not detach:
        if not as_json:
            out.print("Press Ctrl-C to stop.")
        _wait_for_end(settings)


def _show_key(key: str | None) -> None:
    if key:
        # A whole line, so that it can be copied.
        click.echo(f"API key, shown only now: {key}")


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
    stack, key = start_stack(settings)
    tenant = settings.tenant
    with open_app(of_local_stack(settings)) as app:
        report = ingesting.ingest_files(
            app, [DEMO_FILE], format_="events", tenant=tenant, batch=settings.ingest.batch
        )
        told = {
            "stack": describe(stack, key),
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
    _show_key(key)
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
