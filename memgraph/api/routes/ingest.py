"""The doors for events: any event, one or many at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from flask import request
from pydantic import Field

from memgraph.api.answers import Answer
from memgraph.api.operations import Call, RawBody, Routes
from memgraph.api.schemas import Resource
from memgraph.domain.access import Permission
from memgraph.domain.events import EVENT_CLASSES
from memgraph.domain.mutations import Outcome
from memgraph.services.enrichment.items import Item
from memgraph.services.ingest.door import MOST_EVENTS

routes = Routes("ingestion")

WRITE = Permission.WRITE_CONVERSATIONS

_ONE = {
    "type": "prompt",
    "event_id": "e-1",
    "timestamp": "2026-01-05T09:30:00Z",
    "prompt": {"text": "Where is my parcel?"},
    "session": {"id": "s-1", "user_id": "u-1"},
}


class ItemProblem(Resource):
    """Why an event was not stored."""

    code: str = Field(description="Code of the error.")
    detail: str = Field(description="The field and the rule, never what was sent.")
    stage: str = Field(description="The step of the pipeline that says so.")


class ItemOutcome(Resource):
    """What became of one event."""

    event_id: str | None = Field(description="Its id; null when it could not be read.")
    outcome: Outcome = Field(description="What became of it.")
    problem: ItemProblem | None = Field(None, description="Why it was not stored.")


class BatchOutcome(Resource):
    """What became of a body of events: the four counts add up to the first."""

    received: int = Field(description="Events of the body.")
    stored: int = Field(description="Events that changed the graph.")
    duplicate: int = Field(description="Events that were known already.")
    rejected: int = Field(description="Events that break a rule: mend them and send them again.")
    dead_lettered: int = Field(description="Events kept aside, such as conflicts with known facts.")
    items: list[ItemOutcome] = Field(description="One for each event, in the order of the body.")


class TelemetryOutcome(Resource):
    """What became of a batch of telemetry."""

    batch_id: str | None = Field(description="As sent.")
    status: str = Field(description="`accepted`, or `partial` when some events failed.")
    processed_count: int = Field(description="Events that are stored, or were already.")
    failed_count: int = Field(description="Events that were rejected or kept aside.")
    processing_time_ms: int = Field(description="From the first event to the commit, ms.")
    failures: list[ItemOutcome] = Field(description="The events that failed.")


_EVENT: dict[str, Any] = {"oneOf": [{"$ref": c.__name__} for c in EVENT_CLASSES]}
_EVENTS = {"type": "array", "items": _EVENT, "minItems": 1, "maxItems": MOST_EVENTS}


@routes.post(
    "/events",
    permission=WRITE,
    raw=RawBody({"oneOf": [_EVENT, _EVENTS]}, models=EVENT_CLASSES, is_partial=True),
    answers=BatchOutcome,
    example=_ONE,
)
def create_events(call: Call) -> Answer:
    """Record an event, or up to 1,000. It answers after the commit: 200, or 207 when some fail."""
    may = call.principal.may
    totals, items = call.services.door.take(
        call.tenant_id, request.get_data(), door="events", may=may
    )
    body = {**totals.as_dict(), "items": [_shown(item) for item in items]}
    return Answer(body, 207 if totals.rejected or totals.dead_lettered else 200)


@routes.post(
    "/telemetry/batch",
    permission=WRITE,
    raw=RawBody(
        {
            "type": "object",
            "required": ["events"],
            "properties": {
                "batch_id": {"type": "string", "maxLength": 512},
                "events": _EVENTS,
            },
        },
        models=EVENT_CLASSES,
        is_partial=True,
    ),
    answers=TelemetryOutcome,
    example={
        "batch_id": "b-1",
        "events": [
            {
                "event_id": "m-1",
                "event_type": "llm.metrics.aggregated",
                "timestamp": "2026-01-05T09:30:00Z",
                "payload": {"model_id": "auster-mini", "total_invocations": 120},
            }
        ],
    },
)
def create_telemetry_batch(call: Call) -> Answer:
    """Record a batch of telemetry. It answers after the commit: 200, or 207 when some fail."""
    began = time.perf_counter()
    batch_id, totals, items = call.services.door.take_batch(
        call.tenant_id, request.get_data(), door="telemetry", may=call.principal.may
    )
    failures = _failures(items)
    body = {
        "batch_id": batch_id,
        "status": "partial" if failures else "accepted",
        "processed_count": totals.stored + totals.duplicate,
        "failed_count": len(failures),
        "processing_time_ms": round((time.perf_counter() - began) * 1000),
        "failures": failures,
    }
    return Answer(body, 207 if failures else 200)


def _failures(items: Sequence[Item]) -> list[dict[str, Any]]:
    failed = (Outcome.REJECTED, Outcome.DEAD_LETTERED)
    return [_shown(item) for item in items if item.outcome in failed]


def _shown(item: Item) -> dict[str, Any]:
    event_id = item.event.event_id if item.event is not None else None
    shown: dict[str, Any] = {"event_id": event_id, "outcome": str(item.outcome)}
    if item.code:
        shown["problem"] = {"code": item.code, "detail": item.reason, "stage": item.stage}
    return shown
