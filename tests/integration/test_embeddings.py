"""Prompts get their vectors: from the queue to a search by meaning, on the real graph."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memgraph.adapters.segments import FileVectorSegments
from memgraph.domain.errors import EmbedderUnavailable, MemgraphError
from memgraph.domain.events import read_event
from memgraph.domain.schema import GraphModel
from memgraph.graph.deletion import Deletion
from memgraph.graph.embedding import EmbeddingQueue
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.services.embeddings import Embedded, Embeddings
from memgraph.services.ingest.graph_rows import to_mutation
from tests.support.embedding import HashEmbedder, InMemoryVectorSegments
from tests.support.events import at, event

LAMP, PARCEL = "a refund for the broken lamp", "where is my parcel"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def ask(writer: Writer, tenant: str, texts: Sequence[str], session: str = "s") -> None:
    """Write a prompt for each text, named by its place, and have it wait for a vector."""
    mutations = []
    for i, text in enumerate(texts):
        said = event(
            event_id=f"{session}-{i}",
            timestamp=at(i),
            prompt={"text": text},
            session={"id": session},
        )
        mutation = to_mutation(read_event(said), said)
        mutation.enriched["embedding_pending"] = True
        mutations.append(mutation)
    writer.write(tenant, mutations)


Make = Callable[..., Embeddings]


@pytest.fixture
def make(graph: Graph, tenant: str) -> Make:
    """A service for this test's tenant."""

    def make(embedder: Any = None, segments: Any = None, **more: Any) -> Embeddings:
        return Embeddings(
            EmbeddingQueue(graph),
            embedder or HashEmbedder(),
            segments if segments is not None else InMemoryVectorSegments(),
            list_tenants=more.pop("list_tenants", lambda: [tenant]),
            **more,
        )

    return make


@pytest.fixture
def stored(graph: Graph, tenant: str) -> Callable[[], dict[str, Any]]:
    """What the graph has of the vectors of this test's prompts."""

    def read() -> dict[str, Any]:
        rows = graph.read(
            "MATCH (p:Prompt {tenant_id: $tenant_id}) WHERE p.embedding IS NOT NULL "
            "RETURN p.prompt_id AS id, p.embedding AS embedding, p.embedding_model AS model",
            tenant_id=tenant,
        )
        return {row["id"]: row for row in rows}

    return read


Stored = Callable[[], dict[str, Any]]


def markers(graph: Graph, tenant: str) -> dict[str, bool]:
    rows = graph.read(
        "MATCH (p:Prompt {tenant_id: $tenant_id}) WHERE p.embedding_pending IS NOT NULL "
        "RETURN p.prompt_id AS id, p.embedding_pending AS pending",
        tenant_id=tenant,
    )
    return {row["id"]: row["pending"] for row in rows}


