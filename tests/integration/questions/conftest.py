"""The demo for the questions, loaded once, and tenants for what a test writes."""

from __future__ import annotations

import uuid

import pytest

from memgraph.cli.stack import DEMO_FILE
from memgraph.domain.schema import GraphModel
from memgraph.graph.session import Graph
from memgraph.services.ingest import formats
from memgraph.services.ingest.service import Ingestion
from tests.support import demo
from tests.support.pipelines import graph_pipeline


@pytest.fixture(scope="package")
def tenant(graph: Graph, model: GraphModel) -> str:
    """The demo, once for all tests."""
    tenant = f"tenant-{uuid.uuid4()}"
    ingestion = Ingestion(graph_pipeline(graph, model), tenant_id=tenant, source="demo")
    assert ingestion.run(formats.read(DEMO_FILE)).totals.stored == len(demo.EVENTS)
    return tenant


@pytest.fixture
def own(tenant: str) -> str:
    """A tenant for what one test writes."""
    return f"{tenant}-{uuid.uuid4()}"
