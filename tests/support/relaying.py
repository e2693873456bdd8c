"""What the tests of the relay share."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from memgraph.domain.events import read_event
from memgraph.domain.mutations import Mutation
from memgraph.graph.outbox import Outbox
from memgraph.services.ingest.graph_rows import to_mutation
from memgraph.services.relay import Relay
from tests.support.events import at, event


def mutations(events: Sequence[bytes]) -> list[Mutation]:
    return [to_mutation(read_event(e), e) for e in events]


def prompt(id_: str, session: str = "s", second: float = 1) -> bytes:
    return event(event_id=id_, timestamp=at(second), prompt={"text": "hi"}, session={"id": session})


def response(id_: str, prompt_id: str, second: float = 2) -> bytes:
    return event(
        event_id=id_, timestamp=at(second), prompt_event_id=prompt_id, response={"text": "yes"}
    )


MakeRelay = Callable[..., Relay]


def waiting(outbox: Outbox, tenant: str) -> list[int]:
    return [entry.sequence for entry in outbox.list_entries(tenant, 0, 10_000)]
