"""Telemetry events: invocations, tokens, latency, errors and aggregates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from memgraph.domain.events.base import (
    Amount,
    Count,
    EventBase,
    EventPart,
    Finite,
    HexId,
    Key,
    Metadata,
    Name,
    Note,
    Timestamp,
)
from memgraph.domain.values import InvocationStatus


class TelemetryBase(EventBase):
    metadata: Metadata | None = None
    trace_id: HexId | None = None
    span_id: HexId | None = None


class InvocationPayload(EventPart):
    invocation_id: Key | None = None
    model_id: Key
    provider: Name | None = None
    token_count: Count | None = None
    latency_ms: Amount | None = None
    status: InvocationStatus | None = None
    follows: Key | None = None
    gap_ms: Count | None = None


class InvocationEvent(TelemetryBase):
    """A call of a model began or ended. Its key is the invocation, span or event id."""

    event_type: Literal["llm.invocation.start", "llm.invocation.complete", "llm.invocation.error"]
    payload: InvocationPayload


class TokensPayload(EventPart):
    invocation_id: Key
    token_count: Count


class TokensEvent(TelemetryBase):
    """An invocation consumed tokens."""

    event_type: Literal["llm.tokens.consumed"]
    payload: TokensPayload


class LatencyPayload(EventPart):
    invocation_id: Key
    latency_ms: Amount
    percentile: Annotated[float, Field(ge=0, le=100)] | None = None


class LatencyEvent(TelemetryBase):
    """The latency of an invocation was measured."""

    event_type: Literal["llm.latency.measured"]
    payload: LatencyPayload


class ErrorPayload(EventPart):
    error_type: Name
    invocation_id: Key | None = None
    triggered_by: Key | None = None
    code: Name | None = None
    message: Note | None = None
    severity: Name | None = None
    is_recoverable: bool | None = None


class ErrorEvent(TelemetryBase):
    """An error occurred. Its key is the event id."""

    event_type: Literal["llm.error.occurred"]
    payload: ErrorPayload


class AggregatePayload(EventPart):
    model_id: Key | None = None
    window_start: Timestamp | None = None
    window_end: Timestamp | None = None
    total_invocations: Count | None = None
    avg_latency_ms: Amount | None = None
    error_rate: Annotated[float, Field(ge=0, le=1)] | None = None
    name: Name | None = None
    value: Finite | None = None
    percentile: Annotated[float, Field(ge=0, le=100)] | None = None


class AggregateEvent(TelemetryBase):
    """Measurements that the sender aggregated, kept as one metric."""

    event_type: Literal["llm.metrics.aggregated", "llm.performance.daily_summary"]
    payload: AggregatePayload
