"""The pipeline: from what came in to what is written, the same for every door.

Each stage is one file with ``run(items, tools)`` over the items that are still
open. It reads and notes what it finds on the items; it writes nothing anywhere.
A new stage is one file and one entry in ``PIPELINE``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from memgraph.services.enrichment import (
    deduplicate,
    embedding,
    graph_rows,
    metadata,
    pii,
    text,
    validate,
)
from memgraph.services.enrichment.items import Item, Stage, Tools

PIPELINE: tuple[tuple[str, Stage], ...] = (
    ("validate", validate.run),
    ("deduplicate", deduplicate.run),
    ("text", text.run),
    ("pii", pii.run),
    ("embedding", embedding.run),
    ("metadata", metadata.run),
    ("graph_rows", graph_rows.run),
)
"""In this order, and then the write."""

Watch = Callable[[str], AbstractContextManager[None]]


def run_stages(
    items: Sequence[Item], tools: Tools, watch: Watch = lambda _: nullcontext()
) -> Iterator[tuple[str, list[Item]]]:
    """Run each stage over what is still open; after each, yield its name and what it saw.

    ``watch`` is entered around each stage with its name.
    """
    for name, stage in PIPELINE:
        still = [item for item in items if item.outcome is None]
        if not still:
            return
        with watch(name):
            stage(still, tools)
        for item in still:
            if item.outcome is not None:
                item.stage = name
        yield name, still


__all__ = ["PIPELINE", "Item", "Stage", "Tools", "run_stages"]
