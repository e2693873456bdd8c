"""``python -m memgraph.derive``: write the generated files, or check that none has drifted."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import click

from memgraph.derive.api_page import api_page
from memgraph.derive.pages import COMMAND, notice, pages
from memgraph.derive.sdk import client_modules
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel
from memgraph.graph.cypher_files import cypher_root
from memgraph.graph.queries import read_files
from memgraph.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"
CLIENT = Path(__file__).parents[2] / "sdk" / "memgraph_sdk"

_FOLDER = click.Path(path_type=Path, exists=True)


def current_pages() -> dict[str, str]:
    """Every page as it should be, with the default settings and the queries of this checkout."""
    promoted = Settings.model_fields["promoted_metadata"].default
    model = GraphModel.of(NODE_CLASSES, promoted)
    headers = {name: header for name, (header, _) in read_files(cypher_root()).items()}
    written = pages(model, headers)
    return {**written, "api.md": api_page(notice("memgraph/api/routes and memgraph/domain"))}


def drifted(directory: Path, wanted: Mapping[str, str]) -> list[str]:
    """The files that are missing or are not what they should be."""
    files = [(directory / name, text) for name, text in wanted.items()]
    return [p.name for p, text in files if not p.is_file() or p.read_text() != text]


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 when a file has drifted.")
@click.option("--directory", default=DOCS, show_default="docs", type=_FOLDER)
@click.option("--client", default=CLIENT, show_default="sdk/memgraph_sdk", type=_FOLDER)
def main(*, check: bool, directory: Path, client: Path) -> None:
    """Write the pages made from classes, settings, events and queries, and the client's types."""
    targets = [(directory, current_pages()), (client, client_modules())]
    found = [(folder / n, files[n]) for folder, files in targets for n in drifted(folder, files)]
    if check and found:
        names = ", ".join(path.name for path, _ in found)
        click.echo(f"drifted: {names}; `{COMMAND}` writes them anew", err=True)
        sys.exit(1)
    for path, text in found:
        path.write_text(text)
        click.echo(f"written: {path.name}")


if __name__ == "__main__":
    main()
