"""What the graph knows of models and templates, kept for a while in memory."""

from __future__ import annotations

from collections.abc import Sequence

from memgraph.domain.templates.matching import Matcher
from memgraph.graph.reader import Reader
from memgraph.services.enrichment.items import Price
from memgraph.services.kept import Kept

KNOWN_S = 30.0
"""So long a new price or template may take to have an effect."""


class GraphRegistry:
    """Prices and templates of tenants, out of the graph. Threads share it."""

    def __init__(self, reader: Reader, *, known_s: float = KNOWN_S) -> None:
        self._reader = reader
        self._prices = Kept(self._read_prices, life_s=known_s)
        self._matchers = Kept(self._read_matcher, life_s=known_s, most=1_000)

    def prices(self, tenant_id: str, model_id: str) -> Sequence[Price]:
        """The prices of a model, latest first."""
        return self._prices.get((tenant_id, model_id))

    def match_template(self, tenant_id: str, text: str) -> str | None:
        """The registered template that a text fits, as ``template_id@version``."""
        return self._matchers.get(tenant_id).match(text)

    def _read_prices(self, key: tuple[str, str]) -> tuple[Price, ...]:
        names = ("valid_from", "input_usd_per_1k", "output_usd_per_1k")
        versions = self._reader.list_model_versions(*key)
        return tuple(
            Price(*(version[name] for name in names))
            for version in versions
            if all(version.get(name) is not None for name in names)
        )

    def _read_matcher(self, tenant_id: str) -> Matcher:
        rows = self._reader.list_template_texts(tenant_id)
        return Matcher((f"{r['template_id']}@{r['version']}", r["template_text"]) for r in rows)
