"""Server-sent events: what is told, resumed, bounded, and kept apart."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from memgraph.adapters.feed import RedisFeed
from memgraph.adapters.redis_link import RedisLink
from memgraph.api import event_streams
from memgraph.api.event_streams import Streams
from memgraph.domain.access import Permission, Role
from memgraph.services.ports import OutgoingEvent
from memgraph.settings import ApiSettings
from tests.api.conftest import WIDE, Caller, Serve

Json = dict[str, Any]
PATH = "/events/stream"


@dataclass(frozen=True)
class Told:
    """One server-sent event."""

    id: str
    event: str
    data: Json


def parse(text: str) -> Iterator[Told]:
    """As the standard says: an id stays until there is another one."""
    place = ""
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] != ":")
        place = fields.get("id", place)
        if "data" in fields:
            yield Told(place, fields["event"], orjson.loads(fields["data"]))


@pytest.fixture
def feed(redis_url: str) -> Iterator[RedisFeed]:
    link = RedisLink(redis_url, timeout_s=60)
    yield RedisFeed(link, most=100_000, keep_s=60)
    link.close()


@pytest.fixture
def api(serve: Serve, redis_url: str) -> Caller:
    """Streams that say at once when nothing more comes, and end when they are closed."""
    api = serve(redis_url, limits=WIDE, api=ApiSettings(event_streams=2))
    _streams(api.app).heartbeat_s = 0.0
    return api


def event(number: int, session: str = "s", node: str = "Prompt") -> OutgoingEvent:
    kind = "prompt_submitted" if node == "Prompt" else "node_updated"
    body = orjson.dumps({"id": f"e{number}", "kind": kind, "node_id": f"n{number}"})
    return OutgoingEvent(f"e{number}", session, kind, node, session, body)


def events(numbers: Sequence[int], **more: Any) -> list[OutgoingEvent]:
    return [event(n, **more) for n in numbers]


def text_of(answer: TestResponse) -> str:
    """What a stream says until nothing more comes."""
    assert answer.status_code == 200
    said = itertools.takewhile(lambda chunk: chunk[:1] != b":", answer.response)
    text = b"".join(said).decode()  # type: ignore[arg-type]
    answer.close()
    return text


def told(answer: TestResponse) -> list[str]:
    return [one.data["id"] for one in parse(text_of(answer))]


def test_a_stream_from_the_oldest_on(api: Caller, feed: RedisFeed, tenant: str) -> None:
    feed.deliver(tenant, events(range(3)))
    answer = api.get(f"{PATH}?after=0-0")
    assert answer.content_type == "text/event-stream; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    text = text_of(answer)
    assert text.startswith("retry: ")
    found = list(parse(text))
    assert [one.data["id"] for one in found] == ["e0", "e1", "e2"]
    assert {one.event for one in found} == {"prompt_submitted"}
    assert len({one.id for one in found}) == 3


def test_only_what_comes_from_now_on(api: Caller, feed: RedisFeed, tenant: str) -> None:
    feed.deliver(tenant, events([0]))
    answer = api.get(PATH)
    chunks = iter(answer.response)
    head = next(chunks)
    feed.deliver(tenant, events([1]))
    assert [one.data["id"] for one in parse((head + next(chunks)).decode())] == ["e1"]  # type: ignore[operator]
    answer.close()


@pytest.mark.parametrize("by_header", [True, False])
def test_a_listener_goes_on_where_it_was(
    api: Caller, feed: RedisFeed, tenant: str, by_header: bool
) -> None:
    feed.deliver(tenant, events(range(6)))
    last = list(parse(text_of(api.get(f"{PATH}?after=0-0"))))[2].id
    if by_header:
        # Whoever comes back asks the same address as before.
        answer = api.get(f"{PATH}?after=0-0", headers={"Last-Event-ID": last})
    else:
        answer = api.get(f"{PATH}?after={last}")
    assert told(answer) == ["e3", "e4", "e5"]


def test_the_beginning_names_the_place(api: Caller, feed: RedisFeed, tenant: str) -> None:
    feed.deliver(tenant, events([0]))
    place = feed.end(tenant)
    assert f"id: {place}\n\n" in text_of(api.get(PATH))


def test_a_gap_is_told(api: Caller, feed: RedisFeed, tenant: str) -> None:
    feed.deliver(tenant, events([0]))
    found = list(parse(text_of(api.get(f"{PATH}?after=1-1"))))
    assert [one.event for one in found] == ["gap", "prompt_submitted"]


def test_only_one_session_or_kind(api: Caller, feed: RedisFeed, tenant: str) -> None:
    feed.deliver(tenant, [*events([0, 1]), *events([2], session="other")])
    feed.deliver(tenant, events([3], node="Agent"))
    assert told(api.get(f"{PATH}?after=0-0&session_id=other")) == ["e2"]
    assert told(api.get(f"{PATH}?after=0-0&kind=node_updated")) == ["e3"]
    assert told(api.get(f"{PATH}?after=0-0&kind=node_updated&session_id=other")) == []


def test_what_nobody_wants_does_not_hold_up(
    serve: Serve, feed: RedisFeed, tenant: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "POLL_S", 3_600.0)  # whoever waits once never ends
    api = serve(redis_url, limits=WIDE)
    feed.deliver(tenant, [*events(range(2_000), session="other"), *events([2_000])])
    answer = api.get(f"{PATH}?after=0-0&session_id=s")
    chunks = iter(answer.response)
    next(chunks)
    assert [one.data["id"] for one in parse(next(chunks).decode())] == ["e2000"]  # type: ignore[union-attr]
    answer.close()


def test_tenants_are_apart(
    api: Caller, serve: Serve, feed: RedisFeed, tenant: str, redis_url: str
) -> None:
    feed.deliver(f"{tenant}-other", events([0]))
    feed.deliver(tenant, events([1]))
    assert told(api.get(f"{PATH}?after=0-0")) == ["e1"]


def test_a_caller_hears_only_of_what_it_may_read(api: Caller, feed: RedisFeed, tenant: str) -> None:
    feed.deliver(tenant, [*events([0]), *events([1], node="Agent"), *events([2], node="Tenant")])
    access = api.app.extensions["memgraph"].access
    narrow = (Permission.READ_CONVERSATIONS,)
    _, key = access.create_key(tenant, name="n", roles=[Role.ADMIN], scopes=narrow)
    assert told(Caller(api.app, key).get(f"{PATH}?after=0-0")) == ["e0"]
    assert told(api.get(f"{PATH}?after=0-0")) == ["e0", "e1", "e2"]


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("after=yesterday", {}),
        ("after=1-99999999999999999999", {}),
        ("kind=nonsense", {}),
        ("more=1", {}),
        ("", {"Last-Event-ID": "yesterday"}),
    ],
)
def test_bad_questions(api: Caller, query: str, headers: dict[str, str]) -> None:
    answer = api.get(f"{PATH}?{query}", headers=headers)
    assert answer.status_code == 422
    assert "yesterday" not in answer.text


def test_so_many_streams_and_no_more(api: Caller) -> None:
    one, two = api.get(PATH), api.get(PATH)
    refused = api.get(PATH)
    assert refused.status_code == 503
    assert refused.json["code"] == "overloaded"
    assert "Retry-After" in refused.headers
    # Never read, and closed all the same.
    one.close()
    assert api("HEAD", PATH).status_code == 200
    two.close()
    for _ in range(3):
        api.get(PATH).close()


def test_a_stream_ends_after_a_while(serve: Serve, redis_url: str) -> None:
    api = serve(redis_url, limits=WIDE, api=ApiSettings(event_stream_s=0.6))
    began = time.monotonic()
    assert list(parse(api.get(PATH).text)) == []
    assert 0.5 < time.monotonic() - began < 60


def test_a_stream_ends_when_the_worker_stops(serve: Serve, redis_url: str) -> None:
    api = serve(redis_url, limits=WIDE)
    answer = api.get(PATH)
    chunks = iter(answer.response)
    next(chunks)
    _streams(api.app).stopping.set()
    began = time.monotonic()
    assert list(chunks) == []
    assert time.monotonic() - began < 60
    answer.close()


def test_heartbeats_tell_that_nothing_came_and_how_far_it_looked(
    serve: Serve, feed: RedisFeed, tenant: str, redis_url: str
) -> None:
    api = serve(redis_url, limits=WIDE)
    _streams(api.app).heartbeat_s = 0.0
    feed.deliver(tenant, events([0], session="other"))
    answer = api.get(f"{PATH}?after=0-0&session_id=s")
    chunks = iter(answer.response)
    next(chunks)
    assert next(chunks) == f": still here\nid: {feed.end(tenant)}\n\n".encode()
    assert next(chunks) == b": still here\n\n"
    answer.close()


def test_a_stream_outlives_a_feed_that_goes_away(
    serve: Serve, tenant: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_streams, "POLL_S", 0.01)
    api = serve(redis_url, limits=WIDE)
    services = api.app.extensions["memgraph"]
    answer = api.get(PATH)
    chunks = iter(answer.response)
    next(chunks)
    link: RedisLink = services.feed._link
    link._away_until = time.monotonic() + 0.2
    other = RedisLink(redis_url)
    RedisFeed(other, most=100, keep_s=60).deliver(tenant, events([7]))
    assert b'"e7"' in next(chunks)  # type: ignore[operator]
    answer.close()
    other.close()


def test_without_redis_it_says_what_to_do(serve: Serve) -> None:
    answer = serve(limits=WIDE).get(PATH)
    assert answer.status_code == 503
    assert "MEMGRAPH_REDIS__URL" in answer.json["detail"]


def test_a_redis_that_is_away(serve: Serve, closed_port: Any) -> None:
    api = serve(f"redis://127.0.0.1:{closed_port()}/0", limits=WIDE)
    assert api.get(PATH).status_code == 503
    # The place that was taken for it is free again.
    assert _streams(api.app)._open == 0


def test_the_document_says_what_it_is(api: Caller) -> None:
    document = api.get("/openapi.json").json
    described = document["paths"]["/api/v1/events/stream"]["get"]
    assert list(described["responses"]["200"]["content"]) == ["text/event-stream"]
    names = {p["$ref"].rpartition("/")[2] for p in described["parameters"] if "$ref" in p}
    assert "Last-Event-ID" in names


def _streams(app: Flask) -> Streams:
    with app.app_context():
        return Streams.current()
