"""A conversation through HTTP, step by step, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from memgraph.domain.access import Permission, Role
from tests.api.conftest import Caller, CallerAs


def new_prompt(api: Caller, session: str = "s", **more: Any) -> str:
    answer = api.post(f"/sessions/{session}/prompts", {"prompt": {"text": "Where is it?"}, **more})
    assert answer.status_code == 201, answer.json
    id_: str = answer.json["id"]
    return id_


def test_a_conversation_is_recorded_and_read(api: Caller) -> None:
    session = api.post("/sessions", {"id": "s", "title": "A parcel", "user_id": "u"})
    assert (session.status_code, session.json["is_active"]) == (201, True)
    prompt = new_prompt(api, model={"id": "m"}, agent_id="a")
    answer = api.post(
        f"/prompts/{prompt}/responses",
        {"id": "r", "response": {"text": "Here."}, "metrics": {"latency": 12}},
    )
    assert (answer.status_code, answer.json) == (201, {"id": "r", "outcome": "stored"})
    assert answer.headers["Location"] == "/api/v1/responses/r"
    call = {"id": "t", "tool_name": "track", "parameters": {"n": 1}}
    assert api.post("/responses/r/tool-invocations", call).status_code == 201
    handoff = {"to_agent_id": "b", "handoff_reason": "refund"}
    assert api.post("/responses/r/handoffs", handoff).status_code == 201
    score = {"name": "helpful", "value": 1.0, "response_id": "r"}
    assert api.post("/scores", score).status_code == 201

    read = api.get(f"/prompts/{prompt}").json
    assert read["text"] == "Where is it?"
    links = {(link["type"], link["kind"], link["id"]) for link in read["links"]}
    assert links == {
        ("PART_OF", "session", "s"),
        ("USES_MODEL", "model", "m"),
        ("HANDLED_BY", "agent", "a"),
    }
    thread = api.get("/sessions/s/thread").json
    [asked] = thread["prompts"]
    [answered] = asked["responses"]
    assert (answered["text"], answered["latency_ms"]) == ("Here.", 12)
    assert [t["tool_name"] for t in answered["tools"]] == ["track"]
    assert [h["agent_id"] for h in answered["handoffs"]] == ["b"]
    assert [x["name"] for x in answered["scores"]] == ["helpful"]
    lineage = api.get("/lineage/response/r").json
    assert {"Prompt", "Response"} <= {label for n in lineage["nodes"] for label in n["labels"]}


def test_graphml_when_asked_for(api: Caller) -> None:
    prompt = new_prompt(api)
    answer = api.get(f"/lineage/prompt/{prompt}", headers={"Accept": "application/graphml+xml"})
    assert answer.mimetype == "application/graphml+xml"
    assert answer.text.startswith("<?xml")


class TestFacts:
    def test_the_same_again_is_a_duplicate(self, api: Caller) -> None:
        body = {"id": "p", "timestamp": "2026-01-01T00:00:00Z", "prompt": {"text": "x"}}
        answers = [api.post("/sessions/s/prompts", body) for _ in range(2)]
        assert [a.status_code for a in answers] == [201, 200]
        assert [a.json["outcome"] for a in answers] == ["stored", "duplicate"]

    def test_other_content_is_a_conflict(self, api: Caller) -> None:
        at = "2026-01-01T00:00:00Z"
        body = {"id": "p", "timestamp": at, "prompt": {"text": "x"}}
        api.post("/sessions/s/prompts", body)
        other = api.post("/sessions/s/prompts", {**body, "prompt": {"text": "secret words"}})
        assert (other.status_code, other.json["code"]) == (409, "conflict")
        assert "secret" not in other.text
        assert api.get("/prompts/p").json["text"] == "x"


class TestSessions:
    def test_the_same_session_again(self, api: Caller) -> None:
        assert api.post("/sessions", {"id": "s"}).status_code == 201
        assert api.post("/sessions", {"id": "s"}).status_code == 201  # a later word about it

    def test_a_closed_session_stays_closed(self, api: Caller) -> None:
        api.post("/sessions", {"id": "s"})
        closed = api.patch("/sessions/s", {"is_active": False, "title": "Done"})
        assert (closed.status_code, closed.json["is_active"]) == (200, False)
        assert closed.json["title"] == "Done"
        assert closed.json["closed_at"]
        again = api.patch("/sessions/s", {"is_active": True})
        assert (again.status_code, again.json["code"]) == (409, "invalid_transition")
        assert api.post("/sessions", {"id": "s"}).status_code == 409
        assert api.patch("/sessions/s", {"is_active": False}).status_code == 200

    def test_what_is_left_out_stays(self, api: Caller) -> None:
        api.post("/sessions", {"id": "s", "title": "One", "tags": ["a"]})
        changed = api.patch("/sessions/s", {"title": "Two"}).json
        assert (changed["title"], changed["tags"]) == ("Two", ["a"])

    def test_an_unknown_session(self, api: Caller) -> None:
        assert api.get("/sessions/none").status_code == 404
        assert api.patch("/sessions/none", {"title": "x"}).status_code == 404


class TestTools:
    def test_success_is_final(self, api: Caller) -> None:
        api.post("/responses/r/tool-invocations", {"id": "t", "tool_name": "x"})
        done = api.patch("/tool-invocations/t", {"status": "success", "result": {"a": 1}})
        assert (done.json["status"], done.json["result"]) == ("success", {"a": 1})
        assert api.patch("/tool-invocations/t", {"status": "failed"}).status_code == 409

    def test_a_failed_call_is_tried_again(self, api: Caller) -> None:
        api.post("/responses/r/tool-invocations", {"id": "t", "tool_name": "x"})
        api.patch("/tool-invocations/t", {"status": "failed", "error": "timeout"})
        retried = api.patch("/tool-invocations/t", {"status": "pending"}).json
        assert (retried["status"], retried["retry_count"]) == ("pending", 1)
        done = api.patch("/tool-invocations/t", {"status": "success"}).json
        assert (done["status"], done["retry_count"]) == ("success", 1)

    def test_an_unknown_call(self, api: Caller) -> None:
        assert api.patch("/tool-invocations/none", {"status": "failed"}).status_code == 404


@pytest.mark.parametrize("id_", ["a/b", "ünï 👩‍👩‍👧", "x?y#z", "a%2Fb", "..", "a@b"])
def test_ids_of_callers_come_back(api: Caller, id_: str) -> None:
    from urllib.parse import quote

    stored = api.post("/sessions/s/prompts", {"id": id_, "prompt": {"text": "x"}})
    assert stored.status_code == 201
    assert api.get(f"/prompts/{quote(id_, safe='')}").json["prompt_id"] == id_


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/sessions", {"titel": "x"}, "titel"),
        ("/sessions", {"tenant_id": "other"}, "tenant_id"),
        ("/sessions", {"title": 1}, "title"),
        ("/sessions", {"id": "x" * 600}, "id"),
        ("/sessions", {"id": "a\x00b"}, "id"),
        ("/sessions/s/prompts", {"prompt": {"text": ""}}, "prompt.text"),
        ("/sessions/s/prompts", {"prompt": {"text": "x"}, "session": {"id": "t"}}, "session"),
        ("/sessions/s/prompts", {"timestamp": "1970-01-01T00:00:00Z"}, "timestamp"),
        ("/scores", {"name": "x", "value": "1"}, "value"),
    ],
)
def test_bad_input_names_the_field(api: Caller, path: str, body: Any, field: str) -> None:
    answer = api.post(path, body)
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")
    assert field in {e["field"] for e in answer.json["errors"]}


def test_a_body_must_be_json(api: Caller) -> None:
    broken = api.post("/sessions", data=b"{", content_type="application/json")
    assert (broken.status_code, broken.json["errors"][0]["field"]) == (422, "body")
    assert api.post("/sessions", data=b"{}", content_type="text/plain").status_code == 415


class TestAccess:
    @pytest.mark.parametrize("sent", [None, "mg_", "mg_eA.000000000000.wrong", "eyJhbGciOiJub25l"])
    def test_no_or_a_wrong_credential(self, api: Caller, sent: str | None) -> None:
        answer = Caller(api.app, sent).get("/sessions/s")
        assert (answer.status_code, answer.json["code"]) == (401, "unauthenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"

    def test_a_role_that_may_not(self, caller: CallerAs) -> None:
        reader = caller(Role.DATA_SCIENTIST)
        answer = reader.post("/sessions", {})
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
        assert reader.get("/sessions/s").status_code == 404

    def test_scopes_narrow_a_key(self, caller: CallerAs) -> None:
        narrow = caller(Role.ADMIN, scopes=[Permission.READ_CONVERSATIONS])
        assert narrow.post("/sessions", {}).status_code == 403
        assert narrow.get("/sessions/none").status_code == 404

    def test_another_tenant_sees_nothing(self, api: Caller, caller: CallerAs) -> None:
        prompt = new_prompt(api)
        other = caller(tenant_id="another-tenant")
        seen, missing = other.get(f"/prompts/{prompt}"), other.get("/prompts/none")
        assert seen.status_code == missing.status_code == 404
        assert seen.json["detail"].replace(prompt, "none") == missing.json["detail"]


def test_health(api: Caller) -> None:
    assert Caller(api.app, None).get("/healthz/live").json == {"status": "ok"}
    assert Caller(api.app, None).get("/healthz/ready").json == {"status": "ok"}


class TestProtocol:
    def test_an_entity_tag_saves_the_body(self, api: Caller) -> None:
        prompt = new_prompt(api)
        first = api.get(f"/prompts/{prompt}")
        again = api.get(f"/prompts/{prompt}", headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")

    def test_the_request_id_is_the_callers_or_ours(self, api: Caller) -> None:
        mine = api.get("/prompts/none", headers={"X-Request-ID": "my-1"})
        assert mine.headers["X-Request-ID"] == mine.json["request_id"] == "my-1"
        bad = api.get("/prompts/none", headers={"X-Request-ID": "a b\t"})
        assert bad.headers["X-Request-ID"] not in ("", "a b\t")

    def test_long_answers_are_packed(self, api: Caller) -> None:
        id_ = new_prompt(api, prompt={"text": "word " * 1_000})
        packed = api.get(f"/prompts/{id_}", headers={"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert len(packed.data) < 1_500
        plain = api.get(f"/prompts/{id_}", headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers


def test_the_document_describes_every_operation(api: Caller) -> None:
    from memgraph.api.application import operations

    document = Caller(api.app, None).get("/openapi.json").json
    described = {o["operationId"] for path in document["paths"].values() for o in path.values()}
    assert described == {o.name for o in operations()}
    text = Caller(api.app, None).get("/openapi.json").text
    names = set(document["components"]["schemas"])
    import re

    assert set(re.findall(r"#/components/schemas/([\w.]+)", text)) <= names


PROMPT = {"id": "p", "prompt": {"text": "x"}}


class TestTheSameAgain:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/sessions/s/prompts", PROMPT),
            ("/prompts/p/responses", {"id": "r", "response": {"text": "y"}}),
            ("/scores", {"id": "x", "name": "n", "value": 1, "prompt_id": "p"}),
        ],
        ids=["prompt", "response", "score"],
    )
    def test_what_was_sent_without_a_time_is_known(
        self, api: Caller, path: str, body: dict[str, Any]
    ) -> None:
        api.post("/sessions/s/prompts", PROMPT)
        assert api.post(path, body).status_code in (200, 201)
        again = api.post(path, body)
        assert (again.status_code, again.json["outcome"]) == (200, "duplicate")
        assert api.post(path, {**body, "tags": ["other"]}).status_code in (409, 422)
        dated = {**body, "timestamp": "2026-01-01T00:00:00Z"}
        assert (api.post(path, dated).json["code"]) == "conflict"

    def test_what_was_deleted_stays_so_and_it_is_said(self, api: Caller) -> None:
        response = {"id": "r", "response": {"text": "y"}}
        tool = {"id": "t", "tool_name": "t"}
        posts = [
            ("/sessions/s/prompts", PROMPT),
            ("/prompts/p/responses", response),
            ("/responses/r/tool-invocations", tool),
            # Late, for what is not there any more.
            ("/sessions/s/prompts", {"id": "p2", "prompt": {"text": "x"}}),
        ]
        for path, body in posts[:3]:
            assert api.post(path, body).status_code == 201
        assert api("DELETE", "/sessions/s").status_code == 204
        for path, body in posts:
            refused = api.post(path, body)
            assert (refused.status_code, refused.json["code"]) == (410, "deleted"), path

    def test_what_is_said_of_something_that_has_not_arrived_is_known(self, api: Caller) -> None:
        handoff = {"id": "h", "to_agent_id": "a", "timestamp": "2026-01-01T00:00:00Z"}
        answers = [api.post("/responses/later/handoffs", handoff) for _ in range(2)]
        assert [a.json["outcome"] for a in answers] == ["stored", "duplicate"]
