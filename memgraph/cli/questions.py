"""thread, lineage, impact, search: the questions the graph answers."""

from __future__ import annotations

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
from memgraph.domain.access import Principal, Role
from memgraph.graph.reader import IMPACT_KINDS
from memgraph.services import lineage as shapes
from memgraph.services.questions import Search
from memgraph.settings import Settings


@click.command(epilog="Example: memgraph thread s-0004")
@click.argument("session_id")
@click.option("--limit", type=click.IntRange(1, 10_000), default=1_000, help="Prompts at most.")
@json_option
@settings_options
@tenant_option
def thread(settings: Settings, tenant: str, *, session_id: str, limit: int, as_json: bool) -> None:
    """Show the conversation of a session: forks, tools, handoffs, costs and scores."""
    with open_app(settings) as app:
        found = app.reader.get_thread(tenant, session_id, limit=limit)
    if as_json:
        print_json(found)
    else:
        out.print(render.thread(found))


@click.command(epilog="Example: memgraph lineage response s-0033-p2-r3 --direction up")
@click.argument("kind")
@click.argument("id_", metavar="ID")
@click.option(
    "--direction", type=click.Choice(list(shapes.DIRECTIONS)), default="up", show_default=True
)
@click.option("--depth", type=click.IntRange(1, 12), help="Steps followed.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["tree", "json", "graphml", "dot"]),
    default="tree",
    show_default=True,
)
@json_option
@settings_options
@tenant_option
def lineage(
    settings: Settings,
    tenant: str,
    *,
    kind: str,
    id_: str,
    direction: str,
    depth: int | None,
    format_: str,
    as_json: bool,
) -> None:
    """Show where a node came from (up), what came of it (down), or both.

    KIND is response, prompt, tool-invocation, template, document, … A template
    or model version is named ID@VERSION.
    """
    bounds = settings.lineage
    with open_app(settings) as app:
        found = app.reader.get_lineage(
            tenant,
            kind,
            id_,
            directions=shapes.DIRECTIONS[direction],
            depth=depth or bounds.depth,
            fan_out=bounds.fan_out,
            max_nodes=bounds.max_nodes,
        )
        model = app.model
    if as_json or format_ == "json":
        print_json(found)
    elif format_ == "dot":
        click.echo(shapes.to_dot(found, model), nl=False)
    elif format_ == "graphml":
        click.echo(shapes.to_graphml(found, model), nl=False)
    else:
        out.print(render.lineage(found, model))


@click.command(epilog="Example: memgraph impact template tpl-triage@1.0.0")
@click.argument("kind", type=click.Choice(IMPACT_KINDS))
@click.argument("id_", metavar="ID")
@click.option("--limit", type=click.IntRange(1, 100_000), default=10_000, help="Prompts at most.")
@json_option
@settings_options
@tenant_option
def impact(
    settings: Settings, tenant: str, *, kind: str, id_: str, limit: int, as_json: bool
) -> None:
    """Show what depends on a template, model, document or tool: sessions, agents, scores, cost.

    ID may name one version of a template or model: ID@VERSION.
    """
    with open_app(settings) as app:
        found = app.reader.get_impact(tenant, kind, id_, limit=limit)
    if as_json:
        print_json(found)
    else:
        out.print(render.impact(kind, id_, found))


@click.command(epilog="Example: memgraph search 'refund for a broken lamp'")
@click.argument("text")
@click.option("--kind", help="prompt or response; both by default.")
@click.option("--limit", type=click.IntRange(1, 100), default=20, help="Hits at most.")
@json_option
@settings_options
@tenant_option
def search(
    settings: Settings, tenant: str, *, text: str, kind: str | None, limit: int, as_json: bool
) -> None:
    """Find prompts and responses by words, best first."""
    with open_app(settings) as app:
        everyone = Principal.of(tenant, "cli", [Role.ADMIN])
        asked = Search(text=text, kind=kind, limit=limit)
        found = app.questions.search(everyone, asked)
    if as_json:
        print_json(found)
    else:
        out.print(render.hits(found["items"], app.model))


COMMANDS = (thread, lineage, impact, search)
