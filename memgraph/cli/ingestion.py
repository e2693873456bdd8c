"""dlq, reconcile: what became of what came in, and what was kept aside."""

from __future__ import annotations

import sys

import click

from memgraph.cli import render
from memgraph.cli.common import (
    json_option,
    open_app,
    out,
    print_json,
    settings_options,
    tenant_option,
)
from memgraph.settings import Settings

_SOURCE = click.option("--source", help="Only of this door or file.")
_REASON = click.option("--reason", help="Only with this reason, such as conflict.")


@click.group()
def dlq() -> None:
    """See dead letters, try them again, or let them go."""


@dlq.command("list", epilog="Example: memgraph dlq list --reason conflict")
@_SOURCE
@_REASON
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@json_option
@settings_options
@tenant_option
def list_letters(
    settings: Settings,
    tenant: str,
    *,
    source: str | None,
    reason: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List dead letters: where they came from and why, not what they hold."""
    with open_app(settings) as app:
        letters = app.dead_letters.list_letters(tenant, source=source, reason=reason, limit=limit)
    if as_json:
        print_json(letters)
    else:
        out.print(render.dead_letters(letters))


@dlq.command("show", epilog="Example: memgraph dlq show 0b5c…")
@click.argument("letter_id")
@settings_options
@tenant_option
def show_letter(settings: Settings, tenant: str, *, letter_id: str) -> None:
    """Print a dead letter as JSON, with the event as it came in."""
    with open_app(settings) as app:
        print_json(app.dead_letters.get(tenant, letter_id))


@dlq.command("replay", epilog="Example: memgraph dlq replay --source kafka")
@click.argument("letter_ids", nargs=-1)
@_SOURCE
@_REASON
@click.option("--all", "every", is_flag=True, help="Replay all of them.")
@json_option
@settings_options
@tenant_option
def replay_letters(
    settings: Settings,
    tenant: str,
    *,
    letter_ids: tuple[str, ...],
    source: str | None,
    reason: str | None,
    every: bool,
    as_json: bool,
) -> None:
    """Send dead letters through the pipeline again; exit 1 when any stays."""
    if not (letter_ids or source or reason or every):
        raise click.UsageError("name letters, or --source, --reason or --all")
    with open_app(settings) as app:
        letters = app.dead_letters
        if letter_ids:
            totals = letters.replay(tenant, letter_ids)
        else:
            totals = letters.replay_all(tenant, source=source, reason=reason)
    if as_json:
        print_json(totals.as_dict())
    else:
        out.print(render.totals(totals.as_dict()))
    if totals.dead_lettered:
        sys.exit(1)


@dlq.command("drop", epilog="Example: memgraph dlq drop 0b5c…")
@click.argument("letter_id")
@settings_options
@tenant_option
def drop_letter(settings: Settings, tenant: str, *, letter_id: str) -> None:
    """Remove a dead letter for good."""
    with open_app(settings) as app:
        app.dead_letters.drop(tenant, letter_id)
    click.echo("dropped")


@click.command(epilog="Example: memgraph reconcile --all-tenants")
@click.option("--all-tenants", is_flag=True, help="Complete what all tenants have.")
@json_option
@settings_options
@tenant_option
def reconcile(settings: Settings, tenant: str, *, all_tenants: bool, as_json: bool) -> None:
    """Complete what enrichment left out because something it needs was away.

    Exit code 1 when something is still away.
    """
    with open_app(settings) as app:
        known = [row["tenant_id"] for row in app.credentials.list_tenants()]
        tenants = known if all_tenants else [tenant]
        done = sum(map(app.reconciliation.run, tenants))
        is_left = any(map(app.reconciliation.is_left, tenants))
    if as_json:
        print_json({"completed": done})
    else:
        click.echo(f"{done:,} messages completed")
    if is_left:
        sys.exit(1)


COMMANDS = (dlq, reconcile)
