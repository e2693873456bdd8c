"""Deduplicate: what was written not long ago needs no further work.

The filter says which events look known; the graph is the judge: only an event
whose very hash is stored is a duplicate. A filter that forgot or lies costs
time, never an event.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from hashlib import blake2b

from memgraph.domain.errors import InvalidInput
from memgraph.domain.mutations import Key, Outcome
from memgraph.services.enrichment.items import Item, Tools
from memgraph.services.ingest.graph_rows import to_mutation

DIGEST_BYTES = 8
"""Enough for a filter: the graph judges."""


def run(items: Sequence[Item], tools: Tools) -> None:
    """End the events that are known as duplicates."""
    for item in items:
        item.digest = blake2b(item.payload, digest_size=DIGEST_BYTES).digest()
    marked = tools.seen.among(tools.tenant_id, [(i.event.event_id, i.digest) for i in items])
    sent: dict[str, dict[Key, list[tuple[Item, int]]]] = defaultdict(lambda: defaultdict(list))
    for item, is_marked in zip(items, marked, strict=True):
        if not is_marked:
            continue
        try:
            mutation = to_mutation(item.event)
        except InvalidInput:
            continue  # the stage that makes the rows says why
        if mutation.fact is not None:
            label, key = mutation.fact
            sent[label][key].append((item, mutation.fact_hash()))
    for label, by_key in sent.items():
        stored = tools.find_hashes(tools.tenant_id, label, by_key)
        for key, known in by_key.items():
            for item, fact_hash in known:
                if stored.get(key) == fact_hash:
                    item.end(Outcome.DUPLICATE)
