"""Graph rows: what the event asks of the graph, with what enrichment found."""

from __future__ import annotations

from collections.abc import Sequence

from memgraph.domain.errors import InvalidInput
from memgraph.domain.mutations import Outcome
from memgraph.domain.schema import COMPUTED
from memgraph.services.enrichment.items import Item, Tools
from memgraph.services.ingest.graph_rows import to_mutation


def run(items: Sequence[Item], tools: Tools) -> None:
    """Make the mutations. What cannot be one is rejected with field and rule."""
    for item in items:
        try:
            mutation = to_mutation(item.event, item.payload)
        except InvalidInput as error:
            item.end(Outcome.REJECTED, error.code, **error.facts)
            continue
        mutation.sent_hash = item.sent_hash
        mutation.is_retold = item.is_retold
        if mutation.fact is not None:
            mutation.enriched = item.enriched
            if item.computed:
                mutation.enriched[COMPUTED] = item.computed
            if item.pending:
                mutation.enriched["enrichment_pending"] = " ".join(item.pending)
        item.mutation = mutation
    if any(item.pending for item in items):
        tools.on_pending(tools.tenant_id)
