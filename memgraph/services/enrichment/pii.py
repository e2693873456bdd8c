"""PII: find personal data in everything that people and models wrote, and do as the tenant says.

``flag`` notes the kinds on the message, ``redact`` also puts the kind in the place
of what was found, ``refuse`` takes no event that holds any, ``off`` does not look.
A redacted event keeps the hash of what was sent, so a replay is still a duplicate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from memgraph.domain import events as ev
from memgraph.domain import pii
from memgraph.domain.errors import InvalidInput, PersonalDataRefused
from memgraph.domain.events import EVENT
from memgraph.domain.events.texts import Replace, replaced, texts_of, with_texts
from memgraph.domain.mutations import Outcome
from memgraph.domain.values import PiiPolicy
from memgraph.services.enrichment.items import Item, Tools
from memgraph.services.ingest.graph_rows import to_mutation


def run(items: Sequence[Item], tools: Tools) -> None:
    """Look through the events and treat what is found by the tenant's policy."""
    if tools.pii_policy is PiiPolicy.OFF:
        return
    for item in items:
        kinds = _kinds(item.event, tools)
        if isinstance(item.event, ev.PromptEvent | ev.ResponseEvent):
            item.enriched["has_pii"] = bool(kinds)
            if kinds:
                item.enriched["pii_kinds"] = kinds
        if not kinds:
            continue
        if tools.pii_policy is PiiPolicy.REFUSE:
            item.end(Outcome.REJECTED, PersonalDataRefused.code, kinds=kinds)
            # Not even a dead letter keeps it.
            item.payload = b""
        elif tools.pii_policy is PiiPolicy.REDACT:
            _redact(item, tools)


def clean_letters(items: Sequence[Item], tools: Tools) -> None:
    """Treat what is kept of refused events by the tenant's policy, however broken it is.

    Without a valid event nothing tells a text from a key: all strings are looked at.
    """
    if tools.pii_policy not in (PiiPolicy.REDACT, PiiPolicy.REFUSE):
        return
    for item in items:
        if item.outcome not in (Outcome.REJECTED, Outcome.DEAD_LETTERED):
            continue
        cleaned = _cleaned(item.payload, lambda t: pii.redact(t, tools.texts.personal_data(t)))
        if cleaned != item.payload:
            item.payload = cleaned if tools.pii_policy is PiiPolicy.REDACT else b""


def _cleaned(payload: bytes, clean: Replace) -> bytes:
    try:
        said = orjson.loads(payload)
        cleaned = replaced(said, clean)
    except (orjson.JSONDecodeError, RecursionError):
        text = payload.decode(errors="replace")
        changed = clean(text)
        return payload if changed == text else changed.encode()
    return payload if cleaned is said else orjson.dumps(cleaned)


def _kinds(event: Any, tools: Tools) -> list[str]:
    return sorted({f.kind for text in texts_of(event) for f in tools.texts.personal_data(text)})


def _redact(item: Item, tools: Tools) -> None:
    try:
        item.sent_hash = to_mutation(item.event).fact_hash()
    except InvalidInput:
        return  # it cannot be stored; the stage that makes the rows says why
    item.event = with_texts(item.event, lambda t: pii.redact(t, tools.texts.personal_data(t)))
    item.payload = EVENT.dump_json(item.event, by_alias=True, exclude_none=True)
