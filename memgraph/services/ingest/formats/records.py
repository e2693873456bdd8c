"""What a reader delivers: events with their bytes and places, and refusals. No reading here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import EVENT


@dataclass(frozen=True, slots=True)
class FormatOptions:
    """What the person who ingests says about a file; each reader takes what it needs."""

    seed: int = 0
    """Of the distributions that stand in for what the file lacks."""
    model_id: str | None = None
    """Model of conversations that name none."""
    application_id: str | None = None
    """Application of conversations; without it, the name of the file."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event, the bytes that a dead letter keeps of it, and where it stood."""

    event: Any
    payload: bytes
    position: str

    @classmethod
    def of(cls, event: Any, position: str) -> Record:
        """A record of an event that a reader made. ``read_event`` reads its payload back."""
        return cls(event, EVENT.dump_json(event, by_alias=True, exclude_none=True), position)


@dataclass(frozen=True, slots=True)
class Problem:
    """One refused record. Its error names field and rule, never content."""

    position: str
    error: InvalidInput


class Format(Protocol):
    """What a module of this package offers."""

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Say whether the first record of a file has the shape of this format."""
        ...

    def read(self, path: Path, options: FormatOptions) -> Iterator[Record | Problem]:
        """Yield the records of a file in its order; memory stays flat.

        Raises InvalidInput with the name of the file when it cannot be read at all.
        """
        ...
