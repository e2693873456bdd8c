"""The feed: what one process keeps, every other one shows, tenant by tenant."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from memgraph.adapters.feed import BEGINNING, TOGETHER, RedisFeed
from memgraph.adapters.redis_link import NAMESPACE, RedisLink
from memgraph.domain.errors import StreamUnavailable
from memgraph.services.ports import OutgoingEvent


def event(number: int, session: str | None = "s") -> OutgoingEvent:
    body = b'{"number":%d}' % number
    return OutgoingEvent(f"id-{number}", "s", "prompt_submitted", "Prompt", session, body)


@pytest.fixture
def link(redis_url: str) -> Iterator[RedisLink]:
    link = RedisLink(redis_url, timeout_s=60)
    yield link
    link.close()


@pytest.fixture
def feed(link: RedisLink) -> RedisFeed:
    return RedisFeed(link, most=100, keep_s=60)


def bodies(feed: RedisFeed, tenant: str, after: str = BEGINNING, most: int = 10_000) -> list[bytes]:
    return [fed.body for fed in feed.read(tenant, after, most)]


def test_what_is_delivered_is_read_in_order(feed: RedisFeed, tenant: str) -> None:
    feed.deliver(tenant, [event(0), event(1, None)])
    feed.deliver(tenant, [event(2)])
    one, two, three = feed.read(tenant, BEGINNING, 10)
    assert [fed.body for fed in (one, two, three)] == [event(n).body for n in range(3)]
    assert (one.kind, one.node_type, one.session_id) == ("prompt_submitted", "Prompt", "s")
    assert two.session_id is None
    assert feed.read(tenant, one.place, 1) == [two]
    assert feed.read(tenant, three.place, 10) == []
    assert feed.end(tenant) == three.place


def test_nothing_came_yet(feed: RedisFeed, tenant: str) -> None:
    assert feed.end(tenant) == BEGINNING
    assert feed.read(tenant, BEGINNING, 10) == []
    feed.deliver(tenant, [])
    assert feed.end(tenant) == BEGINNING
    assert feed.is_complete(tenant, BEGINNING)


def test_tenants_have_feeds_of_their_own(feed: RedisFeed, tenant: str) -> None:
    feed.deliver(tenant, [event(0)])
    assert bodies(feed, f"{tenant}:other") == []
    assert bodies(feed, tenant) == [event(0).body]


def test_the_oldest_go_when_there_are_too_many(feed: RedisFeed, tenant: str) -> None:
    feed.deliver(tenant, [event(0)])
    first = feed.end(tenant)
    assert feed.is_complete(tenant, first)
    feed.deliver(tenant, [event(n) for n in range(1, 3 * TOGETHER)])
    kept = bodies(feed, tenant)
    assert 100 <= len(kept) < TOGETHER
    assert kept[-1] == event(3 * TOGETHER - 1).body
    assert not feed.is_complete(tenant, first)
    assert feed.is_complete(tenant, feed.end(tenant))


def test_a_silent_feed_goes(feed: RedisFeed, link: RedisLink, tenant: str) -> None:
    feed.deliver(tenant, [event(0)])
    left = link.call(lambda client: client.ttl(f"{NAMESPACE}feed:{tenant}"))
    assert 0 < left <= 60


def test_a_redis_that_is_away_is_told_of(tenant: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    link = RedisLink(f"redis://127.0.0.1:{port}/0", pause_s=0)
    feed = RedisFeed(link, most=100, keep_s=60)
    with pytest.raises(StreamUnavailable):
        feed.deliver(tenant, [event(0)])
    with pytest.raises(StreamUnavailable):
        feed.read(tenant, BEGINNING, 1)
    link.close()
