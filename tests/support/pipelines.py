"""Pipelines for tests: a real one on a graph, a plain one around any writer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memgraph.domain.schema import GraphModel
from memgraph.graph.hashes import FactHashes
from memgraph.graph.nodes import NodeReader
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.services.enrichment.items import Price
from memgraph.services.enrichment.registry import GraphRegistry
from memgraph.services.enrichment.single import NullSeenEvents
from memgraph.services.enrichment.texts import Texts
from memgraph.services.enrichment.toolbox import Toolbox
from memgraph.services.ingest.delivery import Delivery
from memgraph.services.ingest.pipeline import Pipeline
from memgraph.services.metering import NullMeters
from memgraph.services.ports import TokenCount


class NullTexts:
    """Knows no language and counts words."""

    def detect(self, text: str) -> str | None:
        return None

    def encoding_of(self, model_id: str | None) -> str:
        return "words"

    def count(self, text: str, model_id: str | None) -> TokenCount:
        return TokenCount(len(text.split()), is_estimate=True)


class NullRegistry:
    """Knows no models and no templates."""

    def prices(self, tenant_id: str, model_id: str) -> Sequence[Price]:
        return ()

    def match_template(self, tenant_id: str, text: str) -> str | None:
        return None


class NullNodes:
    def find(self, tenant_id: str, label: str, key: Any) -> None:
        return None


def plain_toolbox() -> Toolbox:
    texts = Texts(NullTexts(), NullTexts())
    return Toolbox(texts, NullRegistry(), lambda *_: {}, NullNodes())


def plain_pipeline(writer: Any) -> Pipeline:
    """The stages without anything outside, before ``writer``."""
    return Pipeline(plain_toolbox(), Delivery(writer), NullSeenEvents(), NullMeters())


def graph_pipeline(graph: Graph, model: GraphModel, **more: Any) -> Pipeline:
    """The stages on a real graph; language and tokens are not looked at."""
    toolbox = Toolbox(
        Texts(NullTexts(), NullTexts()),
        GraphRegistry(Reader(graph, model), known_s=0.0),
        FactHashes(graph, model).find,
        NodeReader(graph, model),
    )
    seen = more.pop("seen", NullSeenEvents())
    return Pipeline(toolbox, Delivery(Writer(graph, model)), seen, NullMeters(), **more)
