"""A relay of one tenant that tells a sink in memory."""

from __future__ import annotations

from typing import Any

import pytest

from memgraph.graph.outbox import Outbox
from memgraph.graph.session import Graph
from memgraph.services.ports import EventSink
from memgraph.services.relay import HoldsLease, Relay
from memgraph.settings import OutboxSettings
from tests.support.relaying import MakeRelay
from tests.support.sinks import InMemorySink, OwnLease


@pytest.fixture
def outbox(graph: Graph) -> Outbox:
    return Outbox(graph)


@pytest.fixture
def sink() -> InMemorySink:
    return InMemorySink()


@pytest.fixture
def relay(outbox: Outbox, tenant: str) -> MakeRelay:
    """Make a relay of this test's tenant."""

    def make(*sinks: EventSink, lease: HoldsLease | None = None, **more: Any) -> Relay:
        settings = more.pop("settings", OutboxSettings(entries=3, poll_s=0.01))
        return Relay(
            more.pop("outbox", outbox),
            sinks,
            lease or OwnLease(),
            settings,
            **{"tenant_id": tenant, **more},
        )

    return make
