"""Dead letters: see what was kept aside, try it again, or let it go."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from memgraph.domain.errors import NotFound, shown
from memgraph.domain.mutations import Outcome, Totals
from memgraph.graph.dead_letters import DeadLetterStore
from memgraph.services.enrichment.items import Item
from memgraph.services.ingest.pipeline import Pipeline

Row = dict[str, Any]
TOGETHER = 200
"""Letters that are read and tried at once."""


@dataclass(frozen=True, eq=False)
class DeadLetters:
    """The dead letters of all tenants. Threads may share it."""

    store: DeadLetterStore
    pipeline: Pipeline

    def list_letters(
        self,
        tenant_id: str,
        *,
        source: str | None = None,
        reason: str | None = None,
        after: str = "",
        limit: int = 100,
    ) -> list[Row]:
        """Letters by id, those after ``after``, without what they hold."""
        found = self.store.list_letters(
            tenant_id, source=source, reason=reason, after=after, limit=limit
        )
        return [{name: v for name, v in row.items() if v is not None} for row in found]

    def get(self, tenant_id: str, letter_id: str) -> Row:
        """A letter with its ``content``, the original bytes as text. Raises NotFound."""
        letters = self.store.read(tenant_id, [letter_id])
        if not letters:
            raise NotFound(f"there is no dead letter {shown(letter_id)}", kind="dead_letter")
        [letter] = letters
        content = base64.b64decode(letter.pop("payload", ""))
        return {**letter, "content": content.decode("utf-8", "backslashreplace")}

    def drop(self, tenant_id: str, letter_id: str) -> None:
        """Remove a letter for good. Raises NotFound."""
        if not self.store.remove(tenant_id, [letter_id]):
            raise NotFound(f"there is no dead letter {shown(letter_id)}", kind="dead_letter")

    def replay(self, tenant_id: str, ids: Sequence[str]) -> Totals:
        """Send letters through the pipeline again; those that are settled now are removed.

        Trying twice does no harm: what was stored meanwhile is a duplicate, and a
        letter that fails again stays, with one more attempt.
        """
        totals = Totals()
        for at in range(0, len(ids), TOGETHER):
            by_source: dict[str, list[Row]] = {}
            for letter in self.store.read(tenant_id, ids[at : at + TOGETHER]):
                by_source.setdefault(letter["source"], []).append(letter)
            for source, letters in by_source.items():
                totals += self._replay(tenant_id, source, letters)
        return totals

    def replay_all(
        self,
        tenant_id: str,
        *,
        source: str | None = None,
        reason: str | None = None,
        on_progress: Callable[[Totals], None] = lambda _: None,
    ) -> Totals:
        """Replay every letter of a source and reason, page by page."""
        totals, after = Totals(), ""
        while True:
            page = self.list_letters(
                tenant_id, source=source, reason=reason, after=after, limit=TOGETHER
            )
            if not page:
                return totals
            after = page[-1]["dead_letter_id"]
            totals += self.replay(tenant_id, [row["dead_letter_id"] for row in page])
            on_progress(totals)

    def _replay(self, tenant_id: str, source: str, letters: list[Row]) -> Totals:
        items = [Item(base64.b64decode(letter["payload"])) for letter in letters]
        totals = self.pipeline.run(
            tenant_id, items, door="replay", source=source, keep_invalid=True
        )
        settled: list[str] = []
        left: list[str] = []
        for item, letter in zip(items, letters, strict=True):
            is_settled = item.outcome in (Outcome.STORED, Outcome.DUPLICATE)
            (settled if is_settled else left).append(letter["dead_letter_id"])
        if settled:
            self.store.remove(tenant_id, settled)
        if left:
            self.store.note_attempt(tenant_id, left)
        return totals
