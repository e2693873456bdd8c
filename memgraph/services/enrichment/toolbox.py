"""The tools of the stages, made ready for one batch of one tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from memgraph.domain.mutations import Key
from memgraph.domain.values import PiiPolicy
from memgraph.services.enrichment.items import (
    FindHashes,
    MayWrite,
    OnPending,
    Registry,
    SeenEvents,
    Tools,
    anything,
    unnoticed,
)
from memgraph.services.enrichment.texts import Texts
from memgraph.services.kept import Kept

POLICY_LIFE_S = 10.0
"""So long another policy of a tenant may take to have an effect."""


def policy_of(tenant: Mapping[str, Any] | None, default: PiiPolicy) -> PiiPolicy:
    """What happens to personal data that a tenant sends, by its node."""
    said = tenant.get("pii_policy") if tenant else None
    return PiiPolicy(said) if said else default


class ReadsNodes(Protocol):
    """What the toolbox needs of the graph."""

    def find(self, tenant_id: str, label: str, key: Key) -> dict[str, Any] | None: ...


@dataclass(frozen=True, eq=False)
class Toolbox:
    """Makes tools. Threads share it."""

    texts: Texts
    registry: Registry
    find_hashes: FindHashes
    nodes: ReadsNodes
    default_policy: PiiPolicy = PiiPolicy.FLAG
    embeds: bool = False
    on_pending: OnPending = unnoticed

    @cached_property
    def _policies(self) -> Kept[str, PiiPolicy]:
        return Kept(self._read_policy, life_s=POLICY_LIFE_S)

    def of(self, tenant_id: str, seen: SeenEvents, may: MayWrite = anything) -> Tools:
        """Tools for a batch. Raises what the graph raises when a policy cannot be read."""
        return Tools(
            tenant_id,
            self.texts,
            self.registry,
            seen,
            self.find_hashes,
            pii_policy=self.pii_policy(tenant_id),
            embeds=self.embeds,
            may=may,
            on_pending=self.on_pending,
        )

    def pii_policy(self, tenant_id: str) -> PiiPolicy:
        """What happens to personal data that a tenant sends. Raises what the graph raises."""
        return self._policies.get(tenant_id)

    def _read_policy(self, tenant_id: str) -> PiiPolicy:
        return policy_of(self.nodes.find(tenant_id, "Tenant", ()), self.default_policy)
