"""Edges, streams and lists over the demo, and all that is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from flask import Flask

from memgraph.bootstrap import App
from memgraph.domain.access import Permission, Role
from tests.api.conftest import Caller, CallerAs
from tests.api.served_demo import Demo, Json, load, same


@pytest.fixture(scope="module")
def demo(parts: App, web: Flask) -> Demo:
    """Nobody writes here."""
    return load(parts, web)


class TestRelated:
    def test_by_one_and_by_two(self, demo: Demo) -> None:
        related = [{"type": "PART_OF", "kind": "session", "id": "s-0033"}]
        found = demo.all("prompt", related=related, page=1, sort={"field": "created_at"})
        thread = demo.api.get("/sessions/s-0033/thread").json
        assert [n["prompt_id"] for n in found] == [p["prompt_id"] for p in thread["prompts"]]
        agents = {
            link["id"]
            for n in found
            for link in demo.api.get(f"/prompts/{n['prompt_id']}").json["links"]
            if link["type"] == "HANDLED_BY"
        }
        by_both = [
            n["prompt_id"]
            for agent in agents
            for n in demo.all(
                "prompt",
                related=[*related, {"type": "HANDLED_BY", "kind": "agent", "id": agent}],
            )
        ]
        assert agents
        assert set(by_both) <= {n["prompt_id"] for n in found}
        assert len(by_both) == len(set(by_both)) > 0

    def test_against_the_edge(self, demo: Demo) -> None:
        related = [{"type": "PART_OF", "kind": "prompt", "id": "s-0033-p1", "direction": "in"}]
        assert [n["session_id"] for n in demo.all("session", related=related)] == ["s-0033"]

    def test_a_direction_that_must_be_said(self, demo: Demo) -> None:
        related = [{"type": "FOLLOWS", "kind": "prompt", "id": "s-0033-p1"}]
        refused = demo.api.post("/query", {"kind": "prompt", "related": related})
        assert refused.json["errors"][0]["field"] == "related.0.direction"
        [after] = demo.all("prompt", related=[{**related[0], "direction": "out"}])
        assert after["prompt_id"] == "s-0033-p2"


class TestStream:
    def lines(self, demo: Demo, **query: Any) -> list[Json]:
        answer = demo.api.post("/query/stream", query)
        assert (answer.status_code, answer.mimetype) == (200, "application/x-ndjson")
        return [orjson.loads(line) for line in answer.data.splitlines()]

    def test_every_node_and_an_end(self, demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("memgraph.graph.selector.STREAMED_TOGETHER", 70)
        *nodes, last = self.lines(demo, kind="response", sort={"field": "created_at"})
        assert last == {"done": True, "count": len(nodes)}
        assert nodes == demo.all("response", sort={"field": "created_at"})

    def test_nothing(self, demo: Demo) -> None:
        where = [{"field": "prompt_id", "operator": "eq", "value": "none"}]
        assert self.lines(demo, kind="prompt", where=where) == [{"done": True, "count": 0}]

    def test_a_wrong_question_is_no_stream(self, demo: Demo) -> None:
        answer = demo.api.post("/query/stream", {"kind": "nothing"})
        assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")

    def test_a_fault_on_the_way_is_the_last_line(
        self, demo: Demo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from memgraph.domain.errors import GraphUnavailable
        from memgraph.graph.selector import Selector

        def breaks(*_: Any, **__: Any) -> None:
            raise GraphUnavailable("Neo4j does not answer")

        monkeypatch.setattr(Selector, "page", breaks)
        [last] = self.lines(demo, kind="prompt")
        assert last["problem"]["code"] == "graph_unavailable"
        assert last["problem"]["request_id"]


class TestLists:
    def test_sessions_newest_first(self, demo: Demo) -> None:
        seen, cursor = [], ""
        while cursor is not None:
            page = demo.api.get(f"/sessions?limit=20&cursor={cursor}").json
            seen += [n["session_id"] for n in page["items"]]
            cursor = page["next_cursor"]
        wanted = sorted(demo.nodes("session"), key=lambda n: (n["created_at"], n["session_id"]))
        assert seen == [n["session_id"] for n in wanted[::-1]]

    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("purpose=chat", lambda n: n.get("purpose") == "chat"),
            ("is_active=true", lambda n: n.get("is_active") is not False),
            ("is_active=false", lambda n: n.get("is_active") is False),
        ],
    )
    def test_filters(self, demo: Demo, query: str, expected: Callable[[Json], bool]) -> None:
        found = demo.api.get(f"/sessions?limit=500&{query}").json["items"]
        same(demo, "session", found, expected)

    def test_times_and_tags(self, demo: Demo) -> None:
        times = sorted(n["created_at"] for n in demo.nodes("session"))
        low, high = times[len(times) // 4], times[len(times) // 2]
        sent = {"created_after": low.isoformat(), "created_before": high.isoformat()}
        answer = demo.api.get("/sessions", query_string={**sent, "limit": "500"})
        same(demo, "session", answer.json["items"], lambda n: low < n["created_at"] < high)
        tagged = [n for n in demo.nodes("session") if n.get("tags")]
        if tagged:
            tag = tagged[0]["tags"][0]
            answer = demo.api.get("/sessions", query_string={"tags": tag, "limit": "500"})
            same(demo, "session", answer.json["items"], lambda n: tag in n.get("tags", ()))

    def test_down_a_conversation(self, demo: Demo) -> None:
        thread = demo.api.get("/sessions/s-0033/thread").json
        prompts = demo.api.get("/sessions/s-0033/prompts").json["items"]
        assert [p["prompt_id"] for p in prompts] == [p["prompt_id"] for p in thread["prompts"]]
        for prompt in thread["prompts"]:
            path = f"/prompts/{prompt['prompt_id']}/responses"
            responses = demo.api.get(path).json["items"]
            wanted = [r["response_id"] for r in prompt["responses"]]
            assert [r["response_id"] for r in responses] == wanted
            for response in prompt["responses"]:
                path = f"/responses/{response['response_id']}/tool-invocations"
                tools = demo.api.get(path).json["items"]
                assert {t["invocation_id"] for t in tools} == {
                    t["invocation_id"] for t in response["tools"]
                }

    @pytest.mark.parametrize(
        "path",
        ["/sessions/none/prompts", "/prompts/none/responses", "/responses/none/tool-invocations"],
    )
    def test_below_what_is_not_there(self, demo: Demo, path: str) -> None:
        assert demo.api.get(path).status_code == 404

    def test_a_session_without_prompts(self, api: Caller) -> None:
        api.post("/sessions", {"id": "s"})
        assert api.get("/sessions/s/prompts").json["items"] == []

    @pytest.mark.parametrize("query", ["limit=0", "limit=501", "cursor=x", "order=up", "x=1"])
    def test_wrong_parameters(self, demo: Demo, query: str) -> None:
        answer = demo.api.get(f"/sessions?{query}")
        assert answer.status_code == 422
        assert answer.json["errors"][0]["field"] == query.partition("=")[0]


INJECTED = "x`} ) RETURN 1 // ' OR 1=1 \" \\u0027 $tenant_id"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"kind": INJECTED}, "kind"),
        ({"kind": "api_key"}, "kind"),
        ({"kind": "prompt", "where": [{"field": INJECTED, "operator": "eq", "value": 1}]}, None),
        ({"kind": "prompt", "where": [{"field": "tenant_id", "operator": "exists"}]}, None),
        ({"kind": "prompt", "where": [{"field": "write_id", "operator": "exists"}]}, None),
        ({"kind": "prompt", "where": [{"field": "metadata.x", "operator": "exists"}]}, None),
        (
            {"kind": "prompt", "where": [{"field": "text", "operator": INJECTED, "value": 1}]},
            "where.0.operator",
        ),
        (
            {"kind": "prompt", "where": [{"field": "tags", "operator": "lt", "value": "a"}]},
            "where.0.operator",
        ),
        (
            {"kind": "session", "where": [{"field": "purpose", "operator": "eq", "value": "x"}]},
            "where.0.value",
        ),
        (
            {"kind": "prompt", "where": [{"field": "user_id", "operator": "eq", "value": 1}]},
            "where.0.value",
        ),
        (
            {
                "kind": "prompt",
                "where": [{"field": "user_id", "operator": "in", "value": ["a", 1]}],
            },
            "where.0.value.1",
        ),
        (
            {
                "kind": "prompt",
                "where": [{"field": "text", "operator": "contains", "value": "* ?"}],
            },
            "where.0.value",
        ),
        ({"kind": "prompt", "sort": {"field": INJECTED}}, "sort.field"),
        ({"kind": "prompt", "sort": {"field": "text"}}, "sort.field"),
        (
            {"kind": "prompt", "sort": {"field": "created_at", "direction": INJECTED}},
            "sort.direction",
        ),
        (
            {"kind": "prompt", "related": [{"type": INJECTED, "kind": "session", "id": "s"}]},
            "related.0.type",
        ),
        (
            {"kind": "prompt", "related": [{"type": "PART_OF", "kind": INJECTED, "id": "s"}]},
            "related.0.kind",
        ),
        (
            {
                "kind": "prompt",
                "related": [{"type": "INSTANTIATES", "kind": "template", "id": "x"}],
            },
            "related.0.id",
        ),
        ({"kind": "prompt", "limit": 10_000}, "limit"),
        ({"kind": "prompt", "cursor": INJECTED}, "cursor"),
        ({"kind": "prompt", "tenant_id": "other"}, "tenant_id"),
    ],
)
def test_what_is_no_question_is_refused(demo: Demo, query: Json, field: str | None) -> None:
    answer = demo.api.post("/query", query)
    assert answer.status_code == 422, answer.json
    assert answer.json["errors"][0]["field"] == (field or "where.0.field")
    assert INJECTED not in answer.json["detail"]


@pytest.mark.parametrize(
    "value", [INJECTED, "a AND b", 'xyzzy "no" \\', "x* OR tenant_id:*", "🦊 ü \uff05"]
)
def test_values_are_only_values(demo: Demo, value: str) -> None:
    for field, name in (("user_id", "eq"), ("tags", "contains"), ("text", "contains")):
        where = [{"field": field, "operator": name, "value": value}]
        assert demo.ask("prompt", where=where)["items"] == []
    related = [{"type": "PART_OF", "kind": "session", "id": value.replace("\\u0027", "")}]
    assert demo.ask("prompt", related=related)["items"] == []
    assert demo.api.post("/search", {"text": value}).status_code == 200


class TestCursors:
    def cursor(self, demo: Demo, **more: Any) -> str:
        cursor: str = demo.ask("prompt", limit=2, **more)["next_cursor"]
        return cursor

    def refused(self, api: Caller, **query: Any) -> None:
        answer = api.post("/query", {"kind": "prompt", **query})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "cursor")

    def test_the_page_may_have_another_size(self, demo: Demo) -> None:
        assert len(demo.ask("prompt", limit=9, cursor=self.cursor(demo))["items"]) == 9

    def test_an_edited_one(self, demo: Demo) -> None:
        cursor = self.cursor(demo)
        for i in range(0, len(cursor), 7):
            other = "A" if cursor[i] != "A" else "B"
            self.refused(demo.api, cursor=cursor[:i] + other + cursor[i + 1 :])
        self.refused(demo.api, cursor=cursor + "A")

    def test_of_the_longest_keys(self, api: Caller) -> None:
        long = "🦊" * 511
        for end in "abc":
            api.post("/sessions", {"id": long + end})
            body = {"id": long + end, "response": {"text": "x"}}
            assert api.post("/prompts/p/responses", body).status_code == 201
        page = api.get("/sessions?limit=1").json
        again = api.get("/sessions", query_string={"limit": "1", "cursor": page["next_cursor"]})
        assert len(again.json["items"]) == 1
        path = "/nodes/prompt/p/neighbours"
        api.post("/sessions/s/prompts", {"id": "p", "prompt": {"text": "x"}})
        page = api.get(f"{path}?limit=1").json
        while page["next_cursor"]:
            answer = api.get(path, query_string={"limit": "1", "cursor": page["next_cursor"]})
            assert answer.status_code == 200
            page = answer.json

    def test_of_another_question(self, demo: Demo) -> None:
        self.refused(demo.api, cursor=self.cursor(demo), sort={"field": "created_at"})
        where = [{"field": "user_id", "operator": "exists"}]
        self.refused(demo.api, cursor=self.cursor(demo), where=where)

    def test_of_another_tenant(self, demo: Demo, api: Caller) -> None:
        self.refused(api, cursor=self.cursor(demo))


class TestAccess:
    def test_each_kind_asks_for_its_permission(self, demo: Demo, caller: CallerAs) -> None:
        narrow = caller(
            tenant_id=demo.tenant_id,
            scopes=[Permission.READ_CONVERSATIONS, Permission.READ_AGENTS],
        )
        for kind, status in (("prompt", 200), ("agent", 200), ("template", 403), ("user", 403)):
            assert narrow.post("/query", {"kind": kind}).status_code == status
            assert narrow.post("/query/stream", {"kind": kind}).status_code == status
        for kind in ("user", "archive", "retention_policy"):
            scientist = caller(Role.DATA_SCIENTIST, tenant_id=demo.tenant_id)
            assert scientist.post("/query", {"kind": kind}).status_code == 403
        related = [{"type": "STARTED_BY", "kind": "user", "id": "u"}]
        refused = narrow.post("/query", {"kind": "session", "related": related})
        assert (refused.status_code, refused.json["code"]) == (403, "forbidden")

    def test_a_role_that_sees_no_users(self, demo: Demo, caller: CallerAs) -> None:
        scientist = caller(Role.DATA_SCIENTIST, tenant_id=demo.tenant_id)
        mine = demo.api.get("/nodes/session/s-0033/neighbours?limit=500").json["items"]
        theirs = scientist.get("/nodes/session/s-0033/neighbours?limit=500").json["items"]
        assert {n["kind"] for n in mine} - {n["kind"] for n in theirs} == {"user"}

    def test_another_tenant_finds_nothing(self, demo: Demo, api: Caller) -> None:
        assert api.post("/query", {"kind": "prompt", "count": True}).json["items"] == []
        assert api.post("/search", {"text": "order"}).json["items"] == []
        assert api.get("/nodes/session/s-0033/neighbours").status_code == 404
        assert api.get("/sessions/s-0033/prompts").status_code == 404
