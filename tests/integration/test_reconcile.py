"""What enrichment left out is added later, once, and never over what a sender said."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from memgraph.domain.errors import GraphRefused, GraphUnavailable, StillLoading
from memgraph.domain.schema import GraphModel
from memgraph.graph.digest import digest
from memgraph.graph.nodes import NodeReader
from memgraph.graph.pending import PendingMessages
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.ids import now
from memgraph.services.enrichment.items import Item, Price
from memgraph.services.enrichment.reconcile import Reconciler, Reconciliation
from memgraph.services.enrichment.single import NullSeenEvents
from memgraph.services.enrichment.texts import Texts
from memgraph.services.enrichment.toolbox import Toolbox
from memgraph.services.ingest.delivery import Delivery
from memgraph.services.ingest.pipeline import Pipeline
from memgraph.services.metering import NullMeters
from tests.support.events import at, event
from tests.support.pipelines import NullNodes, NullTexts


class Away:
    """A language model and a registry that are away until ``is_here``."""

    def __init__(self) -> None:
        self.is_here = False

    def detect(self, text: str) -> str | None:
        if not self.is_here:
            raise StillLoading("loading")
        return "en"

    def prices(self, tenant_id: str, model_id: str) -> Sequence[Price]:
        self._check()
        return (Price(now().replace(year=2020), 2.0, 10.0),)

    def match_template(self, tenant_id: str, text: str) -> str | None:
        self._check()
        return "support@1.0.0" if text.startswith("Where") else None

    def _check(self) -> None:
        if not self.is_here:
            raise GraphUnavailable("away")


@pytest.fixture
def away() -> Away:
    return Away()


@pytest.fixture
def ingest(graph: Graph, model: GraphModel, tenant: str, away: Away) -> Any:
    toolbox = Toolbox(Texts(away, NullTexts()), away, lambda *_: {}, NullNodes())
    pipeline = Pipeline(toolbox, Delivery(Writer(graph, model)), NullSeenEvents(), NullMeters())

    def run(*events: bytes) -> None:
        assert pipeline.run(tenant, [Item(e) for e in events], door="test").stored == len(events)

    return run


USAGE = {"prompt_tokens": 1_000, "completion_tokens": 100, "total_tokens": 1_100}
PROMPT = event(
    event_id="p", timestamp=at(0), prompt={"text": "Where is my parcel?"}, session={"id": "s"}
)
RESPONSE = event(
    event_id="r",
    timestamp=at(1),
    prompt_event_id="p",
    response={"text": "It arrives on Monday."},
    model={"id": "m"},
    usage=USAGE,
)


def test_what_was_away_is_added_when_it_is_back(
    graph: Graph, model: GraphModel, tenant: str, away: Away, ingest: Any
) -> None:
    ingest(PROMPT, RESPONSE)
    before = digest(graph, model, tenant)
    rows = graph.read(
        "MATCH (n {tenant_id: $tenant}) WHERE n.enrichment_pending IS NOT NULL "
        "RETURN n.enrichment_pending AS pending ORDER BY pending",
        tenant=tenant,
    )
    assert [row["pending"] for row in rows] == ["language cost_usd", "language matched_template"]
    reconciliation = Reconciliation(PendingMessages(graph, model), Texts(away, NullTexts()), away)
    assert reconciliation.run(tenant) == 0
    away.is_here = True
    assert reconciliation.run(tenant) == 2
    nodes = NodeReader(graph, model)
    prompt = nodes.get(tenant, "Prompt", ("p",))
    assert (prompt["language"], prompt["matched_template"]) == ("en", "support@1.0.0")
    assert "enrichment_pending" not in prompt
    response = nodes.get(tenant, "Response", ("r",))
    assert (response["language"], response["cost_usd"]) == ("en", 3.0)
    assert response["computed_properties"] == ["cost_usd"]
    assert reconciliation.run(tenant) == 0
    assert digest(graph, model, tenant) == before


def test_another_tenant_is_left_alone(
    graph: Graph, model: GraphModel, away: Away, ingest: Any, tenant: str
) -> None:
    ingest(PROMPT)
    away.is_here = True
    pending = PendingMessages(graph, model)
    assert Reconciliation(pending, Texts(away, NullTexts()), away).run("somebody") == 0
    assert len(pending.list_pending(tenant, "Prompt", 10)) == 1
    assert Reader(graph, model).list_sources("somebody") == []


def test_what_is_noticed_is_completed_beside_the_work(
    graph: Graph, model: GraphModel, tenant: str, away: Away, ingest: Any
) -> None:
    ingest(PROMPT)
    reconciliation = Reconciliation(PendingMessages(graph, model), Texts(away, NullTexts()), away)
    reconciler = Reconciler(reconciliation, first_pause_s=0.02)
    reconciler.note(tenant)
    assert reconciliation.is_left(tenant)
    away.is_here = True
    give_up = time.monotonic() + 60
    while reconciliation.is_left(tenant):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    reconciler.note(tenant)  # its thread begins anew
    assert NodeReader(graph, model).get(tenant, "Prompt", ("p",))["language"] == "en"


def test_what_would_never_pass_is_tried_once(graph: Graph, model: GraphModel, tenant: str) -> None:
    class Refused(Reconciliation):
        tries = 0

        def run(self, tenant_id: str, *_: Any, **__: Any) -> Any:
            Refused.tries += 1
            raise GraphRefused("no")

    texts = Texts(Away(), NullTexts())
    reconciler = Reconciler(Refused(PendingMessages(graph, model), texts, Away()), first_pause_s=0)
    reconciler.note(tenant)
    if (thread := reconciler._thread) is not None:
        thread.join(60)
        assert not thread.is_alive()
    assert Refused.tries == 1
