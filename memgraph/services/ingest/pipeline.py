"""The one way in: every door gives its batches here and gets outcomes that are committed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from memgraph import metrics
from memgraph.domain.mutations import Outcome, Totals
from memgraph.services.enrichment import run_stages
from memgraph.services.enrichment.items import Item, MayWrite, SeenEvents, Tools, anything
from memgraph.services.enrichment.pii import clean_letters
from memgraph.services.enrichment.toolbox import Toolbox
from memgraph.services.ingest.delivery import Delivery
from memgraph.services.ingest.pressure import Pressure
from memgraph.services.ports import Meters


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Stages and write for batches of one tenant and source. Threads share it."""

    toolbox: Toolbox
    delivery: Delivery
    seen: SeenEvents
    meters: Meters
    pressure: Pressure = field(default_factory=Pressure)

    def run(
        self,
        tenant_id: str,
        items: Sequence[Item],
        *,
        door: str,
        source: str = "",
        keep_invalid: bool = False,
        may: MayWrite = anything,
    ) -> Totals:
        """Settle every item. It returns after the commit; each item has its outcome.

        The ledger has them under ``source``, by default the ``door`` they came in by. With
        ``keep_invalid`` what breaks a rule becomes a dead letter, because there is nobody to
        tell. Raises GraphUnavailable and Overloaded: nothing is acknowledged
        then, and the batch can be sent again.
        """
        self.meters.count(metrics.SOURCE_EVENTS, len(items), source=door, status="received")
        tools = self.toolbox.of(tenant_id, self.seen, may)
        self._prepare(items, tools)
        if keep_invalid:
            clean_letters(items, tools)
            for item in items:
                if item.outcome is Outcome.REJECTED:
                    item.outcome = Outcome.DEAD_LETTERED
        with self.pressure.writing(len(items)):
            self.delivery.deliver(tenant_id, items, source or door)
        totals = Totals()
        totals.add([item.outcome for item in items if item.outcome is not None])
        self._note(tenant_id, items, totals, door)
        return totals

    def _prepare(self, items: Sequence[Item], tools: Tools) -> None:
        for name, still in run_stages(items, tools, self._watch):
            self.meters.count(metrics.STAGE_EVENTS, len(still), stage=name)
            ended = Counter(item.outcome.value for item in still if item.outcome is not None)
            for outcome, amount in ended.items():
                self.meters.count(metrics.STAGE_ENDED, amount, stage=name, status=outcome)

    @contextmanager
    def _watch(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.meters.observe(metrics.STAGE_SECONDS, time.perf_counter() - began, stage=stage)

    def _note(self, tenant_id: str, items: Sequence[Item], totals: Totals, door: str) -> None:
        written = [
            (item.event.event_id, item.digest)
            for item in items
            if item.outcome in (Outcome.STORED, Outcome.DUPLICATE)
        ]
        self.seen.mark(tenant_id, written)
        for outcome in Outcome:
            if amount := getattr(totals, outcome.value):
                self.meters.count(metrics.SOURCE_EVENTS, amount, source=door, status=outcome.value)
