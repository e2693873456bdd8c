"""How many processes answer requests."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from memgraph.adapters.cache import NoCache
from memgraph.adapters.shared import open_shared
from memgraph.settings import ApiSettings, Neo4jSettings, RedisSettings, Settings
from memgraph.wsgi import with_workers

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
    decided = with_workers(settings)
    assert decided.api.workers == workers
    # Without Redis, one that has company must not keep answers that the others make stale.
    assert isinstance(open_shared(decided, "").cache, NoCache) is (workers > 1)
