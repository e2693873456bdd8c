"""``python -m memgraph.derive``: write the generated pages, or check that none has drifted."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from memgraph.derive.api_page import api_page
from memgraph.derive.pages import COMMAND, notice, pages
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel
from memgraph.graph.cypher_files import cypher_root
from memgraph.graph.queries import read_files
from memgraph.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def current_pages() -> dict[str, str]:
    """Every page as it should be, with the default settings and the queries of this checkout."""
    promoted = Settings.model_fields["promoted_metadata"].default
    model = GraphModel.of(NODE_CLASSES, promoted)
    headers = {name: header for name, (header, _) in read_files(cypher_root()).items()}
    written = pages(model, headers)
    return {**written, "api.md": api_page(notice("memgraph/api/routes and memgraph/domain"))}


def drifted(directory: Path) -> list[str]:
    """The pages that are missing or are not what they should be."""
    wanted = current_pages().items()
    files = [(directory / name, text) for name, text in wanted]
    return [p.name for p, text in files if not p.is_file() or p.read_text() != text]


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 when a page has drifted.")
@click.option(
    "--directory", default=DOCS, show_default="docs", type=click.Path(path_type=Path, exists=True)
)
def main(*, check: bool, directory: Path) -> None:
    """Write the pages that are generated from classes, settings, events and queries."""
    names = drifted(directory)
    if check and names:
        click.echo(f"drifted: {', '.join(names)}; `{COMMAND}` writes them anew", err=True)
        sys.exit(1)
    wanted = current_pages()
    for name in names:
        (directory / name).write_text(wanted[name])
        click.echo(f"written: {name}")


if __name__ == "__main__":
    main()
