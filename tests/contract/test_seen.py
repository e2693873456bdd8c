"""Events that were seen: memory and Redis behave alike; Redis may go away."""

from __future__ import annotations

import pytest

from memgraph.adapters.redis_link import RedisLink
from memgraph.adapters.seen import InMemorySeenEvents, RedisSeenEvents
from memgraph.services.enrichment.items import SeenEvents


@pytest.fixture(params=["memory", "redis"])
def seen(request: pytest.FixtureRequest) -> SeenEvents:
    if request.param == "memory":
        return InMemorySeenEvents()
    link = RedisLink(request.getfixturevalue("redis_url"))
    request.addfinalizer(link.close)
    return RedisSeenEvents(link)


def test_only_what_was_marked_with_the_same_digest(seen: SeenEvents) -> None:
    seen.mark("t", [("a", b"1"), ("b", b"2")])
    asked = [("a", b"1"), ("b", b"3"), ("c", b"1")]
    assert seen.among("t", asked) == [True, False, False]
    seen.mark("t", [("b", b"3")])
    assert seen.among("t", asked) == [True, True, False]


def test_tenants_never_meet(seen: SeenEvents) -> None:
    seen.mark("t:1", [("x", b"1")])
    seen.mark("t", [("1:x", b"1")])
    assert seen.among("t", [("x", b"1"), ("1:x", b"1")]) == [False, True]
    assert seen.among("u", [("1:x", b"1")]) == [False]


def test_nothing_asked_nothing_told(seen: SeenEvents) -> None:
    seen.mark("t", [])
    assert seen.among("t", []) == []


def test_memory_forgets_the_oldest() -> None:
    seen = InMemorySeenEvents(most=2)
    for id_ in "abc":
        seen.mark("t", [(id_, b"1")])
    assert seen.among("t", [(id_, b"1") for id_ in "abc"]) == [False, True, True]


def test_without_redis_everything_looks_new() -> None:
    link = RedisLink("redis://127.0.0.1:1/0")  # nobody listens on the port of tcpmux
    seen = RedisSeenEvents(link)
    seen.mark("t", [("a", b"1")])
    assert seen.among("t", [("a", b"1")]) == [False]
    assert link.failures == 1
    link.close()
