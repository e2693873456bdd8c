"""The link to Redis: what Redis forgot, and connections that it closed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from memgraph.adapters import redis_link
from memgraph.adapters.redis_link import RedisAway, RedisLink


@pytest.fixture
def link(redis_url: str) -> Iterator[RedisLink]:
    link = RedisLink(redis_url, timeout_s=60, pause_s=0)
    yield link
    link.close()


def test_a_script_that_redis_forgot_is_sent_again(redis_url: str, link: RedisLink) -> None:
    script = "return {KEYS[1], ARGV[1]}"
    assert link.run(script, ["key"], "value") == [b"key", b"value"]
    with redis.Redis.from_url(redis_url) as client:
        client.script_flush()
    assert link.run(script, ["key"], "value") == [b"key", b"value"]
    assert link.failures == 0


def test_a_connection_that_was_closed_is_opened_again(
    redis_url: str, link: RedisLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_link, "TRUSTED_S", 0.0)
    assert link.ask("PING") == b"PONG"
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal")
    assert link.ask("PING") == b"PONG"
    assert link.failures == 0


def test_one_that_was_used_just_now_fails_once(
    redis_url: str, link: RedisLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_link, "TRUSTED_S", 60.0)
    assert link.ask("PING") == b"PONG"
    with redis.Redis.from_url(redis_url) as client:
        client.execute_command("CLIENT", "KILL", "SKIPME", "yes", "TYPE", "normal")
    with pytest.raises(RedisAway):
        link.ask("PING")
    assert link.ask("PING") == b"PONG"


def test_what_redis_refuses_is_a_failure(link: RedisLink) -> None:
    with pytest.raises(RedisAway):
        link.ask("NO SUCH COMMAND")
    assert link.failures == 1
    assert link.ask("PING") == b"PONG"