class TestQueue:
    def test_one_prompt_of_a_text_gets_the_vector(
        self, writer: Writer, graph: Graph, tenant: str, make: Make, stored: Stored
    ) -> None:
        ask(writer, tenant, [LAMP, PARCEL, LAMP])
        embeddings = make()
        assert embeddings.run_once(tenant, 100) == Embedded(prompts=3, computed=2)
        found = stored()
        assert len(found) == 2
        assert "s-1" in found
        assert {row["model"] for row in found.values()} == {"hash-256"}
        expected = HashEmbedder().embed([PARCEL])[0]
        assert found["s-1"]["embedding"] == pytest.approx(expected, abs=1e-3)
        assert markers(graph, tenant) == {}
        assert embeddings.run_once(tenant, 100) == Embedded()

    def test_a_text_is_embedded_once_for_all_tenants_and_times(
        self, writer: Writer, tenant: str, make: Make, stored: Stored
    ) -> None:
        embedder = HashEmbedder()
        other = f"{tenant}-other"
        embeddings = make(embedder, list_tenants=lambda: [tenant, other])
        ask(writer, tenant, [LAMP])
        ask(writer, other, [LAMP, PARCEL])
        assert embeddings.run_all(100) == Embedded(prompts=3, computed=2, reused=1)
        ask(writer, tenant, [LAMP, PARCEL], session="later")
        assert embeddings.run_all(100) == Embedded(prompts=2, reused=2)
        assert sorted(embedder.seen) == sorted([LAMP, PARCEL])
        assert set(stored()) == {"s-0", "later-1"}

    def test_takes_no_more_than_asked_until_nothing_waits(
        self, writer: Writer, graph: Graph, tenant: str, make: Make, stored: Stored
    ) -> None:
        ask(writer, tenant, [f"text {n % 7}" for n in range(20)])
        embeddings = make()
        assert embeddings.run_once(tenant, 3).prompts == 3
        assert len(markers(graph, tenant)) == 17
        assert embeddings.drain(3).prompts == 17
        assert len(stored()) == 7

    def test_many_texts_are_read_some_at_a_time(
        self,
        writer: Writer,
        tenant: str,
        make: Make,
        stored: Stored,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("memgraph.services.embeddings._TEXTS_AT_ONCE", 3)
        ask(writer, tenant, [f"text {n}" for n in range(10)])
        assert make().run_once(tenant, 100).computed == 10
        assert len(stored()) == 10

    def test_what_the_model_refuses_holds_nobody_up(
        self, writer: Writer, graph: Graph, tenant: str, make: Make, stored: Stored
    ) -> None:
        ask(writer, tenant, [LAMP, "unspeakable", PARCEL, " ", "the unspeakable"])
        embeddings = make()
        assert embeddings.run_once(tenant, 100) == Embedded(prompts=5, computed=2, refused=3)
        assert set(stored()) == {"s-0", "s-2"}
        assert markers(graph, tenant) == dict.fromkeys(("s-1", "s-3", "s-4"), False)
        assert embeddings.run_once(tenant, 100) == Embedded()

    def test_workers_at_once_give_a_text_one_vector(
        self, writer: Writer, graph: Graph, tenant: str, make: Make, stored: Stored, tmp_path: Path
    ) -> None:
        ask(writer, tenant, [f"text {n % 11}" for n in range(120)])
        workers = [make(segments=FileVectorSegments(tmp_path, "m", 256)) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(worker.drain, 13) for worker in workers]:
                done.result()
        assert markers(graph, tenant) == {}
        assert len(stored()) == 11

    def test_another_model_takes_the_place_of_the_first(
        self, writer: Writer, tenant: str, make: Make, stored: Stored
    ) -> None:
        ask(writer, tenant, [LAMP, LAMP, PARCEL])
        make().drain(100)
        before = set(stored())
        other = make(HashEmbedder("other-256"))
        assert other.queue.request_all(tenant, page=2) == 3
        assert other.drain(100) == Embedded(prompts=3, computed=2)
        assert set(stored()) == before
        assert {row["model"] for row in stored().values()} == {"other-256"}

    def test_a_deleted_prompt_leaves_its_vector_to_another(
        self,
        writer: Writer,
        graph: Graph,
        model: GraphModel,
        tenant: str,
        make: Make,
        stored: Stored,
    ) -> None:
        embeddings = make()
        ask(writer, tenant, [LAMP, LAMP, PARCEL], session="first")
        embeddings.drain(100)
        ask(writer, tenant, [LAMP, "other"], session="second")
        embeddings.drain(100)
        Deletion(graph, model).delete_session(tenant, "first")
        assert markers(graph, tenant) == {"second-0": True}
        assert set(stored()) == {"second-1"}
        assert embeddings.drain(100) == Embedded(prompts=1, reused=1)
        assert set(stored()) == {"second-0", "second-1"}

    def test_a_prompt_deleted_meanwhile_gets_nothing(
        self,
        writer: Writer,
        graph: Graph,
        model: GraphModel,
        tenant: str,
        make: Make,
        stored: Stored,
    ) -> None:
        ask(writer, tenant, [LAMP], session="first")
        ask(writer, tenant, [LAMP], session="second")
        embeddings = make()
        pending = embeddings.queue.list_pending(tenant, 100)
        Deletion(graph, model).delete_session(tenant, "first")
        embeddings.queue.finish(tenant, pending, "m", {sha256(LAMP): [1.0] * 256})
        assert set(stored()) == {"second-0"}

    def test_what_waits_and_has_no_text_leaves_the_queue(
        self, writer: Writer, graph: Graph, tenant: str, make: Make
    ) -> None:
        ask(writer, tenant, [LAMP, PARCEL])
        gone = "MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: $id}) "
        graph.run(gone + "REMOVE p.text", tenant_id=tenant, id="s-0")
        graph.run(gone + "REMOVE p.text_sha256 SET p:Tombstone", tenant_id=tenant, id="s-1")
        assert make().drain(10) == Embedded(prompts=2, refused=2)
        assert markers(graph, tenant) == {"s-0": False}

    def test_placeholders_and_texts_kept_elsewhere_do_not_wait(
        self, writer: Writer, graph: Graph, tenant: str, make: Make
    ) -> None:
        ask(writer, tenant, [LAMP, PARCEL])
        answer = event(
            event_id="r", timestamp=at(9), prompt_event_id="none", response={"text": "x"}
        )
        writer.write(tenant, [to_mutation(read_event(answer), answer)])
        graph.run(
            "MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: 's-0'}) REMOVE p.text "
            "SET p.content_ref = 'vault://pii/prompt/1'",
            tenant_id=tenant,
        )
        embeddings = make()
        assert embeddings.queue.request_all(tenant) == 1
        assert markers(graph, tenant) == {"s-1": True}


class TestWorker:
    def test_what_is_away_is_waited_for(
        self, writer: Writer, tenant: str, make: Make, stored: Stored
    ) -> None:
        ask(writer, tenant, [LAMP])
        stop = threading.Event()
        told: list[str] = []
        embedder = _Away(2)
        worker = make(embedder, on_changed=told.append)
        thread = threading.Thread(target=worker.work, args=(10, 0.01, stop))
        thread.start()
        give_up = time.monotonic() + 60
        while not stored() and time.monotonic() < give_up:
            stop.wait(0.02)
        stop.set()
        thread.join()
        assert set(stored()) == {"s-0"}
        assert embedder.failures == 0
        assert set(told) == {tenant}

    def test_a_fault_of_ours_ends_it(self, writer: Writer, tenant: str, make: Make) -> None:
        ask(writer, tenant, [LAMP])
        with pytest.raises(MemgraphError):
            make(_Broken()).work(10, 0.01, threading.Event())

    def test_vectors_that_were_made_are_used_after_a_crash(
        self,
        writer: Writer,
        tenant: str,
        make: Make,
        stored: Stored,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        ask(writer, tenant, [LAMP, PARCEL])
        crashed = make(segments=FileVectorSegments(tmp_path, "hash-256", 256))
        with monkeypatch.context() as patch:
            patch.setattr(EmbeddingQueue, "finish", _fail)
            with pytest.raises(EmbedderUnavailable):
                crashed.run_once(tenant, 10)
        again = make(segments=FileVectorSegments(tmp_path, "hash-256", 256))
        assert again.run_once(tenant, 10) == Embedded(prompts=2, reused=2)
        assert set(stored()) == {"s-0", "s-1"}


class _Away(HashEmbedder):
    """Does not answer the first times."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    def embed(self, texts: Sequence[str]) -> Any:
        if self.failures:
            self.failures -= 1
            raise EmbedderUnavailable("away")
        return super().embed(texts)


class _Broken(HashEmbedder):
    def embed(self, texts: Sequence[str]) -> Any:
        raise MemgraphError("a fault")


def _fail(*_: object) -> None:
    raise EmbedderUnavailable("the process was killed here")


def test_vectors_of_the_graph_and_of_the_files_are_the_same(
    writer: Writer, tenant: str, make: Make, stored: Stored, tmp_path: Path
) -> None:
    segments = FileVectorSegments(tmp_path, "hash-256", 256)
    ask(writer, tenant, [LAMP])
    make(segments=segments).drain(10)
    kept = segments.get([sha256(LAMP)])[sha256(LAMP)]
    assert np.array_equal(np.array(stored()["s-0"]["embedding"], np.float32), kept)


def test_a_worker_does_not_wait_for_whoever_has_the_tenant(
    graph: Graph, make: Make, writer: Writer, tenant: str
) -> None:
    """A writer takes the tenant's node last, and prompts when it commits."""
    ask(writer, tenant, [LAMP, PARCEL])
    with (
        graph.driver.session(database=graph.database) as session,
        session.begin_transaction() as transaction,
        ThreadPoolExecutor(1) as pool,
    ):
        hold = "MATCH (t:Tenant {tenant_id: $tenant}) SET t.updated_at = datetime()"
        transaction.run(hold, tenant=tenant).consume()
        done = pool.submit(make().run_once, tenant, 10)
        try:
            assert done.result(timeout=60).prompts == 2
        finally:
            transaction.rollback()
