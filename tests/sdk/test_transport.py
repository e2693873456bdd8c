"""What the client sends, what it tries again, and what its errors say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import memgraph_sdk as sdk
import orjson
import pytest
from memgraph_sdk import Client

from tests.sdk.conftest import Answer, Scripted, problem

SESSION = {"session_id": "s", "is_active": True}
READ = Answer(200, SESSION)
STORED = Answer(201, {"id": "p", "outcome": "stored"})
RESET = Answer()


def refused(status: int, **headers: str) -> Answer:
    return Answer(status, problem(status), {n.replace("_", "-"): v for n, v in headers.items()})


@pytest.fixture
def client(scripted: Scripted) -> Iterator[Client]:
    with Client(scripted.url, "mg_key", timeout_s=60) as client:
        yield client


class TestRequests:
    def test_who_asks_is_said(self, scripted: Scripted, client: Client) -> None:
        scripted.say(READ)
        client.sessions.get("s")
        [request] = scripted.requests
        assert request.headers["authorization"] == "Bearer mg_key"
        assert request.headers["x-api-version"] == "1"
        assert request.headers["user-agent"].startswith("llm-memory-graph-sdk/")

    @pytest.mark.parametrize(
        ("id_", "path"),
        [
            ("a/b", "a%2Fb"),
            ("..", "%2E%2E"),
            (".", "%2E"),
            ("x?y#z", "x%3Fy%23z"),
            ("a%2Fb", "a%252Fb"),
            ("ü 👩", "%C3%BC%20%F0%9F%91%A9"),
        ],
    )
    def test_ids_are_quoted(self, scripted: Scripted, client: Client, id_: str, path: str) -> None:
        scripted.say(READ)
        client.sessions.get(id_)
        assert scripted.requests[0].path == f"/api/v1/sessions/{path}"

    def test_an_empty_id_is_no_list(self, client: Client) -> None:
        with pytest.raises(ValueError, match="must not be empty"):
            client.sessions.get("")

    def test_times_are_written(self, scripted: Scripted, client: Client) -> None:
        scripted.say(STORED)
        at = datetime(2026, 1, 2, tzinfo=UTC)
        client.prompts.create("s", prompt={"text": "x"}, timestamp=at, tags=None)
        sent = orjson.loads(scripted.requests[0].body)
        assert sent == {
            "prompt": {"text": "x"},
            "timestamp": "2026-01-02T00:00:00Z",
            "tags": None,
        }

    def test_what_is_no_json_is_not_sent(self, client: Client) -> None:
        with pytest.raises(TypeError, match="cannot be written as JSON"):
            client.prompts.create("s", prompt={"text": object()})  # type: ignore[typeddict-item]

    def test_what_is_not_given_is_not_asked(self, scripted: Scripted, client: Client) -> None:
        scripted.say(Answer(200, {"root": "p", "nodes": [], "edges": [], "cuts": []}))
        client.lineage("prompt", "p", depth=2)
        assert scripted.requests[0].path == "/api/v1/lineage/prompt/p?depth=2"

    def test_a_newer_service_is_understood(self, scripted: Scripted, client: Client) -> None:
        scripted.say(
            Answer(200, {**SESSION, "purpose": "dream", "mood": {"a": 1}}, {"ETag": '"x"'})
        )
        session = client.sessions.get("s")
        assert (session.purpose, session.mood) == ("dream", {"a": 1})  # type: ignore[attr-defined]
        assert session.etag == '"x"'

    def test_a_change_of_what_was_read(self, scripted: Scripted, client: Client) -> None:
        scripted.say(READ)
        client.sessions.update("s", if_match='"x"', title="New")
        [request] = scripted.requests
        assert request.headers["if-match"] == '"x"'
        assert orjson.loads(request.body) == {"title": "New"}


class TestRetries:
    @pytest.mark.parametrize("first", [refused(503), refused(429), RESET])
    def test_a_read_is_tried_again(self, scripted: Scripted, client: Client, first: Answer) -> None:
        scripted.say(first, READ)
        assert client.sessions.get("s").session_id == "s"

    @pytest.mark.parametrize("first", [refused(503), RESET, refused(409, Retry_After="0")])
    def test_a_write_is_the_same_when_sent_again(
        self, scripted: Scripted, client: Client, first: Answer
    ) -> None:
        scripted.say(first, STORED)
        client.prompts.create("s", prompt={"text": "x"})
        one, two = scripted.requests
        assert one.headers["idempotency-key"] == two.headers["idempotency-key"]
        assert one.body == two.body

    def test_every_write_has_a_key_of_its_own(self, scripted: Scripted, client: Client) -> None:
        scripted.say(STORED, STORED)
        for _ in range(2):
            client.prompts.create("s", prompt={"text": "x"})
        one, two = scripted.requests
        assert one.headers["idempotency-key"] != two.headers["idempotency-key"]

    def test_a_conditional_change_is_sent_once(self, scripted: Scripted, client: Client) -> None:
        scripted.say(refused(503))
        with pytest.raises(sdk.Unavailable):
            client.sessions.update("s", if_match='"x"', title="New")

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 412, 422, 500])
    def test_what_will_not_pass_is_sent_once(
        self, scripted: Scripted, client: Client, status: int
    ) -> None:
        scripted.say(refused(status))
        with pytest.raises(sdk.MemgraphError):
            client.sessions.get("s")

    def test_the_wait_that_is_asked_for(
        self, scripted: Scripted, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        scripted.say(refused(429, Retry_After="1"), READ)
        waits: list[float] = []
        monkeypatch.setattr(time, "sleep", waits.append)
        client.sessions.get("s")
        (wait_s,) = waits
        assert 1 <= wait_s < 2

    def test_a_wait_until_a_time(self, scripted: Scripted, client: Client) -> None:
        later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        scripted.say(refused(503, Retry_After=later))
        with pytest.raises(sdk.Unavailable) as caught:
            client.sessions.get("s")
        assert 3_590 < (caught.value.retry_after or 0) <= 3_600

    @pytest.mark.parametrize("first", [refused(503), RESET])
    def test_what_was_deleted_by_the_first_attempt(
        self, scripted: Scripted, client: Client, first: Answer
    ) -> None:
        scripted.say(first, refused(404))
        client.sessions.delete("s")

    def test_what_was_not_there_to_be_deleted(self, scripted: Scripted, client: Client) -> None:
        scripted.say(refused(404))
        with pytest.raises(sdk.NotFound):
            client.sessions.delete("s")

    def test_a_long_wait_is_the_callers(self, scripted: Scripted, client: Client) -> None:
        scripted.say(refused(429, Retry_After="3600"))
        with pytest.raises(sdk.RateLimited) as caught:
            client.sessions.get("s")
        assert caught.value.retry_after == 3_600

    def test_the_last_refusal_is_told(self, scripted: Scripted) -> None:
        scripted.say(RESET, refused(429), refused(503))
        with Client(scripted.url, "mg_key", retries=2) as client, pytest.raises(sdk.Unavailable):
            client.sessions.get("s")

    def test_no_retries(self, scripted: Scripted) -> None:
        scripted.say(RESET)
        with (
            Client(scripted.url, "k", retries=0) as client,
            pytest.raises(sdk.Unavailable) as caught,
        ):
            client.sessions.get("s")
        assert caught.value.status is None
        assert caught.value.__cause__ is not None

    def test_nobody_is_there(self) -> None:
        with (
            Client("http://127.0.0.1:9", "k", retries=1) as client,
            pytest.raises(sdk.Unavailable, match="cannot be reached"),
        ):
            client.sessions.get("s")


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "error"),
        [
            (401, sdk.Unauthenticated),
            (403, sdk.Forbidden),
            (404, sdk.NotFound),
            (409, sdk.Conflict),
            (412, sdk.PreconditionFailed),
            (422, sdk.InvalidInput),
            (500, sdk.MemgraphError),
        ],
    )
    def test_a_problem_is_an_error(
        self, scripted: Scripted, client: Client, status: int, error: type[sdk.MemgraphError]
    ) -> None:
        scripted.say(refused(status))
        with pytest.raises(error) as caught:
            client.sessions.get("s")
        assert type(caught.value) is error
        told = caught.value
        assert (told.status, told.code, told.request_id) == (status, "some_code", "req-1")
        assert str(told) == "In words. (request req-1)"

    def test_every_broken_rule_is_told(self, scripted: Scripted, client: Client) -> None:
        errors = [{"field": "title", "rule": "is too long"}]
        scripted.say(Answer(422, problem(422, "invalid_input", errors=errors)))
        with pytest.raises(sdk.InvalidInput) as caught:
            client.sessions.create(title="x")
        assert caught.value.errors == (sdk.BrokenRule("title", "is too long"),)
        assert "title: is too long" in str(caught.value)

    def test_a_redirect_is_not_followed(self, scripted: Scripted, client: Client) -> None:
        scripted.say(Answer(302, b"", {"Location": f"{scripted.url}/api/v1/sessions/s"}))
        with pytest.raises(sdk.UnexpectedAnswer, match="302") as caught:
            client.sessions.get("s")
        assert caught.value.status == 302

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b"", {"session_id": 1}])
    def test_an_answer_of_something_else(
        self, scripted: Scripted, client: Client, body: object
    ) -> None:
        scripted.say(Answer(200, body))
        with pytest.raises(sdk.UnexpectedAnswer):
            client.sessions.get("s")

    @pytest.mark.parametrize("body", [b"<html>", [1], {"detail": 5}, b""])
    def test_a_refusal_of_something_else(
        self, scripted: Scripted, client: Client, body: object
    ) -> None:
        scripted.say(Answer(502, body))
        with pytest.raises(sdk.UnexpectedAnswer, match="502 Bad Gateway"):
            client.sessions.get("s")

    def test_a_broken_compression(self, scripted: Scripted, client: Client) -> None:
        scripted.say(Answer(200, b"no gzip", {"Content-Encoding": "gzip"}))
        with pytest.raises(sdk.UnexpectedAnswer):
            client.sessions.get("s")


class TestStreams:
    NODE = b'{"prompt_id": "p"}\n'
    END = b'{"done": true, "count": 1}\n'

    def test_the_end_is_no_node(self, scripted: Scripted, client: Client) -> None:
        scripted.say(Answer(200, self.NODE + self.END), Answer(200, self.END))
        assert list(client.stream("prompt")) == [{"prompt_id": "p"}]
        assert list(client.stream("prompt")) == []

    def test_separators_inside_a_text_end_no_line(self, scripted: Scripted, client: Client) -> None:
        text = "a\u2028b\u0085c\x1cd"
        scripted.say(Answer(200, orjson.dumps({"text": text}) + b"\n" + self.END))
        assert list(client.stream("prompt")) == [{"text": text}]

    def test_it_is_begun_again_before_the_first_node(
        self, scripted: Scripted, client: Client
    ) -> None:
        scripted.say(RESET, refused(503), Answer(200, self.NODE + self.END))
        assert len(list(client.stream("prompt"))) == 1
        assert "idempotency-key" not in scripted.requests[0].headers

    @pytest.mark.parametrize(
        ("body", "error"),
        [
            (NODE, sdk.Unavailable),
            (b"", sdk.Unavailable),
            (NODE + orjson.dumps({"problem": problem(503)}), sdk.Unavailable),
            (NODE + orjson.dumps({"problem": problem(422)}), sdk.InvalidInput),
            (NODE + b"<html>\n", sdk.UnexpectedAnswer),
            (b"[1]\n" + END, sdk.UnexpectedAnswer),
        ],
    )
    def test_a_stream_that_ends_badly(
        self, scripted: Scripted, client: Client, body: bytes, error: type[sdk.MemgraphError]
    ) -> None:
        scripted.say(Answer(200, body))
        with pytest.raises(error):
            list(client.stream("prompt"))

    def test_a_connection_that_is_lost(self, scripted: Scripted, client: Client) -> None:
        scripted.say(Answer(200, self.NODE, {"Content-Length": "1000"}))
        stream = client.stream("prompt")
        with pytest.raises(sdk.Unavailable):
            list(stream)

    def test_a_list_that_does_not_advance(self, scripted: Scripted, client: Client) -> None:
        page = Answer(200, {"items": [SESSION], "next_cursor": "c"})
        scripted.say(page, page)
        with pytest.raises(sdk.UnexpectedAnswer, match="does not advance"):
            list(client.sessions.list())


class TestClient:
    def test_the_environment_tells_where_and_who(
        self, scripted: Scripted, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MEMGRAPH_URL", scripted.url + "/")
        monkeypatch.setenv("MEMGRAPH_API_KEY", "mg_env")
        scripted.say(READ)
        with Client() as client:
            client.sessions.get("s")
        assert scripted.requests[0].headers["authorization"] == "Bearer mg_env"

    @pytest.mark.parametrize(
        ("given", "missing"),
        [(None, "MEMGRAPH_URL"), ("http://h", "MEMGRAPH_API_KEY")],
    )
    def test_what_is_missing_is_named(
        self, monkeypatch: pytest.MonkeyPatch, given: str | None, missing: str
    ) -> None:
        for name in ("MEMGRAPH_URL", "MEMGRAPH_API_KEY"):
            monkeypatch.delenv(name, raising=False)
        with pytest.raises(ValueError, match=missing):
            Client(given)

    def test_the_key_is_not_shown(self, client: Client) -> None:
        assert "mg_key" not in repr(client)

    def test_a_closed_client_sends_nothing(self, scripted: Scripted) -> None:
        client = Client(scripted.url, "k")
        client.close()
        with pytest.raises(RuntimeError, match="closed"):
            client.sessions.get("s")
