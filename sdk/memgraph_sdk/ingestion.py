"""What many senders use: events by the hundred, telemetry in batches, and what was kept aside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from memgraph_sdk import arguments as args
from memgraph_sdk import models
from memgraph_sdk.group import Group
from memgraph_sdk.listening import Changes
from memgraph_sdk.transport import path_of

Event = Mapping[str, Any]


class Events(Group):
    """Events of every kind, each with an id and a time of its own."""

    def create(self, events: Event | Sequence[Event], /) -> models.BatchOutcome:
        """Record an event, or up to 1,000. Sending them again records nothing twice.

        The answer tells of each; what was not stored is no error here.
        """
        return self._transport.ask("/events", events, models.BatchOutcome)

    def listen(self, **which: Unpack[args.StreamParameters]) -> Changes:
        """Hear of changes as they happen, those of the time before with `after`."""
        return Changes(
            lambda place: self._transport.listen("/events/stream", which, place),
            retries=self._transport.retries,
        )


class Telemetry(Group):
    """Telemetry that was gathered elsewhere."""

    def create_batch(
        self, *, events: Sequence[Event], batch_id: str | None = None
    ) -> models.TelemetryOutcome:
        """Record a batch. Sending it again records nothing twice."""
        body = {"events": events} if batch_id is None else {"events": events, "batch_id": batch_id}
        return self._transport.ask("/telemetry/batch", body, models.TelemetryOutcome)


class DeadLetters(Group):
    """Events that could not be stored, with their reasons."""

    def list(self, **which: Unpack[args.DeadLettersAsked]) -> list[models.DeadLetter]:
        """List letters in the order of their ids, without what they hold."""
        return self._transport.get("/dead-letters", models.DeadLetters, which).items

    def get(self, dead_letter_id: str, /) -> models.ReadDeadLetter:
        """Read a letter with the event as it came in."""
        return self._transport.get(path_of("dead-letters", dead_letter_id), models.ReadDeadLetter)

    def replay(self, dead_letter_id: str, /) -> models.Replayed:
        """Try a letter again; it is removed when it is settled."""
        path = path_of("dead-letters", dead_letter_id, "replay")
        return self._transport.ask(path, {}, models.Replayed)

    def drop(self, dead_letter_id: str, /) -> None:
        """Remove a letter for good."""
        self._transport.delete(path_of("dead-letters", dead_letter_id))
