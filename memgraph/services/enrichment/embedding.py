"""Embedding: ask for a vector. It is made later, by a worker, once per unique text."""

from __future__ import annotations

from collections.abc import Sequence

from memgraph.domain import events as ev
from memgraph.services.enrichment.items import Item, Tools


def run(items: Sequence[Item], tools: Tools) -> None:
    """Mark prompts that a worker is to give a vector."""
    if not tools.embeds:
        return
    for item in items:
        if isinstance(item.event, ev.PromptEvent):
            item.enriched["embedding_pending"] = True
