"""The command line: each command translates options to a call and its answer to text or JSON."""

from __future__ import annotations

import sys

import click

from memgraph import __version__
from memgraph.cli import (
    access,
    consuming,
    data,
    embedding,
    graph,
    ingestion,
    jobs,
    questions,
    relaying,
    stack,
)
from memgraph.domain.errors import MemgraphError
from memgraph.settings import SettingsError


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A first look: `memgraph demo`.",
)
@click.version_option(__version__, prog_name="memgraph")
def cli() -> None:
    """Keep the memory and lineage of LLM systems as one graph in Neo4j, and ask it questions."""


for module in (
    *(stack, graph, data, embedding, consuming, relaying, ingestion, jobs, questions, access),
):
    for command in module.COMMANDS:
        cli.add_command(command)


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 refused or incomplete, 2 wrong usage."""
    try:
        cli.main(prog_name="memgraph")
    except SettingsError as error:
        click.echo(f"memgraph: settings: {error}", err=True)
        sys.exit(2)
    except MemgraphError as error:
        click.echo(f"memgraph: {error.message}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
