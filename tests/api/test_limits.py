"""What a request may cost: how often, how large, how deep, how long."""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from memgraph.api import limits
from memgraph.domain.access import Role
from memgraph.domain.errors import InvalidInput
from memgraph.graph.session import Graph
from memgraph.settings import ApiSettings
from tests.api.conftest import WIDE, Caller, Serve

SLOW = 0.01
"""Requests a second: none comes back during a test."""


def retry_after(answer: TestResponse) -> int:
    assert answer.status_code == 429, answer.text
    assert answer.json["code"] == "rate_limited"
    return int(answer.headers["Retry-After"])


class TestRates:
    def test_a_client_has_a_burst(self, serve: Serve) -> None:
        api = serve(limits={"client_per_s": SLOW, "client_burst": 3})
        answers = [api.get("/sessions/none") for _ in range(4)]
        assert [a.status_code for a in answers] == [404, 404, 404, 429]
        assert 60 <= retry_after(answers[-1]) <= 100
        first = answers[0].headers
        assert first["RateLimit-Policy"] == '"client";q=3;w=300, "tenant";q=20000;w=2'
        assert first["RateLimit"].startswith('"client";r=2;t=100, "tenant";r=19999;t=1')
        assert answers[-1].headers["RateLimit"].startswith('"client";r=0;t=')

    def test_clients_of_a_tenant_share_its_bucket(self, serve: Serve, tenant: str) -> None:
        api = serve(limits={"tenant_per_s": SLOW, "tenant_burst": 3})
        services = api.app.extensions["memgraph"]
        _, key = services.access.create_key(tenant, name="second", roles=[Role.ADMIN])
        second = Caller(api.app, key)
        answers = [one.get("/sessions/none").status_code for one in (api, second, api, second)]
        assert answers == [404, 404, 404, 429]

    def test_one_tenant_does_not_slow_another(self, serve: Serve, tenant: str) -> None:
        api = serve(limits={"client_per_s": SLOW, "client_burst": 1})
        services = api.app.extensions["memgraph"]
        _, key = services.access.create_key(f"{tenant}-2", name="x", roles=[Role.ADMIN])
        assert [api.get("/sessions/none").status_code for _ in range(2)] == [404, 429]
        assert Caller(api.app, key).get("/sessions/none").status_code == 404

    def test_a_tenant_may_have_limits_of_its_own(
        self, serve: Serve, graph: Graph, tenant: str
    ) -> None:
        set_limits(graph, tenant, '{"client_burst": 2, "client_per_s": 0.01, "unknown": 1}')
        api = serve()
        assert [api.get("/sessions/none").status_code for _ in range(3)] == [404, 404, 429]

    @pytest.mark.parametrize("wrong", ['{"client_burst": -1}', '{"client_burst": "x"}', "[]"])
    def test_wrong_limits_of_a_tenant_do_not_count(
        self, serve: Serve, graph: Graph, tenant: str, wrong: str
    ) -> None:
        set_limits(graph, tenant, wrong)
        answer = serve().get("/sessions/none")
        assert answer.headers["RateLimit-Policy"].startswith('"client";q=200;w=2')

    def test_workers_share_buckets_in_redis(self, serve: Serve, redis_url: str) -> None:
        said = {"client_per_s": SLOW, "client_burst": 2}
        one, other = (serve(redis_url, limits=said) for _ in range(2))
        other = Caller(other.app, one.credential)
        answers = [api.get("/sessions/none").status_code for api in (one, other, one)]
        assert answers == [404, 404, 429]

    def test_an_address_is_counted_before_anybody_is_let_in(self, serve: Serve) -> None:
        api = serve(limits={"address_per_s": SLOW, "address_burst": 2})
        stranger = Caller(api.app, "mg_wrong")
        assert [stranger.get("/sessions/s").status_code for _ in range(3)] == [401, 401, 429]
        assert api.get("/sessions/none").status_code == 429
        elsewhere = {"REMOTE_ADDR": "10.0.0.9"}
        assert api.get("/sessions/none", environ_base=elsewhere).status_code == 404
        assert api.get("/healthz/live").status_code == 200

    def test_a_made_up_address_does_not_count(self, serve: Serve) -> None:
        api = serve(limits={"address_per_s": SLOW, "address_burst": 1})
        answers = [
            api.get("/sessions/none", headers={"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(2)
        ]
        assert [a.status_code for a in answers] == [404, 429]

    def test_a_trusted_proxy_names_the_address(self, serve: Serve) -> None:
        api = serve(limits={"address_per_s": SLOW, "address_burst": 1, "trusted_proxies": 1})
        answers = [
            api.get("/sessions/none", headers={"X-Forwarded-For": f"9.9.9.9, 10.0.0.{n % 2}"})
            for n in range(3)
        ]
        assert [a.status_code for a in answers] == [404, 404, 429]

    def test_of_ipv6_the_network_counts(self) -> None:
        assert limits.address_of("2001:db8::1") == limits.address_of("2001:db8::ffff:1")
        assert limits.address_of("2001:db8::1") != limits.address_of("2001:db8:0:1::1")
        assert limits.address_of("10.0.0.1") != limits.address_of("10.0.0.2")
        assert limits.address_of(None) == ""


def set_limits(graph: Graph, tenant: str, said: str) -> None:
    graph.write(
        lambda tx: tx.run(
            "MERGE (t:Tenant {tenant_id: $tenant_id}) SET t.limits = $said",
            tenant_id=tenant,
            said=said,
        ).consume()
    )


def send(api: Caller, data: bytes, **headers: str) -> TestResponse:
    headers = {"Content-Type": "application/json", **headers}
    return api("POST", "/sessions/s/prompts", data=data, headers=headers)


def prompt(text: str) -> bytes:
    return json.dumps({"prompt": {"text": text}}).encode()


SMALL = {"packed_bytes": 20_000, "body_bytes": 100_000}


class TestBodies:
    @pytest.fixture
    def api(self, serve: Serve) -> Caller:
        return serve(limits=SMALL)

    def test_gzip_is_taken(self, api: Caller) -> None:
        answer = send(api, gzip.compress(prompt("packed")), **{"Content-Encoding": "gzip"})
        assert answer.status_code == 201
        assert api.get(f"/prompts/{answer.json['id']}").json["text"] == "packed"

    @pytest.mark.parametrize("encoding", ["identity", "GZIP", " gzip , identity"])
    def test_names_of_encodings(self, api: Caller, encoding: str) -> None:
        body = prompt("x") if encoding == "identity" else gzip.compress(prompt("x"))
        assert send(api, body, **{"Content-Encoding": encoding}).status_code == 201

    @pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd", "x"])
    def test_other_encodings_are_refused(self, api: Caller, encoding: str) -> None:
        answer = send(api, gzip.compress(prompt("x")), **{"Content-Encoding": encoding})
        assert (answer.status_code, answer.json["code"]) == (415, "unsupported_media")

    def test_a_long_body(self, api: Caller) -> None:
        answer = send(api, prompt("x" * 20_001))
        assert (answer.status_code, answer.json["code"]) == (413, "too_large")

    def test_a_long_body_that_does_not_say_so(self, api: Caller) -> None:
        endless = io.BytesIO(prompt("x" * 1_000_000))
        answer = api(
            "POST",
            "/sessions/s/prompts",
            input_stream=endless,
            headers={"Content-Type": "application/json", "Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert answer.status_code == 413
        assert endless.tell() < 200_000

    def test_a_bomb_is_cut_off(self, api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        packed = gzip.compress(b" " * 18_000_000)
        assert len(packed) < SMALL["packed_bytes"]
        inflated: list[int] = []
        unpack = limits._Body._unpack

        def counting(self: limits._Body, inflate: Any) -> bytes:
            data = unpack(self, inflate)
            inflated.append(len(data))
            return data

        monkeypatch.setattr(limits._Body, "_unpack", counting)
        answer = send(api, packed, **{"Content-Encoding": "gzip"})
        assert (answer.status_code, answer.json["code"]) == (413, "too_large")
        assert SMALL["body_bytes"] < sum(inflated) <= SMALL["body_bytes"] + limits.CHUNK

    def test_a_ratio_of_no_honest_body(self, serve: Serve) -> None:
        api = serve(limits={"packing_ratio": 50})
        packed = gzip.compress(prompt("x" * 3_000_000))
        answer = send(api, packed, **{"Content-Encoding": "gzip"})
        assert answer.status_code == 413
        assert "50 times" in answer.json["detail"]

    @pytest.mark.parametrize(
        "data",
        [
            b"no gzip",
            b"",
            gzip.compress(prompt("x"))[:-4],
            gzip.compress(prompt("x")) + b"more",
            gzip.compress(prompt("x")) * 2,
            gzip.compress(prompt("x"))[:20] + b"\x00" * 30,
        ],
        ids=["text", "nothing", "cut", "more", "twice", "broken"],
    )
    def test_broken_gzip(self, api: Caller, data: bytes) -> None:
        answer = send(api, data, **{"Content-Encoding": "gzip"})
        assert (answer.status_code, answer.json["errors"][0]["field"]) == (422, "body")

    def test_slow_senders_leave_threads_to_others(self, serve: Serve) -> None:
        api = serve(api={"threads": 4})
        begun, go_on = threading.Semaphore(0), threading.Event()

        class Slow(io.BytesIO):
            def readinto(self, buffer: Any) -> int:
                begun.release()
                assert go_on.wait(60)
                return super().readinto(buffer)

        def slowly(_: int) -> int:
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            sent = api("POST", "/sessions/s/prompts", input_stream=Slow(body), headers=headers)
            return sent.status_code

        body = prompt("slow")
        with ThreadPoolExecutor(2) as pool:
            slow = [pool.submit(slowly, n) for n in range(2)]
            assert all(begun.acquire(timeout=60) for _ in slow)
            refused = send(api, prompt("x"))
            read = api.get("/sessions/none")
            go_on.set()
            assert [one.result() for one in slow] == [201, 201]
        assert (refused.status_code, refused.json["code"]) == (503, "overloaded")
        assert refused.headers["Retry-After"] == "1"
        assert read.status_code == 404
        assert send(api, prompt("x")).status_code == 201

    @pytest.mark.parametrize("depth", [65, 5_000])
    def test_deep_json_is_not_parsed(self, api: Caller, depth: int) -> None:
        body = b'{"prompt": {"text": "x"}, "metadata": ' + b"[" * depth + b"]" * depth + b"}"
        answer = send(api, body)
        assert answer.status_code == 422
        assert "inside each other" in answer.json["errors"][0]["rule"]

    def test_brackets_in_texts_are_no_depth(self, api: Caller) -> None:
        assert send(api, prompt('["' + "[{" * 500)).status_code == 201


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(value=json_values, most=st.integers(1, 6))
def test_depth_is_that_of_the_value(value: Any, most: int) -> None:
    body = json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
    if depth_of(value) > most:
        with pytest.raises(InvalidInput):
            limits.check_depth(body, most)
    else:
        limits.check_depth(body, most)


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(body=st.binary(max_size=200))
def test_any_bytes_have_a_depth(body: bytes) -> None:
    limits.check_depth(body, 200)


@pytest.mark.parametrize("body", [b'"' * 2_000_000, b'"\\' * 1_000_000, b"[]" * 1_000_000])
def test_depth_takes_no_longer_than_the_body(body: bytes) -> None:
    began = time.process_time()
    limits.check_depth(body, 64)
    # By the square of its length it would take hours.
    assert time.process_time() - began < 30


@given(text=st.text(max_size=200), size=st.integers(1, 50), level=st.integers(0, 9))
def test_inflating_gives_what_was_packed(text: str, size: int, level: int) -> None:
    data = text.encode(errors="surrogatepass") * 50
    packer = zlib.compressobj(level, wbits=31)
    packed = packer.compress(data) + packer.flush()

    class Slowly(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            return super().read(size)

    body = limits._Body(Slowly(packed), limits.LimitSettings(), is_packed=True)
    assert body.read() == data


def test_a_question_that_takes_too_long_is_told_so(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = serve()
    readiness = api.app.extensions["memgraph"].readiness
    impatient = readiness.graph.bounded(timeout_s=0.1, stream_timeout_s=0.1)
    endless = "UNWIND range(1, 1000000000000) AS x WITH x WHERE x < 0 RETURN count(x) AS n"
    monkeypatch.setattr(readiness, "check", lambda: impatient.read(endless))
    answer = api.get("/healthz/ready")
    assert (answer.status_code, answer.json["code"]) == (503, "overloaded")
    assert answer.headers["Retry-After"] == "1"


def test_more_than_can_be_answered_are_refused_at_once(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = serve(api=ApiSettings(threads=2), limits=WIDE)
    reader = api.app.extensions["memgraph"].reader
    entered, gate = threading.Semaphore(0), threading.Event()

    def slow(*_: Any, **__: Any) -> dict[str, Any]:
        entered.release()
        assert gate.wait(60)
        return {"session": {}, "prompts": []}

    monkeypatch.setattr(reader, "get_thread", slow)
    with ThreadPoolExecutor(2) as pool:
        busy = [pool.submit(api.get, f"/sessions/{n}/thread") for n in range(2)]
        assert entered.acquire(timeout=60)
        assert entered.acquire(timeout=60)
        refused = api.get("/sessions/3/thread")
        assert (refused.status_code, refused.json["code"]) == (503, "overloaded")
        assert refused.headers["Retry-After"] == "1"
        assert refused.headers["X-Request-ID"] == refused.json["request_id"]
        assert refused.headers["X-API-Version"] == "1"
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert Caller(api.app, None).get("/healthz/live").status_code == 200
        gate.set()
        assert [answer.result().status_code for answer in busy] == [200, 200]
    assert api.get("/sessions/3/thread").status_code == 200
