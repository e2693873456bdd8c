"""What goes through the stages, and the tools that stages are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from memgraph.domain.access import Permission
from memgraph.domain.mutations import Key, Mutation, Outcome
from memgraph.domain.values import PiiPolicy
from memgraph.services.enrichment.texts import Texts


@dataclass(slots=True)
class Item:
    """One event on its way: what came in, what stages found, and how it ended."""

    payload: bytes
    """The original bytes, for a dead letter."""
    position: str = ""
    """Where it stood, for a report."""
    event: Any = None
    """The event, once it is read; a redacted one when the tenant wants that."""
    enriched: dict[str, Any] = field(default_factory=dict)
    """Properties of its fact that no sender said."""
    computed: list[str] = field(default_factory=list)
    """Of these, the names that a sender might have said."""
    pending: list[str] = field(default_factory=list)
    """Properties that could not be found out now, because what knows them is away."""
    digest: bytes = b""
    """Of the original bytes, for the filter of duplicates."""
    sent_hash: int | None = None
    """Of what was sent, when the event was redacted since."""
    is_retold: bool = False
    """It may tell in other words what is stored; that is no conflict then."""
    mutation: Mutation | None = None
    outcome: Outcome | None = None
    """How it ended; None while it is open."""
    code: str = ""
    stage: str = ""
    detail: dict[str, Any] = field(default_factory=dict)
    """Why it was refused: code of the error, the stage that said so, named facts."""

    @property
    def reason(self) -> str:
        """Why it was refused, in words without content."""
        if "rule" in self.detail:
            return f"{self.detail['field']}: {self.detail['rule']}"
        if self.code == "conflict":
            label = self.detail.get("label", "node")
            return f"conflict: a {label} with this key exists with other content"
        return self.code.replace("_", " ")

    def end(self, outcome: Outcome, code: str = "", **detail: Any) -> None:
        """Take it out of the pipeline."""
        self.outcome, self.code, self.detail = outcome, code, detail

    def compute(self, name: str, value: Any) -> None:
        """Add a property that a sender might have said."""
        if value is not None:
            self.enriched[name] = value
            self.computed.append(name)


SeenEvent = tuple[str, bytes]
"""Event id, and digest of the bytes that came in."""


class SeenEvents(Protocol):
    """Events that were written not long ago: a cheap filter, never the judge."""

    def among(self, tenant_id: str, events: Sequence[SeenEvent]) -> list[bool]:
        """Say of each event whether it was marked; False when unsure."""
        ...

    def mark(self, tenant_id: str, events: Sequence[SeenEvent]) -> None:
        """Note events that are committed."""
        ...


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs from a time on, USD per 1,000 tokens."""

    valid_from: datetime
    input_usd_per_1k: float
    output_usd_per_1k: float


class Registry(Protocol):
    """What is known of models and templates. Raises MemgraphError when it is away."""

    def prices(self, tenant_id: str, model_id: str) -> Sequence[Price]:
        """The prices of a model, latest first."""
        ...

    def match_template(self, tenant_id: str, text: str) -> str | None:
        """The registered template that a text fits, as ``template_id@version``."""
        ...


FindHashes = Callable[[str, str, Iterable[Key]], dict[Key, int]]
"""Tenant, label and keys to the stored ``fact_hash`` of those that are there."""


MayWrite = Callable[[Permission], bool]


OnPending = Callable[[str], None]


def unnoticed(tenant_id: str) -> None:
    """Whoever completes it finds it in the graph."""


def anything(permission: Permission) -> bool:
    """The rights of a door whose senders were let in for everything."""
    return True


@dataclass(frozen=True, slots=True)
class Tools:
    """What the stages may ask, for one batch of one tenant."""

    tenant_id: str
    texts: Texts
    registry: Registry
    seen: SeenEvents
    find_hashes: FindHashes
    pii_policy: PiiPolicy = PiiPolicy.FLAG
    embeds: bool = False
    """Whether prompts get vectors."""
    may: MayWrite = anything
    """What the sender may write."""
    on_pending: OnPending = unnoticed
    """Told the tenant when something is left to be completed."""


class Stage(Protocol):
    """A step of the pipeline, over items that are open."""

    def __call__(self, items: Sequence[Item], tools: Tools, /) -> None: ...
