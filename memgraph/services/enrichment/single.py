"""Enrich one event whose sender waits: the same stages, and errors instead of outcomes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memgraph.domain.errors import InvalidInput, PersonalDataRefused
from memgraph.domain.events.base import EventBase
from memgraph.domain.mutations import Mutation
from memgraph.services.enrichment import run_stages
from memgraph.services.enrichment.items import Item, SeenEvent
from memgraph.services.enrichment.toolbox import Toolbox


class NullSeenEvents:
    """Remembers nothing: for single events the graph is asked anyway."""

    def among(self, tenant_id: str, events: Sequence[SeenEvent]) -> list[bool]:
        return [False] * len(events)

    def mark(self, tenant_id: str, events: Sequence[SeenEvent]) -> None:
        return None


_NOTHING_SEEN = NullSeenEvents()


@dataclass(frozen=True, eq=False)
class Enriching:
    """Turns single events into mutations. Threads share it."""

    toolbox: Toolbox

    def __call__(self, tenant_id: str, event: EventBase, payload: bytes) -> Mutation:
        """What the event asks of the graph. Raises InvalidInput, PersonalDataRefused."""
        item = Item(payload, event=event)
        for _ in run_stages([item], self.toolbox.of(tenant_id, _NOTHING_SEEN)):
            pass
        if item.mutation is not None:
            return item.mutation
        if item.code == PersonalDataRefused.code:
            raise PersonalDataRefused(
                "it holds personal data, which this tenant takes none of", **item.detail
            )
        raise InvalidInput(str(item.detail["field"]), str(item.detail["rule"]))
