"""What the records of topics mean: the topic says the type, and shapes of others become ours.

Pure, bytes to bytes. What has no meaning here stays as it is, and the stage that
validates says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from memgraph.domain.events.base import EARLIEST
from memgraph.domain.values import InvocationStatus

Fields = Mapping[str, Any]

TAGS = ("type", "event_type", "eventType")
INVOCATION_FIELDS = ("model_id", "provider", "token_count", "latency_ms", "status")
"""Fields of an invocation that seed 002, appendix A, puts beside the event's own."""
MODEL_FIELDS = {
    "provider": "provider",
    "family": "family",
    "capabilities": "capabilities",
    "context_window": "contextWindow",
    "max_output_tokens": "maxOutputTokens",
    "training_cutoff": "trainingCutoff",
    "released_at": "releasedAt",
    "deprecated_at": "deprecatedAt",
    "metadata": "metadata",
}
"""Of a model, by both names that registries give them."""
DEPRECATED, DELETED = "deprecated", "deleted"


def payload_of(topic: str, value: bytes) -> bytes:
    """The event that a record holds, as the pipeline reads it."""
    meaning = _MEANINGS.get(topic)
    if meaning is None:
        return value
    try:
        read = orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
    return meaning(read, value) if isinstance(read, dict) and read else value


def _tagged(tag: str) -> Callable[[Fields, bytes], bytes]:
    """Put the type before the fields of events without one; the rest stays byte for byte."""
    head = b'{"type":"' + tag.encode() + b'",'

    def meaning(read: Fields, value: bytes) -> bytes:
        if any(name in read for name in TAGS):
            return value
        return head + value.lstrip()[1:]

    return meaning


def _telemetry(read: Fields, value: bytes) -> bytes:
    """Events of seed 002: the payload in its place, times as text."""
    tag = read.get("event_type")
    if not isinstance(tag, str):
        return value
    event = dict(read)
    if "payload" not in event and tag.startswith("llm.invocation."):
        event["payload"] = {n: event.pop(n) for n in INVOCATION_FIELDS if n in event}
    if "timestamp_ms" in event and "timestamp" not in event:
        event["timestamp"] = event.pop("timestamp_ms")
    event["timestamp"] = _time(event.get("timestamp"))
    payload = event.get("payload")
    if isinstance(payload, dict) and isinstance(status := payload.get("status"), str):
        event["payload"] = {**payload, "status": _status(status)}
    return value if event == read else orjson.dumps(event)


def _status(said: str) -> str:
    """Enumerations of schemas are written in capitals."""
    return said.lower() if said.lower() in set(InvocationStatus) else said


def _time(said: Any) -> Any:
    """Milliseconds since 1970 as a time in text; what is none stays for the stage that judges."""
    if not isinstance(said, int) or isinstance(said, bool):
        return said
    try:
        at = datetime.fromtimestamp(said / 1_000, UTC)
    except (ValueError, OverflowError, OSError):
        return said
    return at.isoformat() if at >= EARLIEST else said


def _registry(read: Fields, value: bytes) -> bytes:
    """What registries tell of a model: webhook and subscription of seed 002, section 2.4."""
    model = read.get("model")
    if "type" in read or not isinstance(model, dict):
        return value
    model_id = _first(model, "model_id", "modelId", "id")
    if model_id is None or model_id == model.get("id", object()):
        # It is one of ours already, or nobody's.
        return value
    happened = str(_first(read, "event_type", "updateType") or "").lower().rpartition(".")[2]
    at = _time(_first(read, "timestamp"))
    event = {
        "type": "model",
        "event_id": _first(read, "event_id", "eventId", "updateId"),
        "timestamp": at,
        "model": {"id": model_id, **_model_fields(model), **_ended(happened, at)},
        "version": _version(read, model, at),
    }
    return orjson.dumps({name: found for name, found in event.items() if found is not None})


def _model_fields(model: Fields) -> dict[str, Any]:
    found = {ours: _first(model, ours, other) for ours, other in MODEL_FIELDS.items()}
    return {name: value for name, value in found.items() if value not in (None, {})}


def _ended(happened: str, at: Any) -> dict[str, Any]:
    if happened == DEPRECATED:
        return {"deprecated_at": at}
    return {"is_deleted": True} if happened == DELETED else {}


def _version(read: Fields, model: Fields, at: Any) -> dict[str, Any] | None:
    said = model.get("version")
    if said is None:
        return None
    version = {"version": said, "changelog": _first(read, "changelog")}
    cost = model.get("cost_per_1k_tokens")
    if isinstance(cost, dict):
        version |= {
            "input_usd_per_1k": cost.get("input"),
            "output_usd_per_1k": cost.get("output"),
            "valid_from": at,
        }
    return {name: found for name, found in version.items() if found is not None}


def _first(fields: Fields, *names: str) -> Any:
    """The first that is there."""
    return next((fields[name] for name in names if fields.get(name) is not None), None)


_MEANINGS: Mapping[str, Callable[[Fields, bytes], bytes]] = {
    "llm.prompts.v1": _tagged("prompt"),
    "llm.responses.v1": _tagged("response"),
    "llm.sessions.v1": _tagged("session"),
    "llm-telemetry-events": _telemetry,
    "registry-changes": _registry,
}
