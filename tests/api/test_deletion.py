"""Delete a session: everything that belongs to it goes, and nothing brings it back."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from memgraph.bootstrap import App
from memgraph.domain.access import Role
from memgraph.domain.errors import NotFound
from memgraph.domain.events import read_event
from memgraph.domain.mutations import Mutation, Outcome
from memgraph.domain.schema import GraphModel
from memgraph.graph import deletion, export
from memgraph.graph.digest import digest
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.services.ingest.graph_rows import to_mutation
from tests.api.conftest import Caller, CallerAs
from tests.support.events import at, event, late_events, small_story

OF_S1 = ("Prompt", "Response", "ToolInvocation", "Score", "Session")


def mutations(events: list[bytes]) -> list[Mutation]:
    return [to_mutation(read_event(e), e) for e in events]


def tombstones(graph: Graph, tenant: str) -> list[dict[str, Any]]:
    return graph.read(
        "MATCH (n:Tombstone {tenant_id: $tenant_id}) "
        "RETURN [l IN labels(n) WHERE l <> 'Tombstone'] AS labels, properties(n) AS properties, "
        "COUNT { (n)--() } AS edges",
        tenant_id=tenant,
    )


@pytest.fixture
def story(writer: Writer, tenant: str) -> list[Mutation]:
    written = mutations(small_story())
    writer.write(tenant, written)
    return written


class TestWhatGoes:
    def test_everything_that_belongs_to_it_and_nothing_else(
        self, api: Caller, story: list[Mutation], graph: Graph, tenant: str
    ) -> None:
        before = api.get("/stats").json["nodes"]
        kept = api.get("/sessions/s2/thread").json
        assert api("DELETE", "/sessions/s1").status_code == 204
        for path in ("/sessions/s1", "/prompts/p0", "/responses/r0b", "/tool-invocations/t0"):
            assert api.get(path).status_code == 404, path
        assert api.get("/scores/sc1").status_code == api.get("/scores/sc2").status_code == 404
        assert api.get("/sessions/s2/thread").json == kept
        after = api.get("/stats").json["nodes"]
        gone = {label: n - after.get(label, 0) for label, n in before.items()}
        assert {label for label, n in gone.items() if n} == set(OF_S1)
        left = {label: after[label] for label in ("Session", "Prompt", "Response")}
        assert left == {"Session": 1, "Prompt": 1, "Response": 2}
        assert after["Agent"] == before["Agent"]

    def test_of_what_is_deleted_the_key_is_left(
        self, api: Caller, story: list[Mutation], graph: Graph, model: GraphModel, tenant: str
    ) -> None:
        api("DELETE", "/sessions/s1")
        found = tombstones(graph, tenant)
        assert {row["labels"][0] for row in found} == set(OF_S1)
        for row in found:
            [label] = row["labels"]
            assert set(row["properties"]) == {"tenant_id", "write_id", *model.nodes[label].key}
            assert row["edges"] == 0

    def test_again_it_is_not_there(self, api: Caller, story: list[Mutation]) -> None:
        assert api("DELETE", "/sessions/none").status_code == 404
        assert api("DELETE", "/sessions/s1").status_code == 204
        assert api("DELETE", "/sessions/s1").status_code == 404

    def test_who_may(self, api: Caller, caller: CallerAs, story: list[Mutation]) -> None:
        assert caller(Role.SERVICE)("DELETE", "/sessions/s1").status_code == 403
        stranger = caller(tenant_id="another-tenant")
        assert stranger("DELETE", "/sessions/s1").status_code == 404
        assert api.get("/sessions/s1").status_code == 200
        officer = caller(Role.COMPLIANCE_OFFICER)
        assert officer("DELETE", "/sessions/s1").status_code == 204

    def test_a_call_that_another_session_shares_stays(self, api: Caller) -> None:
        for session in ("s", "other"):
            api.post(f"/sessions/{session}/prompts", {"id": session, "prompt": {"text": "x"}})
            answer = {"id": f"r-{session}", "response": {"text": "y"}}
            api.post(f"/prompts/{session}/responses", answer)
            call = {"id": "call_1", "tool_name": "x"}
            api.post(f"/responses/r-{session}/tool-invocations", call)
        api("DELETE", "/sessions/s")
        assert api.get("/tool-invocations/call_1").status_code == 200
        api("DELETE", "/sessions/other")
        assert api.get("/tool-invocations/call_1").status_code == 404


class TestNothingComesBack:
    def test_a_replay_changes_nothing(
        self,
        api: Caller,
        story: list[Mutation],
        writer: Writer,
        graph: Graph,
        model: GraphModel,
        tenant: str,
    ) -> None:
        api("DELETE", "/sessions/s1")
        counts, value = api.get("/stats").json, digest(graph, model, tenant).value
        for events in (story, story[::-1]):
            for i in range(0, len(events), 7):
                result = writer.write(tenant, events[i : i + 7])
                assert set(result.outcomes) == {Outcome.DUPLICATE}
        assert api.get("/stats").json == counts
        assert digest(graph, model, tenant).value == value
        assert all(row["edges"] == 0 for row in tombstones(graph, tenant))

    def test_a_copy_keeps_it_deleted(
        self,
        api: Caller,
        story: list[Mutation],
        writer: Writer,
        graph: Graph,
        model: GraphModel,
        tenant: str,
        tmp_path: Path,
    ) -> None:
        api("DELETE", "/sessions/s1")
        value, copy = digest(graph, model, tenant).value, f"{tenant}-copy"
        export.export(graph, model, tenant, tmp_path / "graph.jsonl")
        export.import_(graph, model, copy, tmp_path / "graph.jsonl")
        assert digest(graph, model, copy).value == value
        writer.write(copy, story)
        assert digest(graph, model, copy).value == value

    @pytest.mark.parametrize("size", [1, 20])
    def test_what_comes_late_is_buried(
        self,
        api: Caller,
        story: list[Mutation],
        writer: Writer,
        graph: Graph,
        tenant: str,
        size: int,
    ) -> None:
        api("DELETE", "/sessions/s1")
        counts = api.get("/stats").json
        late = mutations(late_events())
        for i in range(0, len(late), size):
            writer.write(tenant, late[i : i + size])
        assert api.get("/stats").json == counts
        assert all(row["edges"] == 0 for row in tombstones(graph, tenant))
        keys = {"tenant_id", "write_id", "prompt_id", "response_id", "invocation_id"}
        keys |= {"score_id", "session_id"}
        assert {n for row in tombstones(graph, tenant) for n in row["properties"]} <= keys

    def test_a_new_session_cannot_have_its_id(self, api: Caller) -> None:
        api.post("/sessions", {"id": "s"})
        api("DELETE", "/sessions/s")
        answer = api.post("/sessions", {"id": "s"})
        assert (answer.status_code, answer.json["code"]) == (409, "conflict")


def long_session(writer: Writer, tenant: str, prompts: int) -> None:
    for first in range(0, prompts, 500):
        writer.write(
            tenant,
            mutations(
                [
                    event(
                        event_id=f"p{i}",
                        timestamp=at(i),
                        prompt={"text": "x"},
                        session={"id": "s"},
                    )
                    for i in range(first, min(first + 500, prompts))
                ]
            ),
        )


class TestInParts:
    def test_an_interrupted_deletion_goes_on(
        self,
        api: Caller,
        parts: App,
        writer: Writer,
        graph: Graph,
        model: GraphModel,
        tenant: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        long_session(writer, tenant, 450)

        class Killed(Exception):
            pass

        steps = []
        step = deletion.Deletion._step

        def dies(self: Any, *arguments: Any) -> Any:
            steps.append(1)
            if len(steps) == 2:
                raise Killed
            return step(self, *arguments)

        with monkeypatch.context() as patched:
            patched.setattr(deletion.Deletion, "_step", dies)
            with pytest.raises(Killed):
                deletion.Deletion(graph, model).delete_session(tenant, "s")
        assert api.get("/sessions/s").json["summary"]["prompts"] == 250
        assert api("DELETE", "/sessions/s").status_code == 204
        assert "Prompt" not in api.get("/stats").json["nodes"]
        with pytest.raises(NotFound):
            deletion.Deletion(graph, model).delete_session(tenant, "s")

    def test_writers_meanwhile_leave_nothing(
        self, api: Caller, writer: Writer, graph: Graph, model: GraphModel, tenant: str
    ) -> None:
        long_session(writer, tenant, 300)

        def write() -> None:
            for i in range(300, 600):
                sent = event(
                    event_id=f"p{i}", timestamp=at(i), prompt={"text": "x"}, session={"id": "s"}
                )
                answer = event(
                    event_id=f"r{i}",
                    timestamp=at(i),
                    prompt_event_id=f"p{i - 300}",
                    response={"text": "y"},
                )
                writer.write(tenant, mutations([sent, answer]))

        thread = threading.Thread(target=write)
        thread.start()
        deletion.Deletion(graph, model).delete_session(tenant, "s")
        thread.join()
        nodes = api.get("/stats").json["nodes"]
        assert {label: n for label, n in nodes.items() if label in OF_S1} == {}


def test_a_session_is_read_with_what_it_adds_up_to(api: Caller, story: list[Mutation]) -> None:
    summary = api.get("/sessions/s1").json["summary"]
    assert summary["prompts"] == len(api.get("/sessions/s1/thread").json["prompts"])
    assert summary["responses"] == 2 * summary["prompts"]
    assert summary["tool_invocations"] == summary["prompts"]
    assert summary["total_tokens"] == 3 * summary["prompts"]
    assert summary["handoffs"] == 1
    assert summary["duration_ms"] > 0
    api.post("/sessions", {"id": "empty"})
    empty = api.get("/sessions/empty").json["summary"]
    assert (empty["prompts"], empty["cost_usd"], empty["duration_ms"]) == (0, 0, None)
