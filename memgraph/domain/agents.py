"""What an agent is set to and how it does. Its states are in ``states``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from memgraph.domain.errors import InvalidInput
from memgraph.domain.values import MAX_INTEGER, MAX_ITEMS, MAX_KEY_CHARS

_Positive = Annotated[int, Field(ge=1, le=MAX_INTEGER)]
_Tool = Annotated[str, StringConstraints(min_length=1, max_length=MAX_KEY_CHARS)]


class AgentConfig(BaseModel):
    """Settings of an agent as its sender says them. None: not said, the framework decides."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    max_tokens: _Positive | None = None
    timeout_seconds: _Positive | None = None
    max_retries: Annotated[int, Field(ge=0, le=MAX_INTEGER)] | None = None
    # Not strict: JSON knows lists, and a frozen model wants a tuple.
    tools_enabled: Annotated[tuple[_Tool, ...], Field(strict=False, max_length=MAX_ITEMS)] = ()


@dataclass(frozen=True, slots=True)
class AgentMetrics:
    """Counts and sums over an agent's tasks.

    Everything is a whole number that adds up, so ``merge`` is associative and
    commutative and the order of parts and workers does not matter.
    """

    total_prompts: int = 0
    successful_tasks: int = 0
    failed_tasks: int = 0
    latency_sum_ms: int = 0
    total_tokens: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise InvalidInput(field.name, "must not be negative")

    @property
    def finished_tasks(self) -> int:
        """Tasks that succeeded or failed."""
        return self.successful_tasks + self.failed_tasks

    @property
    def average_latency_ms(self) -> float | None:
        """Mean over finished tasks; None before the first."""
        return self.latency_sum_ms / self.finished_tasks if self.finished_tasks else None

    @property
    def success_rate(self) -> float | None:
        """Share of finished tasks that succeeded, 0 to 1; None before the first."""
        return self.successful_tasks / self.finished_tasks if self.finished_tasks else None

    def record(self, success: bool, latency_ms: int, tokens: int) -> AgentMetrics:
        """Add one finished prompt."""
        return self.merge(AgentMetrics(1, int(success), int(not success), latency_ms, tokens))

    def merge(self, other: AgentMetrics) -> AgentMetrics:
        """Add the metrics of other prompts of the same agent."""
        names = [field.name for field in fields(self)]
        return AgentMetrics(**{n: getattr(self, n) + getattr(other, n) for n in names})
