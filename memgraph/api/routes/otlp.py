"""The doors of OpenTelemetry: OTLP/HTTP at the root, where its exporters send to.

A body of protobuf is answered in protobuf, errors included (`google.rpc.Status`); JSON is
answered in JSON, and its errors are problem documents as everywhere.
"""

from __future__ import annotations

from typing import Any

from flask import Response, g, request
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from pydantic import Field

from memgraph.api import problems
from memgraph.api.answers import Answer
from memgraph.api.operations import Call, RawBody, Routes
from memgraph.api.schemas import Resource
from memgraph.domain.access import Permission
from memgraph.domain.errors import InvalidInput, MemgraphError
from memgraph.services.ingest.formats.otlp.decode import JSON, PROTOBUF
from memgraph.services.ingest.traces import Kept

routes = Routes("otlp", prefix="")

WRITE = Permission.WRITE_CONVERSATIONS


class PartialSuccess(Resource):
    """What was not taken of a body that was taken otherwise."""

    # 64-bit integers are text in the JSON of protobuf.
    rejectedSpans: str | None = Field(None, description="Spans that break a rule.")  # noqa: N815
    rejectedLogRecords: str | None = Field(  # noqa: N815
        None, description="Log records that break a rule."
    )
    errorMessage: str = Field(description="Field and rule of the first.")  # noqa: N815


class ExportOutcome(Resource):
    """What became of a body of OpenTelemetry: empty when all of it was taken."""

    partialSuccess: PartialSuccess | None = Field(  # noqa: N815
        None, description="Present when something was refused; sending it again does not help."
    )


def _body(outer: str) -> RawBody:
    listed = {"type": "array", "items": {"type": "object"}}
    return RawBody({"type": "object", "properties": {outer: listed}}, media=(JSON, PROTOBUF))


@routes.post(
    "/v1/traces",
    permission=WRITE,
    raw=_body("resourceSpans"),
    answers=ExportOutcome,
    example={
        "resourceSpans": [
            {
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "0af7651916cd43dd8448eb211c80319c",
                                "spanId": "b7ad6b7169203331",
                                "name": "chat auster-mini",
                                "startTimeUnixNano": "1767605400000000000",
                                "endTimeUnixNano": "1767605401000000000",
                            }
                        ]
                    }
                ]
            }
        ]
    },
)
def export_traces(call: Call) -> Answer:
    """Take spans of OpenTelemetry. They are kept when it answers, and in the graph soon after."""
    kept = call.services.traces.keep_spans(call.tenant_id, request.get_data(), _media())
    return _answer(ExportTraceServiceResponse(), kept, "rejected_spans")


@routes.post(
    "/v1/logs",
    permission=WRITE,
    raw=_body("resourceLogs"),
    answers=ExportOutcome,
    example={"resourceLogs": []},
)
def export_logs(call: Call) -> Answer:
    """Take log records of OpenTelemetry: messages of spans, and events of this service."""
    may = call.principal.may
    kept = call.services.traces.keep_logs(call.tenant_id, request.get_data(), _media(), may)
    return _answer(ExportLogsServiceResponse(), kept, "rejected_log_records")


@routes.blueprint.errorhandler(MemgraphError)
def _refuse(error: MemgraphError) -> Response:
    # To an exporter 400 is what no retry mends, and it knows of no 422.
    status = 400 if isinstance(error, InvalidInput) else error.http_status
    document = problems.describe(error, g.get("request_id", ""))
    if request.mimetype != PROTOBUF:
        return problems.respond(error, document.model_copy(update={"status": status}))
    packed = Status(message=document.detail).SerializeToString()
    return problems.with_headers(error, Response(packed, status, mimetype=PROTOBUF))


def _media() -> str:
    return request.mimetype or JSON


def _answer(message: Any, kept: Kept, count: str) -> Answer:
    """The answer that the protocol has, in the media type of the request."""
    if kept.message:
        setattr(message.partial_success, count, kept.rejected)
        message.partial_success.error_message = kept.message
    if request.mimetype == PROTOBUF:
        return Answer(chunks=[message.SerializeToString()], media=PROTOBUF)
    return Answer(MessageToDict(message))
