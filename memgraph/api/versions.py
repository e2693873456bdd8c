"""Versions of the API: `X-API-Version` asks for one, every answer says which it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Response, g, request
from werkzeug.http import http_date

from memgraph.domain.errors import UnknownVersion

HEADER = "X-API-Version"


@dataclass(frozen=True, slots=True)
class Version:
    """A version; times are UTC. Without ``deprecated_at`` it is current."""

    deprecated_at: datetime | None = None
    sunset_at: datetime | None = None


VERSIONS: dict[str, Version] = {"1": Version()}
"""All that are served."""

CURRENT = next(reversed(VERSIONS))
"""What callers get who ask for none."""


def negotiate() -> None:
    """Note the version that is asked for. Raises UnknownVersion."""
    asked = request.headers.get(HEADER, CURRENT)
    if asked not in VERSIONS:
        raise UnknownVersion(f"{HEADER}: must be one of {', '.join(VERSIONS)}")
    g.version = asked


def say(response: Response) -> None:
    """Tell the version, and when it ends: `Deprecation` (RFC 9745), `Sunset` (RFC 8594)."""
    name = g.get("version", CURRENT)
    version = VERSIONS[name]
    response.headers[HEADER] = name
    if version.deprecated_at is not None:
        response.headers["Deprecation"] = f"@{int(version.deprecated_at.timestamp())}"
    if version.sunset_at is not None:
        response.headers["Sunset"] = http_date(version.sunset_at.astimezone(UTC))
