"""Delivery: the poison stands alone, the rest is stored, and everybody is counted once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from memgraph.domain.errors import GraphRefused, GraphUnavailable, OutOfMemory
from memgraph.domain.mutations import Ended, Mutation, Outcome, Totals, WriteResult
from memgraph.services.enrichment.items import Item
from memgraph.services.ingest.delivery import Delivery

AT = datetime(2026, 1, 1, tzinfo=UTC)


class PoisonedWriter:
    """Refuses every batch with a poisoned event; keeps what came through."""

    def __init__(self, error: Exception, *poison: str) -> None:
        self.error = error
        self.poison = set(poison)
        self.stored: list[str] = []
        self.totals = Totals()
        self.letters: list[bytes] = []

    def write(
        self,
        tenant_id: str,
        mutations: Sequence[Mutation],
        *,
        source: str,
        ended: Ended | None = None,
    ) -> WriteResult:
        ids = [m.event_id for m in mutations]
        if self.poison & set(ids):
            raise self.error
        self.stored += ids
        self.totals.add([Outcome.STORED] * len(ids))
        if ended is not None:
            self.totals += ended.totals
            self.letters += [letter.payload for letter in ended.letters]
        return WriteResult([Outcome.STORED] * len(ids))


def items(count: int) -> list[Item]:
    return [Item(f"{i}".encode(), mutation=Mutation(f"{i}", AT)) for i in range(count)]


@pytest.mark.parametrize("error", [GraphRefused("no"), OutOfMemory("much"), TypeError("ours")])
@pytest.mark.parametrize("poison", [{"0"}, {"36"}, {"7", "8", "20"}])
def test_poison_is_isolated(error: Exception, poison: set[str]) -> None:
    writer = PoisonedWriter(error, *poison)
    batch = items(37)
    Delivery(writer).deliver("t", batch, "events")
    assert sorted(writer.stored) == sorted({str(i) for i in range(37)} - poison)
    assert sorted(writer.letters) == sorted(p.encode() for p in poison)
    assert writer.totals == Totals(stored=37 - len(poison), dead_lettered=len(poison))
    dead = [item for item in batch if item.outcome is Outcome.DEAD_LETTERED]
    assert {item.payload.decode() for item in dead} == poison
    assert {item.stage for item in dead} == {"write"}


def test_what_ended_before_is_kept_whatever_the_poison() -> None:
    writer = PoisonedWriter(GraphRefused("no"), "0")
    batch = items(2)
    early = Item(b"broken")
    early.end(Outcome.DEAD_LETTERED, "invalid_input", field="x", rule="y")
    known = Item(b"known")
    known.end(Outcome.DUPLICATE)
    Delivery(writer).deliver("t", [early, known, *batch], "events")
    assert sorted(writer.letters) == [b"0", b"broken"]
    assert writer.totals == Totals(stored=1, duplicate=1, dead_lettered=2)


def test_a_server_that_is_away_acknowledges_nothing() -> None:
    writer = PoisonedWriter(GraphUnavailable("away"), "1")
    batch = items(3)
    with pytest.raises(GraphUnavailable):
        Delivery(writer).deliver("t", batch, "events")
    assert [item.outcome for item in batch] == [None, None, None]
    assert writer.totals == Totals()


def test_letters_that_cannot_be_written_are_no_success() -> None:
    writer = PoisonedWriter(GraphRefused("full"), "0")
    writer.write = lambda *_, **__: (_ for _ in ()).throw(GraphRefused("full"))  # type: ignore[method-assign]
    with pytest.raises(GraphRefused):
        Delivery(writer).deliver("t", items(1), "events")
