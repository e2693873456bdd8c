"""What every cache must do, on every implementation."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memgraph.adapters.cache import Entries, InMemoryCache, NoCache, RedisCache, TieredCache
from memgraph.adapters.redis_link import NAMESPACE, RedisLink
from memgraph.services.ports import Cache

TTL_S = 60.0


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4()}"


def entries(most: int = 1_000, most_bytes: int = 1_000_000) -> Entries:
    return Entries(most=most, most_bytes=most_bytes)


@pytest.fixture
def link(redis_url: str) -> Iterator[RedisLink]:
    link = RedisLink(redis_url, timeout_s=60)
    yield link
    link.close()


@pytest.fixture(params=["memory", "redis", "tiered"])
def cache(request: pytest.FixtureRequest, link: RedisLink) -> Cache:
    return {
        "memory": lambda: InMemoryCache(entries()),
        "redis": lambda: RedisCache(link, most_entry_bytes=100_000),
        "tiered": lambda: TieredCache(entries(), link, most_entry_bytes=100_000),
    }[request.param]()


class Source:
    """Something that changes and is slow to compute."""

    def __init__(self) -> None:
        self.value = b"0"
        self.computed = 0

    def __call__(self) -> bytes:
        self.computed += 1
        return self.value


class TestEveryCache:
    def test_computes_once(self, cache: Cache, tenant: str) -> None:
        source = Source()
        for _ in range(3):
            assert cache.cached(tenant, "k", ["a"], TTL_S, source) == b"0"
        figures = cache.figures()
        assert (source.computed, figures.hits, figures.misses) == (1, 2, 1)

    def test_a_write_is_visible_at_once(self, cache: Cache, tenant: str) -> None:
        source = Source()
        for n in range(5):
            source.value = b"%d" % n
            cache.invalidate(tenant, ["b", "other"])
            assert cache.cached(tenant, "k", ["a", "b"], TTL_S, source) == source.value

    def test_other_tags_stay(self, cache: Cache, tenant: str) -> None:
        source = Source()
        cache.cached(tenant, "k", ["a"], TTL_S, source)
        cache.invalidate(tenant, ["b"])
        cache.cached(tenant, "k", ["a"], TTL_S, source)
        assert source.computed == 1

    def test_tenants_and_keys_are_apart(self, cache: Cache, tenant: str) -> None:
        for name, key in ((tenant, "k"), (tenant, "k2"), (tenant + "2", "k"), (tenant + "k", "")):
            value = f"{name} {key}".encode()
            assert cache.cached(name, key, ["a"], TTL_S, lambda value=value: value) == value
        cache.invalidate(tenant, ["a"])
        other = Source()
        cache.cached(tenant + "2", "k", ["a"], TTL_S, other)
        assert other.computed == 0

    def test_what_was_computed_before_a_write_is_not_kept_after_it(
        self, cache: Cache, tenant: str
    ) -> None:
        def slow() -> bytes:
            cache.invalidate(tenant, ["a"])  # somebody writes meanwhile
            return b"stale"

        assert cache.cached(tenant, "k", ["a"], TTL_S, slow) == b"stale"
        assert cache.cached(tenant, "k", ["a"], TTL_S, lambda: b"fresh") == b"fresh"

    def test_errors_pass_and_are_not_kept(self, cache: Cache, tenant: str) -> None:
        def fail() -> bytes:
            raise LookupError

        with pytest.raises(LookupError):
            cache.cached(tenant, "k", ["a"], TTL_S, fail)
        assert cache.cached(tenant, "k", ["a"], TTL_S, lambda: b"x") == b"x"

    def test_an_entry_ends(self, cache: Cache, tenant: str) -> None:
        source = Source()
        cache.cached(tenant, "k", ["a"], 0.05, source)
        time.sleep(0.15)
        cache.cached(tenant, "k", ["a"], 0.05, source)
        assert source.computed == 2

    def test_what_is_too_long_is_not_kept(self, cache: Cache, tenant: str) -> None:
        long = b"x" * 2_000_000
        for _ in range(2):
            assert cache.cached(tenant, "k", ["a"], TTL_S, lambda: long) == long
        assert cache.figures().misses == 2

    def test_writers_and_readers_at_once_never_see_the_past(
        self, cache: Cache, tenant: str
    ) -> None:
        written = [0]
        stop, has_read = threading.Event(), threading.Event()

        def read() -> int:
            reads = 0
            while not stop.is_set():
                before = written[0]
                seen = int(cache.cached(tenant, "k", ["a"], TTL_S, lambda: b"%d" % written[1]))
                assert seen >= before
                reads += 1
                has_read.set()
            return reads

        written.append(0)
        with ThreadPoolExecutor(4) as pool:
            readers = [pool.submit(read) for _ in range(4)]
            assert has_read.wait(60)  # else a fast writer would be done before anybody reads
            for n in range(1, 300):
                written[1] = n  # commits
                cache.invalidate(tenant, ["a"])
                written[0] = n  # answers its writer
            stop.set()
            assert sum(reader.result() for reader in readers) > 0


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.booleans(), st.sampled_from("abc")), max_size=40))
def test_any_order_of_reads_and_writes_in_little_memory(steps: list[tuple[bool, str]]) -> None:
    cache = InMemoryCache(entries(most=2, most_bytes=40))
    values = dict.fromkeys("abc", 0)
    for is_write, tag in steps:
        if is_write:
            values[tag] += 1
            cache.invalidate("t", [tag])
        else:
            read = cache.cached("t", tag, [tag], TTL_S, lambda tag=tag: b"%d" % values[tag])
            assert int(read) == values[tag]


class TestMemory:
    def test_is_bounded_in_number_and_bytes(self) -> None:
        kept = entries(most=3, most_bytes=10)
        for n in range(5):
            kept.put(f"{n}", b"abc", TTL_S)
        assert [n for n in range(5) if kept.find(f"{n}")] == [2, 3, 4]
        kept.put("long", b"x" * 8, TTL_S)
        assert [n for n in range(5) if kept.find(f"{n}")] == []
        assert kept.find("long") == b"x" * 8

    def test_what_was_asked_for_stays(self) -> None:
        kept = entries(most=2)
        for name in ("a", "b"):
            kept.put(name, b"x", TTL_S)
        kept.find("a")
        kept.put("c", b"x", TTL_S)
        assert [n for n in "abc" if kept.find(n)] == ["a", "c"]

    def test_no_cache_keeps_nothing(self) -> None:
        cache, source = NoCache(), Source()
        for _ in range(2):
            cache.cached("t", "k", ["a"], TTL_S, source)
        cache.invalidate("t", ["a"])
        assert (source.computed, cache.figures().misses) == (2, 2)


class TestRedis:
    def test_processes_see_each_others_writes(self, redis_url: str, tenant: str) -> None:
        links = [RedisLink(redis_url, timeout_s=60) for _ in range(2)]
        one, other = (TieredCache(entries(), link, most_entry_bytes=1_000) for link in links)
        one.invalidate(tenant, ["first call"])
        other.invalidate(tenant, ["first call"])
        source = Source()
        for cache in (one, other, one, other):
            cache.cached(tenant, "k", ["a"], TTL_S, source)
        assert source.computed == 1
        one.invalidate(tenant, ["a"])
        source.value = b"1"
        assert other.cached(tenant, "k", ["a"], TTL_S, source) == b"1"
        for link in links:
            link.close()

    def test_a_lost_stamp_loses_the_entry_and_never_brings_one_back(
        self, redis_url: str, link: RedisLink, tenant: str
    ) -> None:
        cache = RedisCache(link, most_entry_bytes=1_000)
        cache.cached(tenant, "k", ["a"], TTL_S, lambda: b"old")
        with redis.Redis.from_url(redis_url) as client:
            for name in client.scan_iter(f"{NAMESPACE}stamp:*"):
                client.delete(name)
        assert cache.cached(tenant, "k", ["a"], TTL_S, lambda: b"new") == b"new"

    def test_names_say_nothing(self, redis_url: str, link: RedisLink, tenant: str) -> None:
        RedisCache(link, most_entry_bytes=1_000).cached(
            tenant, "canary-key", ["canary-tag"], TTL_S, lambda: b"x"
        )
        with redis.Redis.from_url(redis_url) as client:
            names = b" ".join(client.scan_iter(f"{NAMESPACE}*"))
        assert names
        assert b"canary" not in names
        assert tenant.encode() not in names


class Gate:
    """A port that leads to Redis, or to nothing."""

    def __init__(self, redis_url: str) -> None:
        self._target = redis.connection.parse_url(redis_url)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.is_open = True
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        port = self._listener.getsockname()[1]
        return f"redis://:{self._target.get('password') or ''}@127.0.0.1:{port}/0"

    def shut(self) -> None:
        self.is_open = False
        for one in self._open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self.shut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if not self.is_open:
                client.close()
                continue
            server = socket.create_connection((self._target["host"], self._target["port"]))
            self._open += [client, server]
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with source:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


@pytest.fixture
def gate(redis_url: str) -> Iterator[Gate]:
    gate = Gate(redis_url)
    yield gate
    gate.close()


class TestRedisAway:
    def test_computes_counts_and_tells_later(self, gate: Gate, tenant: str) -> None:
        link = RedisLink(gate.url, pause_s=0.1)
        cache = TieredCache(entries(), link, most_entry_bytes=1_000)
        source = Source()
        cache.cached(tenant, "k", ["a"], TTL_S, source)
        gate.shut()
        source.value = b"1"
        cache.invalidate(tenant, ["a"])  # cannot be told
        assert cache.cached(tenant, "k", ["a"], TTL_S, source) == b"1"
        assert cache.figures().failures >= 1
        gate.is_open = True
        time.sleep(0.15)
        assert cache.cached(tenant, "k", ["a"], TTL_S, source) == b"1"
        assert cache.cached(tenant, "k", ["a"], TTL_S, lambda: b"never") == b"1"
        link.close()

    def test_nobody_waits_for_one_that_does_not_answer(self, tenant: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as deaf:
            url = f"redis://127.0.0.1:{deaf.getsockname()[1]}/0"
            link = RedisLink(url, timeout_s=0.1, pause_s=60)
            cache = RedisCache(link, most_entry_bytes=1_000)
            for n in range(100):
                assert cache.cached(tenant, f"{n}", ["a"], TTL_S, lambda: b"x") == b"x"
            # The first has waited, and the others did not ask.
            assert link.failures == 1
            link.close()
