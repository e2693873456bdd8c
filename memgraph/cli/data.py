"""ingest, stats, digest, export, import: data in and out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from memgraph.cli import ingesting, render
from memgraph.cli.common import (
    err,
    json_option,
    open_app,
    out,
    print_json,
    settings_options,
    tenant_option,
)
from memgraph.domain.errors import InvalidInput
from memgraph.graph.digest import digest as read_digest
from memgraph.graph.export import export as write_export
from memgraph.graph.export import import_ as read_import
from memgraph.graph.traces import TraceInbox
from memgraph.services.balance import adds_up
from memgraph.services.ingest.formats.records import FormatOptions
from memgraph.settings import Settings

STATUS = Path("status")
SHOWN = 20
"""Refused records that are listed on the terminal; all are counted."""


@click.command(epilog="Example: memgraph ingest conversations.json --format chat")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--format",
    "format_",
    type=click.Choice(["auto", "events", "chat", "prompts", "otlp"]),
    default="auto",
    show_default=True,
    help="What the files hold; auto looks at the first record.",
)
@click.option("--batch", type=click.IntRange(1, 10_000), help="Events in one transaction.")
@click.option("--seed", default=0, show_default=True, help="Seed of what is derived.")
@click.option("--model", "model_id", help="Model of chat files that name none.")
@json_option
@settings_options
@tenant_option
def ingest(
    settings: Settings,
    tenant: str,
    *,
    files: tuple[Path, ...],
    format_: str,
    batch: int | None,
    seed: int,
    model_id: str | None,
    as_json: bool,
) -> None:
    """Load files. Every record is stored, duplicate, rejected or dead-lettered: the sum is shown.

    `memgraph ingest status` shows those sums for every door and file so far; exit code 1
    when they do not add up. When the server goes away the command waits and goes on when
    it is back. A command that was killed can be run again: what is stored already is a
    duplicate.
    """
    if files == (STATUS,) and not STATUS.exists():
        _show_sources(settings, tenant, as_json=as_json)
        return
    for path in files:
        if not path.is_file():
            raise InvalidInput("FILES", f"{path} is not a file")
    wait_s = settings.ingest.wait_for_server_s
    with open_app(settings, retry_for_s=wait_s, on_wait=_Waiting(wait_s)) as app:
        report = ingesting.ingest_files(
            app,
            files,
            format_=format_,
            tenant=tenant,
            batch=batch or settings.ingest.batch,
            options=FormatOptions(seed=seed, model_id=model_id),
        )
    totals = report.totals
    for refused in report.refused[:SHOWN]:
        err.print(f"{refused.outcome}: {refused.position}: {refused.reason}", markup=False)
    unlisted = totals.rejected + totals.dead_lettered - len(report.refused[:SHOWN])
    if unlisted > 0:
        err.print(f"… and {unlisted:,} more")
    if as_json:
        print_json(totals.as_dict())
    else:
        out.print(render.totals(totals.as_dict()))
    if totals.rejected or totals.dead_lettered:
        sys.exit(1)


def _show_sources(settings: Settings, tenant: str, *, as_json: bool) -> None:
    with open_app(settings) as app:
        sources = app.reader.list_sources(tenant)
        waiting = TraceInbox(app.graph).count_waiting(tenant)
    if as_json:
        print_json(sources)
    else:
        out.print(render.sources(sources))
        out.print(f"{waiting} traces waiting to be assembled")
    if not all(map(adds_up, sources)):
        err.print("the counts do not add up: something was lost, which is a fault of ours")
        sys.exit(1)


class _Waiting:
    """Say once per outage that the command waits."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._said_at = 0

    def __call__(self, kind: str) -> None:
        if kind not in ("ServiceUnavailable", "SessionExpired"):
            return
        self._said_at += 1
        if self._said_at % 10 == 1:
            err.print(
                f"Neo4j does not answer; waiting up to {self._wait_s:.0f} s for it to come back"
            )


@click.command(epilog="Example: memgraph stats --json")
@json_option
@settings_options
@tenant_option
def stats(settings: Settings, tenant: str, *, as_json: bool) -> None:
    """Count a tenant's nodes by label and relationships by type."""
    with open_app(settings) as app:
        counts = app.reader.count(tenant)
    if as_json:
        print_json(counts)
    else:
        out.print(render.counts(counts))


@click.command(epilog="Example: memgraph digest")
@json_option
@settings_options
@tenant_option
def digest(settings: Settings, tenant: str, *, as_json: bool) -> None:
    """Print the canonical digest of a tenant's graph: equal graphs have equal digests."""
    with open_app(settings) as app, err.status("reading the graph"):
        value = read_digest(app.graph, app.model, tenant).value
    if as_json:
        print_json({"digest": value})
    else:
        click.echo(value)


_FORMAT = click.option(
    "--format",
    "format_",
    type=click.Choice(["jsonl", "parquet", "graphml"]),
    help="By default what the name ends in, else jsonl.",
)


@click.command("export", epilog="Example: memgraph export graph.jsonl.gz")
@click.argument("target", type=click.Path(path_type=Path))
@_FORMAT
@json_option
@settings_options
@tenant_option
def export_(settings: Settings, tenant: str, *, target: Path, format_: Any, as_json: bool) -> None:
    """Write a tenant's graph to a file (parquet: a directory). Streams; memory stays flat."""
    with open_app(settings) as app, err.status("exporting") as status:
        totals = write_export(
            app.graph,
            app.model,
            tenant,
            target,
            format_ or _by_name(target),
            on_progress=lambda n: status.update(f"{n:,} written"),
        )
    _print_transfer(totals, as_json)


@click.command("import", epilog="Example: memgraph import graph.jsonl.gz --tenant copy")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@_FORMAT
@json_option
@settings_options
@tenant_option
def import_(settings: Settings, tenant: str, *, source: Path, format_: Any, as_json: bool) -> None:
    """Read an exported graph into a tenant. Twice changes nothing; an empty one gets the digest."""
    with open_app(settings) as app, err.status("importing") as status:
        totals = read_import(
            app.graph,
            app.model,
            tenant,
            source,
            format_,
            on_progress=lambda n: status.update(f"{n:,} read"),
        )
        app.invalidation.replaced(tenant)
    _print_transfer(totals, as_json)


def _by_name(target: Path) -> Any:
    name = target.name.removesuffix(".gz")
    return next((f for f in ("graphml", "parquet") if name.endswith("." + f)), "jsonl")


def _print_transfer(totals: Any, as_json: bool) -> None:
    counted = {"nodes": totals.nodes, "relationships": totals.relationships}
    if as_json:
        print_json(counted)
    else:
        click.echo(f"{totals.nodes:,} nodes, {totals.relationships:,} relationships")


COMMANDS = (ingest, stats, digest, export_, import_)
