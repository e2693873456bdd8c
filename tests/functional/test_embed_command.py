"""embed as an operator runs it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from memgraph.domain.errors import EmbedderUnavailable
from memgraph.domain.events import read_event
from memgraph.graph.embedding import EmbeddingQueue
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.services.embeddings import Embedded, Embeddings
from memgraph.services.ingest.graph_rows import to_mutation
from tests.functional.conftest import Run
from tests.support.events import at, event


@pytest.fixture
def asked(writer: Writer, tenant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three prompts of two texts; the first waits for a vector."""
    monkeypatch.setenv("MEMGRAPH_DATA_DIR", str(tmp_path))
    for i, text in enumerate(("a refund", "my parcel", "a refund")):
        said = event(event_id=f"p{i}", timestamp=at(i), prompt={"text": text}, session={"id": "s"})
        mutation = to_mutation(read_event(said), said)
        if i == 0:
            mutation.enriched["embedding_pending"] = True
        writer.write(tenant, [mutation])


def vectors(graph: Graph, tenant: str) -> int:
    rows = graph.read(
        "MATCH (p:Prompt {tenant_id: $tenant_id}) RETURN count(p.embedding) AS found",
        tenant_id=tenant,
    )
    return int(rows[0]["found"])


@pytest.mark.usefixtures("asked")
class TestEmbed:
    def test_what_waits_gets_its_vector(self, run: Run, graph: Graph, tenant: str) -> None:
        done = run("embed", "--json")
        assert done.json == {"prompts": 1, "computed": 1, "reused": 0, "refused": 0}
        assert vectors(graph, tenant) == 1
        again = run("embed", "--again")
        assert "3 prompts wait" in again.err
        assert "3 prompts: 1 texts computed, 1 known before, 0 refused" in again.out
        assert vectors(graph, tenant) == 2

    def test_goes_on_until_it_is_stopped(
        self, run: Run, graph: Graph, tenant: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        handlers = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
        run_all = Embeddings.run_all

        def run_all_and_stop(self: Embeddings, limit: int) -> object:
            done = run_all(self, limit)
            if not done.prompts:
                os.kill(os.getpid(), signal.SIGTERM)
            return done

        monkeypatch.setattr(Embeddings, "run_all", run_all_and_stop)
        try:
            assert run("embed", "--follow").code == 0
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        assert vectors(graph, tenant) == 1

    def test_says_when_there_is_to_be_no_model(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MEMGRAPH_EMBEDDING__MODEL", "none")
        assert isinstance(run("embed").error, EmbedderUnavailable)

    def test_every_tenant_is_those_with_prompts_that_wait(
        self, run: Run, tenant: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Others test on the same server: their prompts are left alone.
        listed: list[list[str]] = []

        def only_list(self: Embeddings, limit: int) -> Embedded:
            listed.append(list(self.list_tenants()))
            return Embedded()

        with monkeypatch.context() as patch:
            patch.setattr(Embeddings, "run_all", only_list)
            assert run("embed", "--all-tenants").code == 0
            assert tenant in listed.pop()
        run("embed")
        monkeypatch.setattr(Embeddings, "run_all", only_list)
        run("embed", "--all-tenants")
        assert tenant not in listed.pop()

    def test_every_prompt_of_every_tenant(
        self, run: Run, tenant: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        monkeypatch.setattr(
            EmbeddingQueue, "request_all", lambda _, tenant_id: asked.append(tenant_id) or 1
        )
        monkeypatch.setattr(Embeddings, "run_all", lambda *_: Embedded())
        done = run("embed", "--again", "--all-tenants")
        assert f"{len(asked)} prompts wait" in done.err
        assert tenant in asked
