"""Telemetry events."""

from __future__ import annotations

from typing import Any

from memgraph.domain import events as ev
from memgraph.domain.mutations import Change, Mutation, Ref
from memgraph.domain.values import InvocationStatus
from memgraph.services.ingest.graph_rows.building import edge, fact, mention

_STATUS = {
    "llm.invocation.start": InvocationStatus.STARTED,
    "llm.invocation.complete": InvocationStatus.SUCCESS,
    "llm.invocation.error": InvocationStatus.ERROR,
}


def map_invocation(event: ev.InvocationEvent, m: Mutation) -> None:
    """An invocation lives; its end outranks its start."""
    payload = event.payload
    ref: Ref = (
        "Invocation",
        (payload.invocation_id or event.span_id or event.event_id,),
    )
    said = {
        "model_id": payload.model_id,
        "provider": payload.provider,
        "status": payload.status or _STATUS[event.event_type],
        "token_count": payload.token_count,
        "latency_ms": payload.latency_ms,
        "trace_id": event.trace_id,
        "span_id": event.span_id,
        "metadata": event.metadata,
    }
    m.changes.append(Change(ref, said, rank=int(event.event_type != "llm.invocation.start")))
    edge(m, ref, "USES_MODEL", mention(m, "Model", payload.model_id))
    if payload.follows:
        before = mention(m, "Invocation", payload.follows)
        edge(m, before, "FOLLOWED_BY", ref, duration_ms=payload.gap_ms)


def map_tokens(event: ev.TokensEvent, m: Mutation) -> None:
    """Tokens are counted after the end of an invocation, and outrank it."""
    ref: Ref = ("Invocation", (event.payload.invocation_id,))
    m.changes.append(Change(ref, {"token_count": event.payload.token_count}, rank=2))


def _metric(m: Mutation, event: Any, **properties: Any) -> Ref:
    return fact(
        m,
        ("PerformanceMetric", (event.event_id,)),
        event.timestamp,
        metadata=event.metadata,
        **properties,
    )


def map_latency(event: ev.LatencyEvent, m: Mutation) -> None:
    """A measurement is a fact of its invocation."""
    payload = event.payload
    metric = _metric(
        m, event, name="latency_ms", value=payload.latency_ms, percentile=payload.percentile
    )
    edge(m, mention(m, "Invocation", payload.invocation_id), "HAS_METRIC", metric)


def map_error(event: ev.ErrorEvent, m: Mutation) -> None:
    """An error is a fact, with what caused and what triggered it."""
    payload = event.payload
    error = fact(
        m,
        ("Error", (event.event_id,)),
        event.timestamp,
        **payload.model_dump(exclude={"invocation_id", "triggered_by"}),
        trace_id=event.trace_id,
        span_id=event.span_id,
        metadata=event.metadata,
    )
    if payload.invocation_id:
        edge(m, mention(m, "Invocation", payload.invocation_id), "CAUSED_ERROR", error)
    if payload.triggered_by:
        edge(m, error, "TRIGGERED_BY", ("Error", (payload.triggered_by,)))


_AGGREGATES = ("total_invocations", "avg_latency_ms", "error_rate")


def map_aggregate(event: ev.AggregateEvent, m: Mutation) -> None:
    """An aggregate is one measurement; its further values go to the metadata."""
    payload = event.payload
    values = {n: v for n in _AGGREGATES if (v := getattr(payload, n)) is not None}
    _metric(
        m,
        event,
        name=payload.name or event.event_type,
        value=payload.value,
        percentile=payload.percentile,
        model_id=payload.model_id,
        window_start=payload.window_start,
        window_end=payload.window_end,
    )
    m.fact_properties["metadata"] = {**(event.metadata or {}), **values} or None
