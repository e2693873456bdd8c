"""embed: give prompts their vectors."""

from __future__ import annotations

from dataclasses import asdict, replace

import click

from memgraph.cli.common import (
    err,
    json_option,
    open_app,
    out,
    print_json,
    settings_options,
    stopped_by_signals,
    tenant_option,
)
from memgraph.settings import Settings


@click.command(epilog="Example: memgraph embed --all-tenants --follow")
@click.option("--all-tenants", is_flag=True, help="Work for every tenant, not for one.")
@click.option("--follow", is_flag=True, help="Go on and wait for more, until it is stopped.")
@click.option(
    "--again",
    is_flag=True,
    help="First put every prompt into the queue: for another model, and for what came before "
    "there was one.",
)
@json_option
@settings_options
@tenant_option
def embed(
    settings: Settings,
    tenant: str,
    *,
    all_tenants: bool,
    follow: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Give prompts their vectors until none waits. Several may run at once."""
    with open_app(settings) as app:
        embeddings, batch = app.embeddings, settings.embedding.batch
        if not all_tenants:
            embeddings = replace(embeddings, list_tenants=lambda: [tenant])
        if again:
            every = [row["tenant_id"] for row in app.credentials.list_tenants()]
            asked = every if all_tenants else [tenant]
            requested = sum(map(embeddings.queue.request_all, asked))
            err.print(f"{requested} prompts wait for a vector")
        if follow:
            embeddings.work(batch, settings.embedding.poll_s, stopped_by_signals())
            return
        done = embeddings.drain(batch)
    if as_json:
        print_json(asdict(done))
    else:
        out.print(
            f"{done.prompts} prompts: {done.computed} texts computed, {done.reused} known "
            f"before, {done.refused} refused by {embeddings.embedder.model_id}"
        )


COMMANDS = (embed,)
