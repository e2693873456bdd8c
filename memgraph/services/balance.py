"""The balance: received = stored + duplicate + rejected + dead-lettered, of every source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog

from memgraph import metrics
from memgraph.domain.errors import Unbalanced
from memgraph.domain.mutations import Outcome
from memgraph.services.ports import Meters

ListSources = Callable[[str], Iterable[Mapping[str, Any]]]

_log = structlog.get_logger()


def adds_up(source: Mapping[str, Any]) -> bool:
    """Whether everything that a source received was settled."""
    return bool(source["received"] == sum(source[outcome] for outcome in Outcome))


def check(tenants: Iterable[str], list_sources: ListSources, meters: Meters) -> int:
    """Look at every source; how many there are. Raises Unbalanced, with all that are wrong logged.

    One read per tenant.
    """
    checked = wrong = 0
    for tenant_id in tenants:
        for source in list_sources(tenant_id):
            checked += 1
            if not adds_up(source):
                wrong += 1
                figures = {str(name): source[name] for name in ("received", *Outcome)}
                _log.error(
                    "sums do not add up",
                    tenant_id=tenant_id,
                    source=source["source"],
                    **figures,
                )
    meters.set(metrics.UNBALANCED_SOURCES, wrong)
    if wrong:
        raise Unbalanced(f"the sums of {wrong} of {checked} sources do not add up", sources=wrong)
    return checked
