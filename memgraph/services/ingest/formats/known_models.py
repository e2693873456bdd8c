"""Models whose published facts importers may state: release and list price at that time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from memgraph.domain.events import ModelEvent
from memgraph.domain.events.conversation import ModelRef
from memgraph.domain.events.registry import ModelBody, ModelVersionBody


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A version of a model with its prices."""

    model: ModelBody
    version: str
    released_at: datetime
    input_usd_per_1k: float
    output_usd_per_1k: float

    @property
    def reference(self) -> ModelRef:
        return ModelRef(id=self.model.id, provider=self.model.provider, version=self.version)

    @property
    def registration(self) -> ModelEvent:
        """The event that registers it; the same each time, so a second one is a duplicate."""
        return ModelEvent(
            event_id=f"model-{self.model.id}-{self.version}",
            timestamp=self.released_at,
            model=self.model,
            version=ModelVersionBody(
                version=self.version,
                input_usd_per_1k=self.input_usd_per_1k,
                output_usd_per_1k=self.output_usd_per_1k,
                valid_from=self.released_at,
                released_at=self.released_at,
            ),
        )

    def cost_usd(self, prompt_tokens: int, completion_tokens: int) -> float:
        cost = prompt_tokens * self.input_usd_per_1k + completion_tokens * self.output_usd_per_1k
        return round(cost / 1000, 8)


_GPT_4O = datetime(2024, 5, 13, tzinfo=UTC)

KNOWN_MODELS: Mapping[str, KnownModel] = {
    known.model.id: known
    for known in (
        KnownModel(
            ModelBody(
                id="gpt-4o",
                provider="openai",
                family="gpt-4o",
                capabilities=["chat", "tools", "vision"],
                context_window=128_000,
                max_output_tokens=4_096,
                training_cutoff="2023-10-01",
                released_at=_GPT_4O,
            ),
            version="2024-05-13",
            released_at=_GPT_4O,
            input_usd_per_1k=0.005,
            output_usd_per_1k=0.015,
        ),
    )
}
"""By model id."""
