"""Search by words, vectors and both; what a node is tied to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memgraph.adapters.embedders import StaticEmbedder
from memgraph.adapters.segments import FileVectorSegments
from memgraph.bootstrap import App
from memgraph.domain.schema import GraphModel
from memgraph.graph.embedding import EmbeddingQueue
from memgraph.graph.kinds import find_spec
from memgraph.graph.session import Graph
from memgraph.services.embeddings import Embeddings
from tests.api.conftest import Caller, CallerAs, Serve

DIMENSIONS = 256


def vector(*head: float) -> list[float]:
    return [*head, *([0.0] * (DIMENSIONS - len(head)))]


TEXTS = {
    "lamp": ("a refund for the broken lamp", vector(1.0)),
    "cable": ("a refund for the cable", vector(0.8, 0.6)),
    "parcel": ("where is my parcel", vector(0.0, 1.0)),
    "alone": ("nothing of the kind", None),
}

ASKED = ["I want a refund of my payment", "book me a flight to Oslo", "what is the weather"]


@pytest.fixture
def shop(api: Caller, graph: Graph, tenant: str) -> Caller:
    """A few prompts, some with a vector."""
    for id_, (text, embedding) in TEXTS.items():
        body = {"id": id_, "prompt": {"text": text}, "tags": [id_]}
        assert api.post("/sessions/s/prompts", body).status_code == 201
        if embedding:
            graph.run(
                "MATCH (n:Prompt {tenant_id: $tenant_id, prompt_id: $id}) "
                "SET n.embedding = $vector",
                tenant_id=tenant,
                id=id_,
                vector=embedding,
            )
    graph.run("CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()")
    return api


def ids(api: Caller, **search: Any) -> list[str]:
    answer = api.post("/search", search)
    assert answer.status_code == 200, answer.json
    return [item["id"] for item in answer.json["items"]]


def test_by_text(shop: Caller) -> None:
    assert ids(shop, text="broken REFUND") == ["lamp", "cable"]
    assert ids(shop, text="parcel", kind="prompt") == ["parcel"]
    assert ids(shop, text="parcel", kind="response") == []
    assert ids(shop, text="refund", limit=1) in (["lamp"], ["cable"])


def test_by_vector(shop: Caller) -> None:
    answer = shop.post("/search", {"vector": vector(1.0), "explain": True}).json
    assert [item["id"] for item in answer["items"]] == ["lamp", "cable", "parcel"]
    assert [item["score"] for item in answer["items"]] == pytest.approx([1.0, 0.8, 0.0], abs=1e-6)
    assert answer["plan"] == [{"access": "vector", "index": "prompt_embedding_vector"}]
    assert "embedding" not in answer["items"][0]["node"]


def test_by_both(shop: Caller) -> None:
    answer = shop.post("/search", {"text": "parcel", "vector": vector(1.0), "explain": True}).json
    assert answer["mode"] == "hybrid"
    scores = {item["id"]: item["score"] for item in answer["items"]}
    assert scores == pytest.approx({"parcel": 1 / 61 + 1 / 63, "lamp": 1 / 61, "cable": 1 / 62})
    assert [item["id"] for item in answer["items"]] == ["parcel", "lamp", "cable"]
    assert {plan["access"] for plan in answer["plan"]} == {"fulltext", "vector"}


def test_what_is_found_meets_the_conditions(shop: Caller) -> None:
    where = [{"field": "tags", "operator": "contains", "value": "cable"}]
    assert ids(shop, text="refund", kind="prompt", where=where) == ["cable"]
    assert ids(shop, vector=vector(1.0), where=where) == ["cable"]


def test_hits_of_others_do_not_hide_ones_own(
    shop: Caller, caller: CallerAs, monkeypatch: pytest.MonkeyPatch, graph: Graph
) -> None:
    monkeypatch.setattr("memgraph.graph.search._FEWEST_HITS", 1)
    monkeypatch.setattr("memgraph.services.questions.FUSED_AT_LEAST", 1)
    other = caller(tenant_id="loud-tenant")
    for i in range(30):
        body = {"id": f"p{i}", "timestamp": "2026-01-01T00:00:00Z", "prompt": {"text": "lamp lamp"}}
        assert other.post("/sessions/s/prompts", body).status_code in (200, 201)
    graph.run("CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()")
    assert ids(shop, text="lamp", limit=1) == ["lamp"]


class TestByMeaning:
    """The words of a search become a vector by the model that made those of the prompts."""

    @pytest.fixture
    def asked(self, api: Caller, parts: App, tenant: str, tmp_path: Path) -> Caller:
        for i, text in enumerate([*ASKED, ASKED[0]]):
            body = {"id": f"p{i}", "prompt": {"text": text}}
            assert api.post("/sessions/s/prompts", body).status_code == 201
        queue = EmbeddingQueue(parts.graph)
        queue.request_all(tenant)
        embedder = StaticEmbedder()
        segments = FileVectorSegments(tmp_path, embedder.model_id, embedder.dimensions)
        done = Embeddings(queue, embedder, segments, list).run_once(tenant, 100)
        assert (done.prompts, done.computed) == (4, 3)
        return api

    def test_finds_other_words_for_the_same(self, asked: Caller) -> None:
        answer = asked.post("/search", {"mode": "vector", "text": "give me my money back"}).json
        found = [item["node"]["text"] for item in answer["items"]]
        assert found[0] == ASKED[0]
        assert sorted(found) == sorted(ASKED)
        assert answer["items"][0]["node"]["embedding_model"] == StaticEmbedder.model_id

    def test_hybrid_finds_by_words_and_by_meaning(self, asked: Caller, graph: Graph) -> None:
        graph.run("CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()")
        answer = asked.post("/search", {"mode": "hybrid", "text": "refund Oslo"}).json
        found = {item["node"]["text"] for item in answer["items"]}
        assert found == set(ASKED)
        assert len(answer["items"]) == 4  # by its words the copy is found too

    def test_vectors_of_other_models_are_not_compared(
        self, asked: Caller, graph: Graph, tenant: str
    ) -> None:
        graph.run(
            "MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: 'p1'}) "
            "SET p.embedding_model = 'other'",
            tenant_id=tenant,
        )
        answer = asked.post("/search", {"mode": "vector", "text": "flights"}).json
        assert {item["node"]["text"] for item in answer["items"]} == {ASKED[0], ASKED[2]}

    def test_without_a_model_callers_bring_their_vector(self, serve: Serve) -> None:
        alone = serve(embedding={"model": "none"})
        answer = alone.post("/search", {"mode": "vector", "text": "flights"})
        assert answer.status_code == 422
        assert answer.json["errors"][0]["field"] == "vector"

    def test_a_model_that_is_away_is_told(
        self, serve: Serve, closed_port: Callable[[], int]
    ) -> None:
        remote = {"url": f"http://127.0.0.1:{closed_port()}/v1/embeddings", "name": "m"}
        alone = serve(embedding={"model": "remote", "remote": remote})
        answer = alone.post("/search", {"mode": "vector", "text": "canary"})
        assert answer.status_code == 503
        assert answer.json["code"] == "embedder_unavailable"
        assert "canary" not in answer.text


@pytest.mark.parametrize(
    ("search", "field"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": "** ??"}, "text"),
        ({"mode": "vector"}, "vector"),
        ({"mode": "hybrid"}, "text"),
        ({"mode": "vector", "text": ""}, "vector"),
        ({"vector": [1.0]}, "vector"),
        ({"vector": [0.0] * DIMENSIONS}, "vector"),
        ({"vector": [1.0] * DIMENSIONS, "kind": "response"}, "kind"),
        ({"text": "x", "kind": "session"}, "kind"),
        ({"text": "x", "limit": 101}, "limit"),
        ({"text": "x", "where": [{"field": "none", "operator": "exists"}]}, "where.0.field"),
        (
            {"text": "x", "where": [{"field": "text", "operator": "contains", "value": "y"}]},
            "where",
        ),
    ],
)
def test_what_cannot_be_searched(api: Caller, search: dict[str, Any], field: str) -> None:
    answer = api.post("/search", search)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["field"] == field


class TestNeighbours:
    def all(self, api: Caller, path: str, limit: int = 500) -> list[Any]:
        found, cursor = [], ""
        while cursor is not None:
            sign = "&" if "?" in path else "?"
            page = api.get(f"{path}{sign}limit={limit}&cursor={cursor}").json
            assert len(page["items"]) <= limit
            found += page["items"]
            cursor = page["next_cursor"]
        return found

    @pytest.fixture
    def told(self, api: Caller) -> Caller:
        for id_ in ("p1", "p2", "p3"):
            body = {"id": id_, "prompt": {"text": id_}, "agent_id": "a", "model": {"id": "m"}}
            api.post("/sessions/s/prompts", body)
        for id_ in ("r1", "r2"):
            api.post("/prompts/p2/responses", {"id": id_, "response": {"text": id_}})
        return api

    def test_every_edge_once_whatever_the_page(self, told: Caller) -> None:
        whole = self.all(told, "/nodes/prompt/p2/neighbours")
        assert [(n["type"], n["direction"], n["kind"], n["id"]) for n in whole] == [
            ("FOLLOWS", "in", "prompt", "p3"),
            ("FOLLOWS", "out", "prompt", "p1"),
            ("HANDLED_BY", "out", "agent", "a"),
            ("PART_OF", "out", "session", "s"),
            ("RESPONDS_TO", "in", "response", "r1"),
            ("RESPONDS_TO", "in", "response", "r2"),
            ("USES_MODEL", "out", "model", "m"),
        ]
        for limit in (1, 2, 3):
            assert self.all(told, "/nodes/prompt/p2/neighbours", limit) == whole
        assert whole[1]["properties"]["stated"] is False
        assert whole[4]["node"]["text"] == "r1"

    def test_of_one_type_and_direction(self, told: Caller) -> None:
        path = "/nodes/prompt/p2/neighbours"
        assert [n["id"] for n in self.all(told, f"{path}?type=FOLLOWS", 1)] == ["p3", "p1"]
        assert [n["id"] for n in self.all(told, f"{path}?type=FOLLOWS&direction=out")] == ["p1"]
        assert [n["id"] for n in self.all(told, "/nodes/session/s/neighbours", 2)] == [
            "p1",
            "p2",
            "p3",
        ]

    def test_what_is_refused(self, told: Caller) -> None:
        assert told.get("/nodes/prompt/none/neighbours").status_code == 404
        for path, field in (
            ("/nodes/nothing/x/neighbours", "kind"),
            ("/nodes/template/x/neighbours", "id"),
            ("/nodes/prompt/p2/neighbours?type=SECRET", "type"),
            ("/nodes/prompt/p2/neighbours?direction=up", "direction"),
            ("/nodes/prompt/p2/neighbours?cursor=AAAA", "cursor"),
        ):
            answer = told.get(path)
            assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, field)

    def test_every_kind_has_neighbours(self, told: Caller, model: GraphModel) -> None:
        for spec in model.nodes.values():
            if spec.is_content:
                id_ = "@".join("2026-01-01T00:00Z" if n == "bucket" else "x" for n in spec.key)
                answer = told.get(f"/nodes/{spec.snake}/{id_}/neighbours")
                assert answer.status_code == 404, find_spec(model, spec.snake).label
