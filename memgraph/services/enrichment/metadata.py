"""Metadata: what an answer cost, by the price of its model at its time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from memgraph.domain import events as ev
from memgraph.domain.errors import MemgraphError
from memgraph.services.enrichment.items import Item, Price, Tools


def run(items: Sequence[Item], tools: Tools) -> None:
    """Compute the cost of responses that say their tokens and not their cost."""
    for item in items:
        event = item.event
        if not isinstance(event, ev.ResponseEvent) or not event.usage or not event.model:
            continue
        if event.metrics and event.metrics.cost is not None:
            continue
        try:
            prices = tools.registry.prices(tools.tenant_id, event.model.id)
        except MemgraphError:
            item.pending.append("cost_usd")
            continue
        usage = event.usage
        tokens = (usage.prompt_tokens, usage.completion_tokens)
        item.compute("cost_usd", cost_at(event.timestamp, *tokens, prices))


def cost_at(
    at: datetime, prompt_tokens: int, completion_tokens: int, prices: Sequence[Price]
) -> float | None:
    """USD at the newest of ``prices`` (latest first) that was valid; None when none was."""
    valid = next((p for p in prices if p.valid_from <= at), None)
    if valid is None:
        return None
    prompt = prompt_tokens / 1000 * valid.input_usd_per_1k
    completion = completion_tokens / 1000 * valid.output_usd_per_1k
    return round(prompt + completion, 12)
