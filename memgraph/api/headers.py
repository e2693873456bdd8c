"""The request headers that operations understand: declared once, for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from memgraph.api import event_streams, idempotency, versions
from memgraph.api.operations import Operation


@dataclass(frozen=True, slots=True)
class RequestHeader:
    """A header that a caller may send, and the operations that look at it."""

    name: str
    description: str
    schema: dict[str, Any]
    is_read_by: Callable[[Operation], bool]

    def parameter(self) -> dict[str, Any]:
        """What the document says of it."""
        return {
            "name": self.name,
            "in": "header",
            "required": False,
            "description": self.description,
            "schema": self.schema,
        }


def is_conditional(operation: Operation) -> bool:
    """Whether it may answer 304."""
    return operation.method == "GET" and operation.answers is not None


HEADERS: tuple[RequestHeader, ...] = (
    RequestHeader(
        idempotency.HEADER,
        "Any text of yours. The same request under the same key is done once within a day and"
        " answered alike.",
        {"type": "string", "pattern": idempotency.KEY_PATTERN},
        lambda operation: operation.method == "POST" and idempotency.keeps(operation.permission),
    ),
    RequestHeader(
        "If-Match",
        "The `ETag` that reading it answered: it is changed only when it is still the same.",
        {"type": "string"},
        lambda operation: operation.method == "PATCH",
    ),
    RequestHeader(
        "If-None-Match",
        "The `ETag` of the answer that you have: 304 and no body when it is still the same.",
        {"type": "string"},
        is_conditional,
    ),
    RequestHeader(
        event_streams.HEADER,
        "The `id` of the last event that you have: the stream goes on after it.",
        {"type": "string", "pattern": event_streams.PLACE},
        lambda operation: operation.media == event_streams.MEDIA,
    ),
    RequestHeader(
        versions.HEADER,
        "The version of the API that you speak; the newest by default.",
        {"type": "string", "enum": list(versions.VERSIONS)},
        lambda operation: True,
    ),
)


def components() -> dict[str, Any]:
    """Every header as a parameter, by its name."""
    return {header.name: header.parameter() for header in HEADERS}


def references(operation: Operation) -> Iterator[dict[str, str]]:
    """The headers that an operation reads, by reference."""
    for header in HEADERS:
        if header.is_read_by(operation):
            yield {"$ref": f"#/components/parameters/{header.name}"}
