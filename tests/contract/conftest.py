"""The real Redis and Kafka that implementations of ports are tried on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.redis_server import redis_for_tests
from tests.support.streams import kafka_for_tests


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_for_tests(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="session")
def kafka_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with kafka_for_tests(tmp_path_factory.mktemp("kafka")) as brokers:
        yield brokers
