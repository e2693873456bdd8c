"""OTLP by gRPC: what is taken, what is answered, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import grpc
import orjson
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from memgraph.bootstrap import App
from memgraph.domain.access import Role
from memgraph.domain.errors import Overloaded
from memgraph.rpc.otlp import DETAILS, serve
from tests.api.conftest import CallerAs

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
Export = Callable[..., bytes]


@pytest.fixture
def export(parts: App) -> Iterator[Export]:
    """Send bytes to a method, with a credential or none."""
    server, port = serve(parts.services, "127.0.0.1:0")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:

        def send(credential: str | None, body: bytes, method: str = TRACES) -> bytes:
            metadata = (("authorization", f"Bearer {credential}"),) if credential else ()
            answer: bytes = channel.unary_unary(method)(body, metadata=metadata, timeout=30)
            return answer

        yield send
    server.stop(None).wait()


def request(**more: Any) -> bytes:
    message = ExportTraceServiceRequest()
    span = {
        "trace_id": b"\x0a" * 16,
        "span_id": b"\x0b" * 8,
        "name": "chat auster-mini",
        "start_time_unix_nano": 1_767_605_400_000_000_000,
        **more,
    }
    made = message.resource_spans.add().scope_spans.add().spans.add(**span)
    said = [{"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]}]
    for key, value in {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "auster-mini",
        "gen_ai.conversation.id": "s-grpc",
        "gen_ai.input.messages": orjson.dumps(said).decode(),
    }.items():
        made.attributes.add(key=key).value.string_value = value
    return bytes(message.SerializeToString())


def refused(export: Export, *sent: Any) -> tuple[grpc.StatusCode, grpc.RpcError]:
    with pytest.raises(grpc.RpcError) as raised:
        export(*sent)
    return raised.value.code(), raised.value


@pytest.fixture
def key(caller: CallerAs) -> str:
    credential = caller(Role.SERVICE).credential
    assert credential is not None
    return credential


def test_spans_are_kept(export: Export, parts: App, key: str, tenant: str) -> None:
    assert export(key, request()) == b""
    assert export(key, b"", LOGS) == b""
    assert parts.services.traces.count_waiting(tenant) == 1


def test_what_is_refused_of_a_request_is_told(export: Export, key: str) -> None:
    answer = ExportTraceServiceResponse.FromString(export(key, request(trace_id=b"short")))
    assert answer.partial_success.rejected_spans == 1
    assert "traceId" in answer.partial_success.error_message


def test_a_refusal_has_the_status_of_its_error(export: Export, caller: CallerAs, key: str) -> None:
    assert refused(export, None, b"")[0] is grpc.StatusCode.UNAUTHENTICATED
    assert refused(export, "nobody", b"")[0] is grpc.StatusCode.UNAUTHENTICATED
    reader = caller(Role.DATA_SCIENTIST).credential
    assert refused(export, reader, b"")[0] is grpc.StatusCode.PERMISSION_DENIED
    assert refused(export, key, b"no protobuf")[0] is grpc.StatusCode.INVALID_ARGUMENT


def test_a_refusal_says_when_to_come_back(
    export: Export, parts: App, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise Overloaded("too much", retry_after_s=7)

    monkeypatch.setattr(parts.services.traces.inbox, "keep", refuse)
    code, error = refused(export, key, request())
    assert code is grpc.StatusCode.UNAVAILABLE
    details = dict(error.trailing_metadata())[DETAILS]
    [detail] = Status.FromString(details).details
    retry = RetryInfo()
    assert detail.Unpack(retry)
    assert retry.retry_delay.seconds == 7


def test_a_fault_of_ours_says_nothing_of_what_was_sent(
    export: Export, parts: App, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("content of a caller")

    monkeypatch.setattr(parts.services.traces.inbox, "keep", fail)
    code, error = refused(export, key, request())
    assert code is grpc.StatusCode.INTERNAL
    assert "content" not in error.details()


def test_callers_are_limited(
    export: Export, parts: App, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = parts.services.limits.take

    def refuse(principal: Any) -> Any:
        return replace(take(principal), is_allowed=False)

    monkeypatch.setitem(parts.services.limits.__dict__, "take", refuse)
    assert refused(export, key, b"")[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
