"""OTLP/gRPC: the doors of OpenTelemetry for exporters that speak it, usually on port 4317.

A request is taken as the bytes it came in, exactly as over HTTP. A refusal has the
status of its error; one that is worth a retry says so by `google.rpc.RetryInfo`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc  # type: ignore[import-untyped]
import structlog
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from memgraph.domain.access import Permission, Principal
from memgraph.domain.errors import Forbidden, MemgraphError, RateLimited, Unauthenticated
from memgraph.services.catalogue import Services
from memgraph.services.enrichment.items import MayWrite
from memgraph.services.ingest.formats.otlp.decode import PROTOBUF
from memgraph.services.ingest.traces import Kept

THREADS = 8
WAITING = 2 * THREADS
"""Requests at once, those that wait for a thread included; more are refused."""
DETAILS = "grpc-status-details-bin"

_INTERNAL = "the request failed for a reason that is not yours"
_COLLECTOR = "opentelemetry.proto.collector"

_log = structlog.get_logger()

Keep = Callable[[str, bytes, str, MayWrite], Kept]


def serve(services: Services, address: str) -> tuple[Any, int]:
    """Serve at ``host:port``; the server, to be stopped, and its port. Workers may share one."""
    server = grpc.server(
        ThreadPoolExecutor(THREADS, thread_name_prefix="memgraph-grpc"),
        maximum_concurrent_rpcs=WAITING,
        options=[("grpc.max_receive_message_length", services.settings.limits.body_bytes)],
    )
    traces = services.traces
    doors: tuple[tuple[str, Keep, Callable[[], Any], str], ...] = (
        ("trace.v1.TraceService", traces.keep_spans, ExportTraceServiceResponse, "rejected_spans"),
        (
            "logs.v1.LogsService",
            traces.keep_logs,
            ExportLogsServiceResponse,
            "rejected_log_records",
        ),
    )
    for name, keep, answer, count in doors:
        # Without a deserializer the bytes come as they are.
        handler = grpc.unary_unary_rpc_method_handler(
            _exporting(services, keep, answer, count),
            response_serializer=lambda message: message.SerializeToString(),
        )
        service = f"{_COLLECTOR}.{name}"
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"Export": handler}),)
        )
    port = server.add_insecure_port(address)
    server.start()
    return server, port


def _exporting(
    services: Services, keep: Keep, answer: Callable[[], Any], count: str
) -> Callable[[bytes, Any], Any]:
    def export(body: bytes, context: Any) -> Any:
        try:
            principal = _let_in(services, context)
            kept = keep(principal.tenant_id, body, PROTOBUF, principal.may)
        except MemgraphError as error:
            _refuse(context, error)
        except Exception as error:  # noqa: BLE001 - the outermost handler of a request
            # Messages of foreign errors may quote what was sent.
            _log.error("failed", exception=type(error).__name__)
            context.abort(grpc.StatusCode.INTERNAL, _INTERNAL)
        message = answer()
        if kept.message:
            setattr(message.partial_success, count, kept.rejected)
            message.partial_success.error_message = kept.message
        return message

    return export


def _let_in(services: Services, context: Any) -> Principal:
    """Who asks. Raises Unauthenticated, RateLimited, Forbidden."""
    sent = dict(context.invocation_metadata()).get("authorization", "")
    scheme, _, credential = sent.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("send `authorization: Bearer` with an API key or a token")
    principal = services.access.authenticate(credential.strip())
    decision = services.limits.take(principal)
    if not decision.is_allowed:
        raise RateLimited("too many requests", retry_after_s=decision.retry_after_s)
    if not principal.may(Permission.WRITE_CONVERSATIONS):
        needed = Permission.WRITE_CONVERSATIONS
        raise Forbidden(f"needs the permission {needed}", permission=str(needed))
    return principal


def _refuse(context: Any, error: MemgraphError) -> None:
    """End the call with the status of an error."""
    code = grpc.StatusCode[error.grpc_status]
    message = error.message if error.http_status < 500 or error.retryable else _INTERNAL
    if error.retryable:
        retry = RetryInfo()
        seconds = error.facts.get("retry_after_s", 1)
        retry.retry_delay.FromMilliseconds(round(float(str(seconds)) * 1_000))
        status = Status(code=code.value[0], message=message)
        status.details.add().Pack(retry)
        context.set_trailing_metadata(((DETAILS, status.SerializeToString()),))
    context.abort(code, message)
