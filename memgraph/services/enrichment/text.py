"""Text: language of every message, tokens and template of prompts that do not say theirs."""

from __future__ import annotations

from collections.abc import Sequence

from memgraph.domain import events as ev
from memgraph.domain.errors import MemgraphError
from memgraph.services.enrichment.items import Item, Tools


def run(items: Sequence[Item], tools: Tools) -> None:
    """Note what the texts themselves say."""
    for item in items:
        event = item.event
        if isinstance(event, ev.PromptEvent):
            _detect(item, event.prompt.text, tools)
            _count_tokens(item, event, tools)
            if event.template is None:
                _match_template(item, event, tools)
        elif isinstance(event, ev.ResponseEvent) and event.response.text:
            _detect(item, event.response.text, tools)


def _detect(item: Item, text: str, tools: Tools) -> None:
    try:
        item.enriched["language"] = tools.texts.language(text)
    except MemgraphError:
        item.pending.append("language")


def _count_tokens(item: Item, event: ev.PromptEvent, tools: Tools) -> None:
    if event.token_count is not None:
        return
    model_id = event.model.id if event.model else None
    count = tools.texts.count_tokens(event.prompt.text, model_id)
    item.compute("token_count", count.tokens)
    if count.is_estimate:
        item.enriched["token_count_estimated"] = True


def _match_template(item: Item, event: ev.PromptEvent, tools: Tools) -> None:
    try:
        matched = tools.registry.match_template(tools.tenant_id, event.prompt.text)
    except MemgraphError:
        item.pending.append("matched_template")
        return
    item.enriched["matched_template"] = matched
