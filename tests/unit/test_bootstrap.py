"""Which servers the settings lead to."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from memgraph import local
from memgraph.domain.errors import StackError
from memgraph.endpoints import kafka_brokers, redis_url
from memgraph.local import StackState
from memgraph.local.state import now
from memgraph.sections import KafkaSettings
from memgraph.settings import Neo4jSettings, RedisSettings, Settings

LOCAL, CONFIGURED = "redis://:p@127.0.0.1:1/0", "redis://elsewhere:6379/3"
BROKER = "127.0.0.1:9092"


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    state = StackState(tmp_path, "bolt://x", None, "neo4j", "p", LOCAL, BROKER, {}, now())
    monkeypatch.setattr(local, "find", lambda _: state)


def test_the_redis_of_the_stack_goes_with_its_neo4j() -> None:
    assert redis_url(Settings()) == LOCAL
    assert redis_url(Settings(neo4j=Neo4jSettings(uri="bolt://elsewhere"))) == ""


def test_the_configured_redis_comes_first() -> None:
    redis = RedisSettings(url=SecretStr(CONFIGURED))
    assert redis_url(Settings(redis=redis)) == CONFIGURED
    assert (
        redis_url(Settings(redis=redis, neo4j=Neo4jSettings(uri="bolt://elsewhere"))) == CONFIGURED
    )
    assert CONFIGURED not in repr(Settings(redis=redis))


def test_the_broker_of_the_stack_goes_with_its_neo4j(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kafka_brokers(Settings()) == BROKER
    elsewhere = Neo4jSettings(uri="bolt://elsewhere")
    with pytest.raises(StackError, match="--with-kafka"):
        kafka_brokers(Settings(neo4j=elsewhere))
    configured = KafkaSettings(brokers="a:1,b:2")
    assert kafka_brokers(Settings(neo4j=elsewhere, kafka=configured)) == "a:1,b:2"
    monkeypatch.setattr(local, "find", lambda _: None)
    with pytest.raises(StackError):
        kafka_brokers(Settings())
