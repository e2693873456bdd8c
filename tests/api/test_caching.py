"""Answers out of the cache: never older than the last write, never somebody else's."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.parse import quote

import orjson
import pytest
from werkzeug.test import TestResponse

from memgraph.domain.access import Permission, Role
from memgraph.domain.events import read_event
from memgraph.domain.mutations import Mutation
from memgraph.services.ingest.graph_rows import to_mutation
from tests.api.conftest import WIDE, Caller, Serve
from tests.support import demo

AT = "2026-01-01T00:00:0{}Z"


@pytest.fixture(params=["memory", "redis"])
def api(request: pytest.FixtureRequest, serve: Serve) -> Caller:
    url = request.getfixturevalue("redis_url") if request.param == "redis" else ""
    return serve(url, limits=WIDE)


def state(answer: TestResponse) -> str | None:
    assert answer.status_code == 200, answer.text
    return answer.headers.get("X-Cache")


def prompt(api: Caller, id_: str, session: str = "s", at: int = 1) -> None:
    body = {"id": id_, "timestamp": AT.format(at), "prompt": {"text": id_}}
    assert api.post(f"/sessions/{session}/prompts", body).status_code in (200, 201)


def response(api: Caller, id_: str, to: str = "p") -> None:
    body = {"id": id_, "timestamp": AT.format(5), "response": {"text": id_}}
    assert api.post(f"/prompts/{to}/responses", body).status_code == 201


def links(answer: TestResponse) -> set[tuple[str, str]]:
    return {(link["type"], link["id"]) for link in answer.json["links"]}


PATHS = ["/prompts/p", "/responses/r", "/sessions/s/thread", "/lineage/prompt/p"]


@pytest.mark.parametrize("path", PATHS)
def test_the_second_is_a_hit_and_the_same(api: Caller, path: str) -> None:
    prompt(api, "p")
    response(api, "r")
    first, second = api.get(path), api.get(path)
    assert (state(first), state(second)) == ("miss", "hit")
    assert second.data == first.data
    assert second.headers["ETag"] == first.headers["ETag"]
    assert second.mimetype == first.mimetype
    fresh = api.get(path, headers={"Cache-Control": "no-cache"})
    assert (state(fresh), fresh.data) == (None, first.data)
    seen = api.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert seen.status_code == 304


def test_only_answers_to_get_that_found_something(api: Caller) -> None:
    for _ in range(2):
        missing = api.get("/prompts/none")
        assert (missing.status_code, missing.headers.get("X-Cache")) == (404, None)
    prompt(api, "none")
    assert state(api.get("/prompts/none")) == "miss"
    assert "X-Cache" not in api.get("/healthz/live").headers


def test_each_form_of_an_answer_is_its_own(api: Caller) -> None:
    prompt(api, "p")
    api.get("/lineage/prompt/p")
    graphml = api.get("/lineage/prompt/p", headers={"Accept": "application/graphml+xml"})
    assert (state(graphml), graphml.mimetype) == ("miss", "application/graphml+xml")
    assert state(api.get("/lineage/prompt/p?depth=1")) == "miss"
    assert api.get("/lineage/prompt/p").mimetype == "application/json"


class TestRights:
    def test_a_hit_needs_the_permission(self, serve: Serve, tenant: str) -> None:
        api = serve()
        prompt(api, "p")
        api.get("/prompts/p")
        access = api.app.extensions["memgraph"].access
        _, key = access.create_key(
            tenant, name="x", roles=[Role.ADMIN], scopes=[Permission.READ_MODELS]
        )
        assert Caller(api.app, key).get("/prompts/p").status_code == 403

    def test_other_rights_and_other_tenants_have_their_own(self, serve: Serve, tenant: str) -> None:
        api = serve()
        prompt(api, "p")
        api.get("/prompts/p")
        access = api.app.extensions["memgraph"].access
        _, narrow = access.create_key(tenant, name="x", roles=[Role.DATA_SCIENTIST])
        assert state(Caller(api.app, narrow).get("/prompts/p")) == "miss"
        _, foreign = access.create_key(f"{tenant}-2", name="x", roles=[Role.ADMIN])
        assert Caller(api.app, foreign).get("/prompts/p").status_code == 404


class TestWrites:
    def test_a_write_elsewhere_leaves_a_node(self, api: Caller) -> None:
        prompt(api, "p")
        api.get("/prompts/p")
        prompt(api, "q", session="other")
        assert state(api.get("/prompts/p")) == "hit"

    def test_a_thread_shows_every_write_at_once(self, api: Caller) -> None:
        for n in range(1, 5):
            prompt(api, f"p{n}", at=n)
            shown = [p["prompt_id"] for p in api.get("/sessions/s/thread").json["prompts"]]
            assert shown == [f"p{i}" for i in range(1, n + 1)]

    def test_a_link_to_what_arrives_later(self, api: Caller) -> None:
        response(api, "r")
        assert links(api.get("/responses/r")) == set()
        prompt(api, "p")
        assert links(api.get("/responses/r")) == {("RESPONDS_TO", "p")}

    def test_a_prompt_that_comes_between(self, api: Caller) -> None:
        prompt(api, "a", at=1)
        prompt(api, "c", at=3)
        assert ("FOLLOWS", "a") in links(api.get("/prompts/c"))
        prompt(api, "b", at=2)
        assert ("FOLLOWS", "b") in links(api.get("/prompts/c"))

    def test_a_prompt_that_comes_before(self, api: Caller) -> None:
        prompt(api, "b", at=2)
        api.get("/prompts/b")
        prompt(api, "a", at=1)
        assert ("FOLLOWS", "a") in links(api.get("/prompts/b"))

    def test_a_tool_that_ends(self, api: Caller) -> None:
        prompt(api, "p")
        response(api, "r")
        api.post("/responses/r/tool-invocations", {"id": "t", "tool_name": "x"})
        api.get("/responses/r"), api.get("/tool-invocations/t")
        api.patch("/tool-invocations/t", {"status": "success", "result": 1})
        [link] = [x for x in api.get("/responses/r").json["links"] if x["type"] == "INVOKES"]
        assert link["properties"]["success"] is True
        assert api.get("/tool-invocations/t").json["status"] == "success"

    def test_a_handoff(self, api: Caller) -> None:
        prompt(api, "p")
        response(api, "r")
        api.get("/responses/r")
        api.post("/responses/r/handoffs", {"to_agent_id": "b", "handoff_reason": "x"})
        assert ("TRANSFERS_TO", "b") in links(api.get("/responses/r"))

    def test_a_deletion(self, api: Caller) -> None:
        prompt(api, "p")
        response(api, "r")
        for path in PATHS:
            api.get(path)
        assert api("DELETE", "/sessions/s").status_code == 204
        assert [api.get(path).status_code for path in PATHS] == [404] * 4

    def test_a_large_batch(self, api: Caller, tenant: str) -> None:
        prompt(api, "p")
        api.get("/prompts/p")
        recorder = api.app.extensions["memgraph"].sessions.recorder
        at = datetime(2026, 1, 1, tzinfo=UTC)
        users = [Mutation(f"e{n}", at, mentions=[("User", (f"u{n}",))]) for n in range(201)]
        recorder.write(tenant, users)
        assert state(api.get("/prompts/p")) == "miss"

    def test_workers_see_each_others_writes(self, serve: Serve, redis_url: str) -> None:
        one, other = (serve(redis_url, limits=WIDE) for _ in range(2))
        for n in range(1, 5):
            prompt(one, f"p{n}", at=n)
            for api in (one, other):
                assert len(api.get("/sessions/s/thread").json["prompts"]) == n
        assert state(other.get("/sessions/s/thread")) == "hit"


def test_several_workers_without_redis_keep_nothing(serve: Serve) -> None:
    api = serve(api={"workers": 2})
    prompt(api, "p")
    assert [state(api.get("/prompts/p")) for _ in range(2)] == ["miss", "miss"]


def test_who_writes_reads_it_whatever_others_do(api: Caller) -> None:
    """Each of many writers finds its prompt in the thread it reads next."""
    stop = threading.Event()

    def watch() -> None:
        while not stop.is_set():
            api.get("/sessions/s/thread")

    def write(n: int) -> bool:
        body = {"id": f"p{n}", "prompt": {"text": "x"}}
        assert api.post("/sessions/s/prompts", body).status_code == 201
        thread = api.get("/sessions/s/thread").json
        return f"p{n}" in {p["prompt_id"] for p in thread["prompts"]}

    prompt(api, "first")
    with ThreadPoolExecutor(8) as pool:
        watchers = [pool.submit(watch) for _ in range(2)]
        found = list(pool.map(write, range(60)))
        stop.set()
        [w.result() for w in watchers]
    assert all(found)


def test_redis_away_is_nobodys_problem(serve: Serve, closed_port: Callable[[], int]) -> None:
    api = serve(f"redis://127.0.0.1:{closed_port()}/0")
    prompt(api, "p")
    assert [state(api.get("/prompts/p")) for _ in range(2)] == ["miss", "miss"]
    key = {"Idempotency-Key": "k"}
    body = {"prompt": {"text": "x"}}
    first, second = (api.post("/sessions/s/prompts", body, headers=key) for _ in range(2))
    assert first.data == second.data


def conversations(count: int) -> list[demo.Json]:
    """All that happens in some conversations, the busiest first."""
    sessions = sorted(demo.PROMPTS_OF.values(), key=len, reverse=True)[:count]
    prompts = [prompt for session in sessions for prompt in session]
    answers = [a for p in prompts for a in demo.ANSWERS.get(p["event_id"], ())]
    known = {a["event_id"] for a in answers}
    calls = [t for t in demo.of_type("tool") if t["response_id"] in known]
    return [*prompts, *answers, *calls]


def test_in_any_order_of_events_the_cache_says_what_the_graph_says(
    serve: Serve, tenant: str
) -> None:
    api, chance = serve(limits=WIDE), random.Random(1)
    recorder = api.app.extensions["memgraph"].sessions.recorder
    events = conversations(1)
    ids = {
        f"/{kind}/{quote(event[name], safe='')}"
        for event in events
        for type_, kind, name in (
            ("prompt", "prompts", "event_id"),
            ("response", "responses", "event_id"),
            ("tool", "tool-invocations", "invocation_id"),
        )
        if event["type"] == type_
    }
    hits = 0
    for event in chance.sample(events, len(events)):
        recorder.write(tenant, [to_mutation(read_event(orjson.dumps(event)))])
        for path in sorted(ids):
            cached = api.get(path)
            fresh = api.get(path, headers={"Cache-Control": "no-cache"})
            assert cached.status_code == fresh.status_code
            assert fresh.status_code == 404 or cached.json == fresh.json
            hits += cached.headers.get("X-Cache") == "hit"
    assert hits > 0
