"""migrate, schema, config: the shape of the graph and of the settings."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click
from pydantic import BaseModel, SecretStr

from memgraph.cli.common import json_option, open_app, print_json, settings_options
from memgraph.graph import ddl, migrations
from memgraph.settings import Settings


@click.command(epilog="Example: memgraph migrate --plan")
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be applied.")
@json_option
@settings_options
def migrate(settings: Settings, *, plan_only: bool, as_json: bool) -> None:
    """Apply the migrations that the server does not have yet."""
    directory = migrations.migrations_directory()
    with open_app(settings) as app:
        if plan_only:
            files = migrations.plan(app.graph, directory)
        else:
            files = migrations.apply(
                app.graph,
                app.model,
                directory,
                on_progress=lambda line: click.echo(line, err=True),
            )
    names = [file.source for file in files]
    if as_json:
        print_json({"pending" if plan_only else "applied": names})
    elif names:
        click.echo("\n".join(names))
    else:
        click.echo("nothing to do")


@click.group()
def schema() -> None:
    """Compare the server's constraints and indexes with the classes."""


@schema.command(epilog="Example: memgraph schema diff")
@json_option
@settings_options
def diff(settings: Settings, *, as_json: bool) -> None:
    """Show what the server lacks, has besides, or has otherwise. Exit code 1 when anything."""
    with open_app(settings) as app:
        difference = ddl.difference(app.model, app.graph)
    lines = difference.lines()
    if as_json:
        print_json({"difference": lines})
    else:
        click.echo("\n".join(lines) if lines else "no difference")
    if difference:
        sys.exit(1)


@schema.command(epilog="Example: memgraph schema generate Tool_names")
@click.argument("name")
@settings_options
def generate(settings: Settings, *, name: str) -> None:
    """Write the next migration from the difference between the classes and the server."""
    directory = migrations.migrations_directory()
    with open_app(settings) as app:
        difference = ddl.difference(app.model, app.graph).part(promoted=False)
    if not difference:
        click.echo("no difference, nothing written")
        return
    path = directory / migrations.next_file_name(directory, name)
    path.write_text(ddl.generate(difference))
    click.echo(str(path))


@click.command(epilog="Example: memgraph config --json")
@json_option
@settings_options
def config(settings: Settings, *, as_json: bool) -> None:
    """Print the settings in force, secrets masked."""
    if as_json:
        print_json(_nested(_leaves(settings)))
        return
    for name, value in _leaves(settings):
        click.echo(f"{name} = {value}")


def _leaves(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name, secrets masked."""
    for name in type(section).model_fields:
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{prefix}{name}.")
        elif isinstance(value, SecretStr):
            yield prefix + name, "********" if value.get_secret_value() else ""
        else:
            yield prefix + name, value


def _nested(leaves: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in leaves:
        *sections, last = name.split(".")
        branch = tree
        for part in sections:
            branch = branch.setdefault(part, {})
        branch[last] = value
    return tree


COMMANDS = (migrate, schema, config)
