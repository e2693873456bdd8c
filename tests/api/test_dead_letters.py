"""Dead letters through HTTP: see them, try them again, let them go."""

from __future__ import annotations

from typing import Any

from memgraph.domain.access import Role
from memgraph.domain.schema import GraphModel
from memgraph.graph.reader import Reader
from memgraph.graph.session import Graph
from tests.api.conftest import Caller, CallerAs
from tests.api.test_events import FIGURES, prompt


def conflict(api: Caller) -> str:
    """Make a letter: a prompt that is known with another text."""
    api.post("/events", prompt("e-1"))
    answer = api.post("/events", prompt("e-1", "Another text"))
    assert answer.json["dead_lettered"] == 1
    [letter] = api.get("/dead-letters").json["items"]
    id_: str = letter["dead_letter_id"]
    return id_


def test_a_letter_tells_where_it_came_from_and_why(api: Caller) -> None:
    id_ = conflict(api)
    [letter] = api.get("/dead-letters?source=events&reason=conflict").json["items"]
    known = {name: letter[name] for name in ("source", "reason", "stage", "attempts")}
    assert known == {"source": "events", "reason": "conflict", "stage": "write", "attempts": 1}
    assert "payload" not in letter
    read = api.get(f"/dead-letters/{id_}").json
    assert "Another text" in read["content"]
    assert set(read["detail"]) == {"label", "sent_hash", "stored_hash"}
    assert api.get("/dead-letters?source=other").json["items"] == []
    assert api.get(f"/dead-letters?after={id_}").json["items"] == []


def test_what_fails_again_stays(api: Caller) -> None:
    id_ = conflict(api)
    answer = api.post(f"/dead-letters/{id_}/replay")
    assert [answer.json[name] for name in FIGURES] == [1, 0, 0, 0, 1]
    [letter] = api.get("/dead-letters").json["items"]
    assert (letter["dead_letter_id"], letter["attempts"]) == (id_, 2)


def test_what_is_settled_now_is_gone(
    api: Caller, graph: Graph, model: GraphModel, tenant: str
) -> None:
    id_ = conflict(api)
    graph.run("MATCH (p:Prompt {tenant_id: $tenant}) DETACH DELETE p", tenant=tenant)
    answer = api.post(f"/dead-letters/{id_}/replay")
    assert [answer.json[name] for name in FIGURES] == [1, 1, 0, 0, 0]
    assert api.get("/prompts/e-1").json["text"] == "Another text"
    assert api.get("/dead-letters").json["items"] == []
    assert api.get(f"/dead-letters/{id_}").status_code == 404
    [row] = Reader(graph, model).list_sources(tenant)
    assert [row[name] for name in FIGURES] == [3, 2, 0, 0, 1]


def test_a_letter_can_be_dropped(api: Caller) -> None:
    id_ = conflict(api)
    assert api("DELETE", f"/dead-letters/{id_}").status_code == 204
    assert api("DELETE", f"/dead-letters/{id_}").status_code == 404
    assert api.post(f"/dead-letters/{id_}/replay").status_code == 404


def test_they_are_for_who_manages_them(api: Caller, caller: CallerAs) -> None:
    id_ = conflict(api)
    for role in (Role.SERVICE, Role.DATA_SCIENTIST, Role.ML_ENGINEER):
        assert caller(role).get("/dead-letters").status_code == 403
    stranger: Any = caller(Role.ADMIN, tenant_id="somebody-else")
    assert stranger.get("/dead-letters").json["items"] == []
    assert stranger.get(f"/dead-letters/{id_}").status_code == 404
