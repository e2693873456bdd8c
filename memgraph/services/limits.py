"""How often callers may ask: a bucket for each credential and one for its tenant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import structlog
from pydantic import ValidationError

from memgraph.domain.access import Principal
from memgraph.domain.errors import InvalidInput
from memgraph.domain.mutations import Key
from memgraph.services.kept import Kept
from memgraph.services.ports import Bucket, Decision, Limiter
from memgraph.settings import LimitSettings, Rates

RATES_LIFE_S = 10.0
"""So long other limits of a tenant may take to have an effect."""
MOST_TENANTS = 10_000

_log = structlog.get_logger()


class ReadsNodes(Protocol):
    """What limits need of the graph."""

    def find(self, tenant_id: str, label: str, key: Key) -> dict[str, Any] | None: ...


def with_limits(known: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """The limits of a tenant with some of them set; None takes one back. Raises InvalidInput."""
    limits = {n: v for n, v in {**known, **said}.items() if v is not None}
    try:
        Rates(**{n: v for n, v in limits.items() if n in Rates.model_fields})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise InvalidInput(str(first["loc"][0]), first["msg"]) from None
    return limits


@dataclass(eq=False)
class Limits:
    """Take tokens for callers. ``shared`` counts for all processes, ``alone`` for this one."""

    settings: LimitSettings
    nodes: ReadsNodes
    shared: Limiter
    alone: Limiter

    @cached_property
    def _known(self) -> Kept[str, Rates]:
        return Kept(self._read, life_s=RATES_LIFE_S, most=MOST_TENANTS)

    def take_address(self, address: str) -> Decision:
        """A token of an address, before anybody looks at what it sent."""
        rate = self.settings
        bucket = Bucket("address", address, rate.address_per_s, rate.address_burst)
        return self.alone.take([bucket])

    def take(self, principal: Principal) -> Decision:
        """A token of the credential and one of the tenant."""
        tenant_id = principal.tenant_id
        rates = self.rates(tenant_id)
        client = f"{tenant_id}\x00{principal.subject}"
        return self.shared.take(
            [
                Bucket("client", client, rates.client_per_s, rates.client_burst),
                Bucket("tenant", tenant_id, rates.tenant_per_s, rates.tenant_burst),
            ]
        )

    def rates(self, tenant_id: str) -> Rates:
        """The limits in force for a tenant and each of its clients."""
        return self._known.get(tenant_id)

    def _read(self, tenant_id: str) -> Rates:
        tenant = self.nodes.find(tenant_id, "Tenant", ())
        said = tenant.get("limits") if tenant else None
        names = set(Rates.model_fields)
        known = {n: v for n, v in said.items() if n in names} if isinstance(said, dict) else {}
        try:
            return Rates(**{**self.settings.model_dump(include=names), **known})
        except ValidationError:
            _log.warning("limits of the tenant are wrong", tenant_id=tenant_id)
            return self.settings
