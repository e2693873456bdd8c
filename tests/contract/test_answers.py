"""What every store of answers must do, on every implementation."""

from __future__ import annotations

import socket
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from memgraph.adapters.answers import InMemoryAnswerStore, RedisAnswerStore
from memgraph.adapters.redis_link import RedisLink
from memgraph.services.ports import AnswerStore, Held


@pytest.fixture
def link(redis_url: str) -> Iterator[RedisLink]:
    link = RedisLink(redis_url, timeout_s=60)
    yield link
    link.close()


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, link: RedisLink) -> AnswerStore:
    return InMemoryAnswerStore() if request.param == "memory" else RedisAnswerStore(link)


@pytest.fixture
def name() -> str:
    return str(uuid.uuid4())


class TestEveryStore:
    def test_one_holds_a_name(self, store: AnswerStore, name: str) -> None:
        assert store.hold(name, "f", 10) is None
        assert store.hold(name, "g", 10) == Held("f", None)
        assert store.hold(name + "2", "g", 10) is None

    def test_of_many_at_once_one_holds_it(self, store: AnswerStore, name: str) -> None:
        with ThreadPoolExecutor(8) as pool:
            known = list(pool.map(lambda n: store.hold(name, f"{n}", 10), range(16)))
        assert known.count(None) == 1

    def test_an_answer_is_kept(self, store: AnswerStore, name: str) -> None:
        store.hold(name, "f", 10)
        store.keep(name, Held("f", b"line\nline\x00"), 10)
        assert store.hold(name, "g", 10) == Held("f", b"line\nline\x00")

    def test_an_empty_answer_is_one(self, store: AnswerStore, name: str) -> None:
        store.keep(name, Held("f", b""), 10)
        assert store.hold(name, "f", 10) == Held("f", b"")

    def test_a_name_given_back_is_free(self, store: AnswerStore, name: str) -> None:
        store.hold(name, "f", 10)
        store.release(name)
        assert store.hold(name, "g", 10) is None

    def test_holds_and_answers_end(self, store: AnswerStore, name: str) -> None:
        store.hold(name, "f", 0.05)
        store.keep(name + "2", Held("f", b"x"), 0.05)
        time.sleep(0.15)
        assert store.hold(name, "g", 10) is None
        assert store.hold(name + "2", "g", 10) is None


def test_memory_is_bounded() -> None:
    store = InMemoryAnswerStore(most=2)
    for name in "abc":
        store.keep(name, Held("f", b"x"), 10)
    assert [store.hold(name, "g", 10) is None for name in "cba"] == [False, False, True]


def test_without_redis_the_process_keeps_them(name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    link = RedisLink(f"redis://127.0.0.1:{port}/0")
    store = RedisAnswerStore(link)
    assert store.hold(name, "f", 10) is None
    store.keep(name, Held("f", b"x"), 10)
    assert store.hold(name, "f", 10) == Held("f", b"x")
    store.release(name)
    assert store.hold(name, "f", 10) is None
    link.close()
