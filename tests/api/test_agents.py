"""Agents through HTTP: their life, their figures, and who hands over to whom."""

from __future__ import annotations

from typing import Any

import pytest

from memgraph.domain.access import Role
from tests.api.conftest import Caller, CallerAs

AT = "2026-01-01T00:{:02d}:{:02d}Z"


def turn(api: Caller, minute: int, agent: str, to: str | None = None, **response: Any) -> None:
    """A prompt that an agent handles and answers, and hands over when ``to`` is given."""
    prompt = {
        "id": f"p{minute}",
        "timestamp": AT.format(minute, 0),
        "prompt": {"text": "x"},
        "agent_id": agent,
    }
    assert api.post("/sessions/s/prompts", prompt).status_code == 201
    answer = {
        "id": f"r{minute}",
        "timestamp": AT.format(minute, 1),
        "response": {"text": "y"},
        **response,
    }
    assert api.post(f"/prompts/p{minute}/responses", answer).status_code == 201
    if to is not None:
        handoff = {"to_agent_id": to, "timestamp": AT.format(minute, 2)}
        assert api.post(f"/responses/r{minute}/handoffs", handoff).status_code == 201


class TestLife:
    def test_an_agent_is_registered_and_read(self, api: Caller) -> None:
        body = {"id": "a", "role": "billing", "config": {"maxTokens": 10, "tools_enabled": ["x"]}}
        made = api.post("/agents", body)
        assert (made.status_code, made.json["status"]) == (201, "active")
        assert made.headers["Location"].endswith("/api/v1/agents/a")
        read = api.get("/agents/a").json
        assert read["config"] == {"max_tokens": 10, "tools_enabled": ["x"]}
        assert (read["role"], read["metrics"]["prompts"]) == ("billing", 0)

    def test_an_id_is_made(self, api: Caller) -> None:
        made = api.post("/agents", {"name": "A"}).json
        assert api.get(f"/agents/{made['agent_id']}").json["name"] == "A"

    def test_what_is_left_out_stays_also_in_the_config(self, api: Caller) -> None:
        config = {"temperature": 0.5, "max_retries": 3}
        api.post("/agents", {"id": "a", "name": "A", "tags": ["t"], "config": config})
        changed = api.patch("/agents/a", {"config": {"temperature": None, "max_tokens": 5}}).json
        assert changed["config"] == {"max_retries": 3, "max_tokens": 5}
        assert (changed["name"], changed["tags"]) == ("A", ["t"])

    def test_steps_follow_the_state_machine(self, api: Caller) -> None:
        api.post("/agents", {"id": "a"})
        assert api.patch("/agents/a", {"status": "paused"}).json["status"] == "paused"
        refused = api.patch("/agents/a", {"status": "busy"})
        assert (refused.status_code, refused.json["code"]) == (409, "invalid_transition")
        assert api.patch("/agents/a", {"status": "terminated"}).status_code == 200
        assert api.patch("/agents/a", {"status": "active"}).status_code == 409
        assert api.post("/agents", {"id": "a"}).json["code"] == "conflict"

    def test_registering_again_keeps_the_status(self, api: Caller) -> None:
        api.post("/agents", {"id": "a", "status": "paused"})
        again = api.post("/agents", {"id": "a", "name": "Later"}).json
        assert (again["status"], again["name"]) == ("paused", "Later")
        assert api.post("/agents", {"id": "a", "status": "busy"}).status_code == 409

    def test_settings_of_another_framework_are_shown_as_they_came(
        self, api: Caller, parts: Any, tenant: str
    ) -> None:
        from memgraph.domain.events import AgentEvent
        from memgraph.domain.events.conversation import AgentBody
        from memgraph.ids import now

        body = AgentBody(id="a", config={"graph": {"nodes": 3}})
        event = AgentEvent(event_id="e", timestamp=now(), agent=body)
        parts.services.conversations.record(tenant, event)
        assert api.get("/agents/a").json["config"] == {"graph": {"nodes": 3}}

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"status": "asleep"}, "status"),
            ({"config": {"temperature": 3}}, "config.temperature"),
            ({"config": {"max_tokens": 0}}, "config.max_tokens"),
            ({"id": "b"}, "id"),
            ({"last_active_at": "2026-01-01T00:00:00Z"}, "last_active_at"),
        ],
    )
    def test_what_is_wrong_is_named(self, api: Caller, body: Any, field: str) -> None:
        api.post("/agents", {"id": "a"})
        answer = api.patch("/agents/a", body)
        assert answer.status_code == 422
        assert field in {e["field"] for e in answer.json["errors"]}

    def test_who_may(self, api: Caller, caller: CallerAs) -> None:
        api.post("/agents", {"id": "a"})
        reader = caller(Role.DATA_SCIENTIST)
        assert reader.get("/agents/a").status_code == 200
        assert reader.patch("/agents/a", {"name": "x"}).status_code == 403
        assert caller(tenant_id="another-tenant").get("/agents/a").status_code == 404


def test_metrics_are_those_of_the_edges(api: Caller) -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    turn(api, 1, "a", "b", usage=usage, metrics={"latency": 100, "cost": 0.5})
    turn(api, 2, "a", metrics={"latency": 300}, error={"type": "timeout"})
    turn(api, 3, "b", "a")
    metrics = api.get("/agents/a").json["metrics"]
    assert metrics == {
        "prompts": 2,
        "last_prompt_at": "2026-01-01T00:02:00Z",
        "responses": 2,
        "errors": 1,
        "average_latency_ms": 200,
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 7,
        "cost_usd": 0.5,
        "handoffs_out": 1,
        "handoffs_in": 1,
        "is_cut": False,
    }


class TestNetwork:
    def test_loops_and_bottlenecks(self, api: Caller) -> None:
        steps = [("a", "b"), ("b", "c"), ("c", "a"), ("b", "a"), ("a", "d"), ("c", "d")]
        for minute, (one, other) in enumerate(steps):
            turn(api, minute, one, other)
        network = api.get("/agents/network").json
        assert {(p["from_agent_id"], p["to_agent_id"]) for p in network["pairs"]} == set(steps)
        loops = [(loop["agent_ids"], loop["handoffs"]) for loop in network["loops"]]
        assert loops == [(["a", "b"], 1), (["a", "b", "c"], 1)]
        assert not network["loops_are_cut"]
        worst = network["bottlenecks"][0]
        assert (worst["agent_id"], worst["received"], worst["kept"]) == ("d", 2, 2)

    def test_an_empty_one(self, api: Caller) -> None:
        empty = {"pairs": [], "loops": [], "loops_are_cut": False, "bottlenecks": []}
        assert api.get("/agents/network").json == empty
