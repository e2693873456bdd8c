"""What every limiter must do, on every implementation."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph.adapters.limiter import InMemoryLimiter, RedisLimiter
from memgraph.adapters.redis_link import RedisLink
from memgraph.services.ports import Bucket, Limiter

SLOW = 0.01
"""Tokens a second: none comes during a test."""


@pytest.fixture
def link(redis_url: str) -> Iterator[RedisLink]:
    link = RedisLink(redis_url, timeout_s=60)
    yield link
    link.close()


@pytest.fixture(params=["memory", "redis"])
def limiter(request: pytest.FixtureRequest, link: RedisLink) -> Limiter:
    return InMemoryLimiter() if request.param == "memory" else RedisLimiter(link)


def bucket(per_s: float = SLOW, burst: int = 3, name: str = "client") -> Bucket:
    return Bucket(name, str(uuid.uuid4()), per_s, burst)


class TestEveryLimiter:
    def test_a_burst_and_no_more(self, limiter: Limiter) -> None:
        one = bucket(burst=3)
        decisions = [limiter.take([one]) for _ in range(5)]
        assert [d.is_allowed for d in decisions] == [True, True, True, False, False]
        assert [d.levels[0].remaining for d in decisions] == [2, 1, 0, 0, 0]
        assert decisions[0].retry_after_s == 0
        assert 90 < decisions[-1].retry_after_s <= 100
        assert 290 < decisions[-1].levels[0].full_in_s <= 300

    def test_tokens_come_back(self, limiter: Limiter) -> None:
        one = bucket(per_s=20, burst=1)
        assert limiter.take([one]).is_allowed
        # On a slow machine one may have come back before it is asked for.
        while (refused := limiter.take([one])).is_allowed:
            pass
        assert 0 < refused.retry_after_s <= 0.05
        time.sleep(refused.retry_after_s + 0.02)
        assert limiter.take([one]).is_allowed

    def test_waiting_long_fills_no_more_than_the_burst(self, limiter: Limiter) -> None:
        one = bucket(per_s=1_000, burst=2)
        limiter.take([one])
        time.sleep(0.05)
        assert limiter.take([one]).levels[0].remaining == 1

    def test_of_all_buckets_or_of_none(self, limiter: Limiter) -> None:
        wide, narrow = bucket(burst=10), bucket(burst=1, name="tenant")
        assert limiter.take([wide, narrow]).is_allowed
        refused = [limiter.take([wide, narrow]) for _ in range(3)]
        assert not any(d.is_allowed for d in refused)
        assert [level.remaining for level in refused[-1].levels] == [9, 0]
        assert limiter.take([wide]).is_allowed

    def test_keys_and_names_are_apart(self, limiter: Limiter) -> None:
        one = bucket(burst=1)
        assert limiter.take([one]).is_allowed
        assert limiter.take([Bucket("tenant", one.key, SLOW, 1)]).is_allowed
        assert limiter.take([bucket(burst=1)]).is_allowed
        assert not limiter.take([one]).is_allowed

    def test_callers_at_once_share_the_tokens(self, limiter: Limiter) -> None:
        one = bucket(burst=50)
        with ThreadPoolExecutor(8) as pool:
            allowed = list(pool.map(lambda _: limiter.take([one]).is_allowed, range(200)))
        assert sum(allowed) == 50


@given(
    per_s=st.floats(0.5, 100),
    burst=st.integers(1, 50),
    waits=st.lists(st.floats(0, 3), min_size=1, max_size=100),
)
def test_never_more_than_the_burst_and_what_came_since(
    per_s: float, burst: int, waits: list[float]
) -> None:
    now = [0.0]
    limiter = InMemoryLimiter(lambda: now[0])
    one = bucket(per_s, burst)
    allowed = 0
    for wait in waits:
        now[0] += wait
        decision = limiter.take([one])
        allowed += decision.is_allowed
        assert 0 <= decision.levels[0].remaining <= burst
        if not decision.is_allowed:
            now[0] += decision.retry_after_s + 1e-6
            assert limiter.take([one]).is_allowed
            allowed += 1
    assert allowed <= burst + now[0] * per_s + 1e-6


class TestRedis:
    def test_processes_share_the_buckets(self, redis_url: str) -> None:
        links = [RedisLink(redis_url, timeout_s=60) for _ in range(2)]
        one = bucket(burst=2)
        allowed = [RedisLimiter(links[n % 2]).take([one]).is_allowed for n in range(4)]
        assert allowed == [True, True, False, False]
        for link in links:
            link.close()

    def test_who_asks_often_takes_ahead(
        self, link: RedisLink, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("memgraph.adapters.limiter.LEASE_S", 60.0)
        asked = 0
        run = link.run

        def counting(*arguments: Any) -> Any:
            nonlocal asked
            asked += 1
            return run(*arguments)

        monkeypatch.setattr(link, "run", counting)
        limiter, one = RedisLimiter(link), bucket(per_s=1_000, burst=10_000)
        decisions = [limiter.take([one]) for _ in range(200)]
        assert all(d.is_allowed for d in decisions)
        assert asked < 50
        # What is told counts what was taken ahead as still there.
        assert decisions[-1].levels[0].remaining >= 10_000 - 200

    def test_together_they_take_no_more_than_there_is(self, redis_url: str) -> None:
        links = [RedisLink(redis_url, timeout_s=60) for _ in range(2)]
        limiters = [RedisLimiter(link) for link in links]
        one = bucket(per_s=100, burst=60)
        began = time.monotonic()
        allowed = sum(limiters[n % 2].take([one]).is_allowed for n in range(400))
        assert allowed <= 60 + 100 * (time.monotonic() - began)
        assert allowed >= 40
        for link in links:
            link.close()

    def test_without_redis_the_process_counts(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        link = RedisLink(f"redis://127.0.0.1:{port}/0")
        limiter, one = RedisLimiter(link), bucket(burst=2)
        assert [limiter.take([one]).is_allowed for _ in range(3)] == [True, True, False]
        assert link.failures >= 1
        link.close()
