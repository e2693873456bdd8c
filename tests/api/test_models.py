"""Models and the plain records through HTTP: prices at a time, users, scores, counts."""

from __future__ import annotations

from typing import Any

import pytest

from memgraph.domain.access import Role
from tests.api.conftest import Caller, CallerAs

FIRST = {
    "version": "1",
    "input_usd_per_1k": 0.1,
    "output_usd_per_1k": 0.4,
    "valid_from": "2026-01-01T00:00:00Z",
}
SECOND = {**FIRST, "version": "2", "input_usd_per_1k": 0.05, "valid_from": "2026-03-01T00:00:00Z"}


class TestModels:
    def test_a_model_is_registered_with_its_price(self, api: Caller) -> None:
        made = api.post("/models", {"id": "m", "provider": "p", "version": FIRST})
        assert (made.status_code, made.json["provider"]) == (201, "p")
        assert made.json["version"]["input_usd_per_1k"] == 0.1
        assert made.headers["Location"] == "/api/v1/models/m"
        assert api.get("/models/m").json == made.json

    def test_the_price_at_a_time(self, api: Caller) -> None:
        api.post("/models", {"id": "m", "version": FIRST})
        assert api.post("/models/m/versions", SECOND).status_code == 201
        for at, version in (("2026-02-01", "1"), ("2026-03-01", "2"), ("2026-07-01", "2")):
            found = api.get(f"/models/m?as_of={at}T00:00:00Z").json["version"]
            assert found["version"] == version
        assert api.get("/models/m").json["version"]["version"] == "2"
        assert api.get("/models/m?as_of=2025-01-01T00:00:00Z").json["version"] is None

    def test_versions_are_chained(self, api: Caller) -> None:
        api.post("/models", {"id": "m", "version": FIRST})
        second = api.post("/models/m/versions", SECOND).json
        links = {(link["type"], link["id"]) for link in second["links"]}
        assert links == {("VERSION_OF", "m"), ("PREVIOUS_VERSION", "m@1")}
        versions = api.get("/models/m/versions").json["items"]
        assert [v["version"] for v in versions] == ["2", "1"]

    def test_a_price_is_a_version(self, api: Caller) -> None:
        api.post("/models", {"id": "m", "version": FIRST})
        other = api.post("/models/m/versions", {**FIRST, "input_usd_per_1k": 0.2})
        assert (other.status_code, other.json["code"]) == (409, "conflict")
        more = {"version": "1", "changelog": "Better."}
        told = api.post("/models/m/versions", more).json
        assert (told["changelog"], told["valid_from"]) == ("Better.", "2026-01-01T00:00:00Z")
        assert told["links"] == [
            {"type": "VERSION_OF", "kind": "model", "id": "m", "properties": {}}
        ]

    def test_a_version_that_was_only_named_gets_its_price(self, api: Caller) -> None:
        prompt = {"prompt": {"text": "x"}, "model": {"id": "m", "version": "1"}}
        api.post("/sessions/s/prompts", prompt)
        assert api.get("/models/m").json["version"] is None
        api.post("/models/m/versions", FIRST)
        assert api.get("/models/m").json["version"]["output_usd_per_1k"] == 0.4

    def test_what_is_said_later_adds_up(self, api: Caller) -> None:
        api.post("/models", {"id": "m", "family": "f"})
        assert api.post("/models", {"id": "m", "context_window": 8}).json["family"] == "f"

    def test_what_is_missing(self, api: Caller, caller: CallerAs) -> None:
        api.post("/models", {"id": "m"})
        other = caller(tenant_id="another-tenant")
        for one, id_ in ((api, "none"), (other, "m")):
            assert one.get(f"/models/{id_}").status_code == 404
            assert one.get(f"/models/{id_}/versions").status_code == 404
            assert one.post(f"/models/{id_}/versions", FIRST).status_code == 404

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "id"),
            ({"id": "m", "version": {"version": "1", "input_usd_per_1k": -1}}, "version"),
            ({"id": "m", "price": 1}, "price"),
        ],
    )
    def test_what_is_wrong_is_named(self, api: Caller, body: Any, field: str) -> None:
        answer = api.post("/models", body)
        assert answer.status_code == 422
        assert answer.json["errors"][0]["field"].startswith(field)

    def test_who_may(self, caller: CallerAs) -> None:
        assert caller(Role.SERVICE).post("/models", {"id": "m"}).status_code == 403
        assert caller(Role.ML_ENGINEER).post("/models", {"id": "m"}).status_code == 201


def test_plain_records(api: Caller, caller: CallerAs) -> None:
    document = {"id": "d", "title": "Returns", "content": "secret"}
    prompt = {"id": "p", "prompt": {"text": "x"}, "context": {"documents": [document]}}
    api.post("/sessions", {"id": "s", "user_id": "u"})
    api.post("/sessions/s/prompts", prompt)
    api.post("/scores", {"id": "x", "name": "n", "value": 1.0, "prompt_id": "p"})
    assert api.get("/context-documents/d").json["title"] == "Returns"
    assert api.get("/users/u").json["user_id"] == "u"
    score = api.get("/scores/x").json
    assert (score["value"], score["links"][0]["id"]) == (1.0, "p")
    assert api.get("/stats").json["nodes"] == {
        **dict.fromkeys(("Session", "User", "Prompt", "ContextDocument", "Score"), 1)
    }
    other = caller(tenant_id="another-tenant")
    for path in ("/context-documents/d", "/users/u", "/scores/x"):
        assert other.get(path).status_code == 404
    assert caller(Role.DATA_SCIENTIST).get("/users/u").status_code == 403


def test_tool_statistics(api: Caller) -> None:
    for i, (tool, status) in enumerate((("a", "failed"), ("a", "success"), ("b", "success"))):
        call = {"id": f"t{i}", "tool_name": tool, "status": status, "duration_ms": 10}
        assert api.post("/responses/r/tool-invocations", call).status_code == 201
    items = api.get("/tools/stats").json["items"]
    assert [(i["tool_name"], i["invocations"], i["failed"]) for i in items] == [
        ("a", 2, 1),
        ("b", 1, 0),
    ]
    assert [i["tool_name"] for i in api.get("/tools/stats?tool_name=b").json["items"]] == ["b"]


def test_the_largest_counts_add_up(api: Caller) -> None:
    most = 2**40
    api.post("/sessions/s/prompts", {"id": "p", "prompt": {"text": "x"}})
    for n in range(3):
        usage = {"prompt_tokens": most, "completion_tokens": most, "total_tokens": most}
        body = {"id": f"r{n}", "response": {"text": "y"}, "usage": usage, "metrics": {"cost": most}}
        assert api.post("/prompts/p/responses", body).status_code == 201
        tool = {"id": f"t{n}", "tool_name": "t", "status": "failed", "duration_ms": most}
        tool["retry_count"] = most
        assert api.post(f"/responses/r{n}/tool-invocations", tool).status_code == 201
    [tools] = api.get("/tools/stats").json["items"]
    assert (tools["retries"], tools["average_duration_ms"]) == (3 * most, most)
    assert api.get("/sessions/s").json["summary"]["cost_usd"] == 3 * most
    body["usage"] = {**usage, "total_tokens": most + 1}
    assert api.post("/prompts/p/responses", body).status_code == 422
