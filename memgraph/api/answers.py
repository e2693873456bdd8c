"""Answers as bytes: JSON with snake_case names and UTC times, entity tags, gzip."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson
from flask import Request, Response

JSON = "application/json"
SMALLEST_PACKED = 1_024
"""Answers shorter than this, in bytes, gain nothing from gzip."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a view returns: a value for JSON, a ready text, or chunks of a stream."""

    value: Any = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None
    chunks: Iterable[bytes] | None = None
    media: str = JSON

    def to_response(self, status: int) -> Response:
        """The response, with ``status`` unless the answer has its own."""
        status = self.status or status
        if self.chunks is not None:
            return Response(self.chunks, status, dict(self.headers), mimetype=self.media)
        if status == 204:
            return Response(status=status, headers=dict(self.headers))
        data = self.text.encode() if self.text is not None else to_json(self.value)
        response = Response(data, status, dict(self.headers), mimetype=self.media)
        if status == 200:
            response.set_etag(entity_tag(data))
        return response


def to_json(value: Any) -> bytes:
    """A value as JSON, times in ISO 8601 with ``Z``."""
    return orjson.dumps(value, option=orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS)


def entity_tag(data: bytes) -> str:
    """The strong entity tag of a representation (RFC 9110, 8.8.3)."""
    return blake2b(data, digest_size=12).hexdigest()


def conditional(response: Response, request: Request) -> Response:
    """304 when the caller has it already (If-None-Match)."""
    is_asked = "HTTP_IF_NONE_MATCH" in request.environ
    if is_asked and request.method in ("GET", "HEAD") and response.status_code == 200:
        response.make_conditional(request)
    return response


def pack(response: Response, request: Request) -> Response:
    """Gzip an answer that is long enough when the caller takes it."""
    response.vary.add("Accept-Encoding")
    if (
        response.is_streamed
        or response.direct_passthrough
        or response.status_code in (204, 304)
        or "Content-Encoding" in response.headers
    ):
        return response
    data = response.get_data()
    if len(data) >= SMALLEST_PACKED and request.accept_encodings["gzip"] > 0:
        response.set_data(gzip.compress(data, compresslevel=5, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response
