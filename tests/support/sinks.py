"""Where events go in tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from memgraph.domain.errors import StreamUnavailable
from memgraph.services.ports import OutgoingEvent

Json = dict[str, Any]


class InMemorySink:
    """Keeps what it takes. While ``is_away`` it takes nothing; ``most`` cuts a delivery short."""

    def __init__(self, name: str = "memory") -> None:
        self.name = name
        self.taken: list[tuple[str, OutgoingEvent]] = []
        self.is_away = False
        self.most: int | None = None

    def deliver(self, tenant_id: str, events: Sequence[OutgoingEvent]) -> None:
        if self.is_away:
            raise StreamUnavailable("away")
        if self.most is not None:
            self.taken += [(tenant_id, event) for event in events[: self.most]]
            raise StreamUnavailable("went away in the middle")
        self.taken += [(tenant_id, event) for event in events]

    @property
    def bodies(self) -> list[Json]:
        return [orjson.loads(event.body) for _, event in self.taken]

    @property
    def first_ids(self) -> list[str]:
        """Ids in the order in which they first came: what is left when repeats are dropped."""
        return list(dict.fromkeys(event.id for _, event in self.taken))


class OwnLease:
    """A lease that nobody else asks for."""

    def hold(self) -> bool:
        return True

    def let_go(self) -> None: ...
