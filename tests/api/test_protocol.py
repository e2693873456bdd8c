"""Protocol habits: once and only once, only what is known, versions, traces."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import g
from werkzeug.test import TestResponse

from memgraph.api import idempotency, versions
from memgraph.domain.access import Role
from memgraph.services.ports import AnswerStore
from memgraph.services.recording import Recorder
from tests.api.conftest import Caller, CallerAs, Serve

BODY = {"prompt": {"text": "Where is my parcel?"}}


def once(
    api: Caller, key: str, body: Any = BODY, path: str = "/sessions/s/prompts"
) -> TestResponse:
    return api.post(path, body, headers={"Idempotency-Key": key})


def prompts(api: Caller) -> int:
    return len(api.get("/sessions/s/thread").json["prompts"])


def _forget(store: AnswerStore) -> None:
    if (name := g.pop("held_name", None)) is not None:
        store.release(name)


class TestIdempotencyKey:
    def test_a_repeated_request_has_the_same_answer_and_no_second_effect(self, api: Caller) -> None:
        first, second = once(api, "k"), once(api, "k")
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.data == second.data
        assert first.headers["Location"] == second.headers["Location"]
        assert second.mimetype == "application/json"
        assert "Idempotency-Replayed" not in first.headers
        assert second.headers["Idempotency-Replayed"] == "true"
        assert prompts(api) == 1
        assert once(api, "k2").json["id"] != first.json["id"]

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            ({"prompt": {"text": "secret words"}}, "/sessions/s/prompts"),
            (BODY, "/sessions/other/prompts"),
            (BODY, "/sessions/s/prompts?x=1"),
        ],
        ids=["body", "path", "query"],
    )
    def test_another_request_is_refused(self, api: Caller, body: Any, path: str) -> None:
        once(api, "k")
        other = once(api, "k", body, path)
        assert (other.status_code, other.json["errors"][0]["field"]) == (422, "Idempotency-Key")
        assert "secret" not in other.text
        assert prompts(api) == 1

    def test_keys_belong_to_their_credential(self, api: Caller, caller: CallerAs) -> None:
        first = once(api, "k")
        assert once(caller(), "k").json["id"] != first.json["id"]

    def test_a_refusal_is_not_kept(self, api: Caller) -> None:
        assert once(api, "k", {"prompt": {"text": 7}}).status_code == 422
        assert once(api, "k").status_code == 201

    def test_a_retry_after_the_answer_was_lost_writes_nothing_again(
        self, api: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # As when a worker dies between its commit and the answer.
        monkeypatch.setattr(idempotency, "finish", lambda store, response: _forget(store))
        first, second = once(api, "k"), once(api, "k")
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.json == {"id": first.json["id"], "outcome": "duplicate"}
        assert prompts(api) == 1

    def test_keys_of_those_who_may_not_are_free(self, api: Caller, caller: CallerAs) -> None:
        reader = caller(Role.DATA_SCIENTIST)
        assert [once(reader, "k").status_code for _ in range(2)] == [403, 403]

    @pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é"])
    def test_what_is_no_key(self, api: Caller, key: str) -> None:
        answer = once(api, key)
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "Idempotency-Key")

    def test_of_two_at_once_one_waits(self, api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        entered, go_on = threading.Event(), threading.Event()
        record = Recorder.record

        def slowly(self: Recorder, *arguments: Any) -> Any:
            entered.set()
            assert go_on.wait(60)
            return record(self, *arguments)

        monkeypatch.setattr(Recorder, "record", slowly)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(once, api, "k")
            assert entered.wait(60)
            second = once(api, "k")
            other = once(api, "k", {"prompt": {"text": "else"}})
            go_on.set()
            done = first.result()
        assert (second.status_code, second.json["code"]) == (409, "in_progress")
        assert int(second.headers["Retry-After"]) >= 1
        assert other.status_code == 422
        assert once(api, "k").data == done.data
        assert prompts(api) == 1

    def test_workers_share_the_answers(self, serve: Serve, redis_url: str) -> None:
        one, other = serve(redis_url), serve(redis_url)
        other = Caller(other.app, one.credential)
        assert once(one, "k").data == once(other, "k").data
        assert prompts(one) == 1

    def test_new_credentials_are_never_kept(self, api: Caller) -> None:
        body = {"name": "n", "roles": ["service"]}
        first, second = (once(api, "k", body, "/api-keys") for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.data != second.data

    def test_reading_needs_no_key(self, api: Caller) -> None:
        once(api, "k")
        for _ in range(2):
            answer = api.get("/sessions/s", headers={"Idempotency-Key": "k"})
            assert answer.status_code == 200
            assert "Idempotency-Replayed" not in answer.headers


class TestIfMatch:
    @pytest.fixture
    def tag(self, api: Caller) -> str:
        api.post("/sessions", {"id": "s", "title": "one"})
        found: str = api.get("/sessions/s").headers["ETag"]
        return found

    def change(self, api: Caller, title: str, tag: str) -> TestResponse:
        return api.patch("/sessions/s", {"title": title}, headers={"If-Match": tag})

    def test_who_knows_it_may_change_it(self, api: Caller, tag: str) -> None:
        changed = self.change(api, "two", tag)
        assert (changed.status_code, changed.json["title"]) == (200, "two")
        assert changed.headers["ETag"] == api.get("/sessions/s").headers["ETag"] != tag

    def test_who_knows_the_past_may_not(self, api: Caller, tag: str) -> None:
        self.change(api, "two", tag)
        late = self.change(api, "three", tag)
        assert (late.status_code, late.json["code"]) == (412, "precondition_failed")
        assert api.get("/sessions/s").json["title"] == "two"

    @pytest.mark.parametrize(
        ("tags", "status"), [("*", 200), ('"x", {}', 200), ('"x"', 412), ("W/{}", 412)]
    )
    def test_forms(self, api: Caller, tag: str, tags: str, status: int) -> None:
        assert self.change(api, "two", tags.format(tag)).status_code == status

    def test_of_what_is_not_there(self, api: Caller) -> None:
        assert self.change(api, "two", '"x"').status_code == 404

    def test_who_may_not_read_has_no_tag(self, api: Caller, caller: CallerAs, tag: str) -> None:
        from memgraph.domain.access import Permission

        writer = caller(Role.ADMIN, scopes=[Permission.WRITE_CONVERSATIONS])
        assert self.change(writer, "two", tag).status_code == 403

    def test_of_many_at_once_one_changes_it(self, api: Caller, tag: str) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: self.change(api, f"t{n}", tag), range(8)))
        statuses = sorted(a.status_code for a in answers)
        assert statuses.count(200) == 1
        assert set(statuses) <= {200, 409, 412}
        assert self.change(api, "after", api.get("/sessions/s").headers["ETag"]).status_code == 200

    def test_the_tag_is_that_of_now_not_of_the_cache(self, api: Caller) -> None:
        api.post("/sessions/s/prompts", BODY)
        body = {"id": "r", "response": {"text": "x"}}
        prompt = api.get("/sessions/s/thread").json["prompts"][0]["prompt_id"]
        api.post(f"/prompts/{prompt}/responses", body)
        api.post("/responses/r/tool-invocations", {"id": "t", "tool_name": "x"})
        tag = api.get("/tool-invocations/t").headers["ETag"]
        change = {"status": "success"}
        matching = {"If-Match": tag}
        assert api.patch("/tool-invocations/t", change, headers=matching).status_code == 200
        assert api.patch("/tool-invocations/t", change, headers=matching).status_code == 412


class TestVersions:
    def ask(self, api: Caller, version: str) -> TestResponse:
        return api.get("/healthz/live", headers={"X-API-Version": version})

    def test_every_answer_says_its_version(self, api: Caller) -> None:
        for answer in (api.get("/healthz/live"), self.ask(api, "1"), api.get("/none")):
            assert answer.headers["X-API-Version"] == "1"
            assert "Deprecation" not in answer.headers

    @pytest.mark.parametrize("version", ["2", "0", "", "1.0", "latest", "é"])
    def test_another_is_refused(self, api: Caller, version: str) -> None:
        answer = self.ask(api, version)
        assert (answer.status_code, answer.json["code"]) == (400, "unknown_version")
        assert answer.json["detail"] == "X-API-Version: must be one of 1"

    def test_one_that_ends_says_so(self, api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        old = versions.Version(
            datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 7, 1, 12, tzinfo=UTC)
        )
        monkeypatch.setattr(versions, "VERSIONS", {"0": old, **versions.VERSIONS})
        answer = self.ask(api, "0")
        assert answer.headers["X-API-Version"] == "0"
        assert answer.headers["Deprecation"] == "@1767225600"
        assert answer.headers["Sunset"] == "Wed, 01 Jul 2026 12:00:00 GMT"
        assert api.get("/healthz/live").headers["X-API-Version"] == "1"


class TestTraces:
    TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

    def test_the_callers_trace_is_in_the_log(self, api: Caller) -> None:
        from structlog.testing import capture_logs

        from memgraph.telemetry import _add_trace_id

        headers = {"traceparent": f"00-{self.TRACE}-00f067aa0ba902b7-01"}
        with capture_logs([_add_trace_id]) as lines:
            assert api.get("/healthz/live", headers=headers).status_code == 200
        assert self.TRACE in [line.get("trace_id") for line in lines]

    @pytest.mark.parametrize("sent", ["", "x", "00-0-0-00", "00-" + "0" * 32 + "-" + "0" * 16])
    def test_a_broken_one_does_no_harm(self, api: Caller, sent: str) -> None:
        assert api.get("/healthz/live", headers={"traceparent": sent}).status_code == 200
