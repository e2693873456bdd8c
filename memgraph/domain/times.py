"""The two times of what is known: when it held, and when the graph learned of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

END_OF_TIME = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class BiTemporal:
    """A point in both times: what held at ``valid``, of what had been written by ``recorded``."""

    valid: datetime
    recorded: datetime = END_OF_TIME
