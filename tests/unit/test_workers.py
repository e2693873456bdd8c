"""How many processes answer requests."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from memgraph.settings import ApiSettings, Neo4jSettings, RedisSettings, Settings
from memgraph.wsgi import workers_of

REDIS = RedisSettings(url=SecretStr("redis://127.0.0.1:1/0"))
ELSEWHERE = Neo4jSettings(uri="bolt://127.0.0.1:1", user="neo4j", password=SecretStr("unused"))


@pytest.mark.parametrize(
    ("said", "redis", "workers"),
    [(0, REDIS, 2), (0, RedisSettings(), 1), (3, RedisSettings(), 3), (1, REDIS, 1)],
)
def test_several_only_where_they_meet_or_are_asked_for(
    tmp_path: Path, said: int, redis: RedisSettings, workers: int
) -> None:
    api = ApiSettings(workers=said)
    settings = Settings(data_dir=tmp_path, neo4j=ELSEWHERE, redis=redis, api=api)
    assert workers_of(settings) == workers
