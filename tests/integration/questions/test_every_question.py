"""What holds for every question: one request, JSON, nothing hidden."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
import pytest

from memgraph.domain.errors import InvalidInput, NotFound
from memgraph.domain.schema import GraphModel
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from tests.support.questions import BEST, BOTH
from tests.support.recording import RecordingGraph

QUESTIONS: dict[str, Callable[[Reader, str], Any]] = {
    "thread": lambda reader, tenant: reader.get_thread(tenant, "s-0033"),
    "lineage": lambda reader, tenant: reader.get_lineage(tenant, "response", BEST, directions=BOTH),
    "template": lambda reader, tenant: reader.get_impact(tenant, "template", "tpl-triage@1.0.0"),
    "model": lambda reader, tenant: reader.get_impact(tenant, "model", "tarn-3"),
    "document": lambda reader, tenant: reader.get_impact(
        tenant, "document", "doc-returns-policy#3"
    ),
    "tool": lambda reader, tenant: reader.get_impact(tenant, "tool", "kb_search"),
    "failures": lambda reader, tenant: reader.list_tool_failures(tenant),
    "network": lambda reader, tenant: reader.list_agent_network(tenant),
    "error": lambda reader, tenant: reader.get_error_path(tenant, "err-0020-4"),
    "genealogy": lambda reader, tenant: reader.list_genealogy(tenant, "tpl-triage"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_one_request_each_and_json_back(
    graph: Graph, model: GraphModel, tenant: str, question: str
) -> None:
    recording = RecordingGraph(graph)
    answer = QUESTIONS[question](Reader(recording, model), tenant)
    assert len(recording.sent) == 1
    assert orjson.loads(orjson.dumps(answer))


ASKED: dict[str, Callable[[Reader, str, str], Any]] = {
    "thread": lambda reader, tenant, id_: reader.get_thread(tenant, id_),
    "session": lambda reader, tenant, id_: reader.get_lineage(tenant, "session", id_),
    "prompt": lambda reader, tenant, id_: reader.get_lineage(tenant, "prompt", id_),
    "document": lambda reader, tenant, id_: reader.get_impact(tenant, "document", id_),
    "model": lambda reader, tenant, id_: reader.get_impact(tenant, "model", id_),
    "template": lambda reader, tenant, id_: reader.get_impact(tenant, "template", id_),
    "version": lambda reader, tenant, id_: reader.get_impact(tenant, "template", f"{id_}@1.0.0"),
    "tool": lambda reader, tenant, id_: reader.get_impact(tenant, "tool", id_),
    "error": lambda reader, tenant, id_: reader.get_error_path(tenant, id_),
    "genealogy": lambda reader, tenant, id_: reader.list_genealogy(tenant, id_),
}

LABEL_OF = {
    "thread": "Session",
    "session": "Session",
    "prompt": "Prompt",
    "document": "ContextDocument",
    "model": "Model",
    "template": "PromptTemplate",
    "version": "PromptTemplate",
    "tool": "ToolInvocation",
    "error": "Error",
    "genealogy": "PromptTemplate",
}


@pytest.mark.parametrize("question", ASKED)
@pytest.mark.parametrize("hidden", ["nothing", "Placeholder", "Tombstone"])
def test_what_is_not_there_or_hidden_is_not_found(
    graph: Graph, model: GraphModel, reader: Reader, own: str, question: str, hidden: str
) -> None:
    if hidden != "nothing":
        spec = model.nodes[LABEL_OF[question]]
        keys = {name: "1.0.0" if name == "version" else "ghost" for name in spec.key}
        keys |= {"tool_name": "ghost"} if spec.label == "ToolInvocation" else {}
        graph.run(
            f"CREATE (n:{spec.label}:{hidden}) SET n = $properties",
            properties={"tenant_id": own, **keys},
        )
    with pytest.raises(NotFound, match=r"no .* ghost(@1\.0\.0)? in this tenant"):
        ASKED[question](reader, own, "ghost")


def test_kinds_that_are_none(reader: Reader, tenant: str) -> None:
    with pytest.raises(InvalidInput, match="must be one of"):
        reader.get_lineage(tenant, "outbox", "x")
    with pytest.raises(InvalidInput, match="needs TEMPLATE_ID@VERSION"):
        reader.get_lineage(tenant, "template", "tpl-triage")


def test_a_key_with_a_time(graph: Graph, reader: Reader, own: str) -> None:
    graph.run(
        "CREATE (:Rollup {tenant_id: $tenant_id, scope: 'model:a@b', grain: 'day', "
        "bucket: datetime('2026-01-31T00:00Z')})",
        tenant_id=own,
    )
    found = reader.get_lineage(own, "rollup", "model:a@b@day@2026-01-31T00:00:00+00:00")
    assert found["nodes"][0]["properties"]["bucket"] == datetime.fromisoformat("2026-01-31T00Z")
