"""Batches, lanes and accounts of ingestion, on a writer that only remembers."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from memgraph.domain.errors import GraphUnavailable, InvalidInput
from memgraph.domain.events import read_event
from memgraph.domain.mutations import Ended, Mutation, Outcome, Refusal, Totals, WriteResult
from memgraph.services.ingest.formats.records import Problem, Record
from memgraph.services.ingest.routing import REMEMBERED, Router
from memgraph.services.ingest.service import PROBLEMS_KEPT, Ingestion
from tests.support.events import at, event, small_story
from tests.support.pipelines import plain_pipeline


class RememberingWriter:
    """Stores nothing: notes the batches and answers as told."""

    def __init__(self, fail_on: str = "", conflict_on: str = "") -> None:
        self.batches: list[list[str]] = []
        self.fail_on = fail_on
        self.conflict_on = conflict_on
        self._lock = threading.Lock()

    def write(
        self, tenant_id: str, mutations: list[Mutation], *, source: str, ended: Ended | None = None
    ) -> WriteResult:
        ids = [m.event_id for m in mutations]
        if self.fail_on in ids:
            raise GraphUnavailable("away")
        with self._lock:
            self.batches.append(ids)
        outcomes = [Outcome.DEAD_LETTERED if i == self.conflict_on else Outcome.STORED for i in ids]
        refusals = [
            Refusal(n, "conflict", {"label": "Prompt"})
            for n, o in enumerate(outcomes)
            if o is Outcome.DEAD_LETTERED
        ]
        return WriteResult(outcomes, refusals)


def record(id_: str, session: str = "s", text: str = "x") -> Record:
    line = event(event_id=id_, timestamp=at(0), prompt={"text": text}, session={"id": session})
    return Record(read_event(line), line, f"line {id_}")


def ingest(writer: RememberingWriter, records: list[Any], **options: Any) -> Any:
    return Ingestion(plain_pipeline(writer), tenant_id="t", source="f", **options).run(records)


def test_every_record_is_accounted_for() -> None:
    writer = RememberingWriter(conflict_on="b")
    problem = Problem("line 9", InvalidInput("prompt.text", "is required"))
    seen: list[int] = []
    report = ingest(
        writer,
        [record("a"), problem, record("b"), record("c")],
        on_progress=lambda totals: seen.append(totals.received),
    )
    assert report.totals == Totals(stored=2, rejected=1, dead_lettered=1)
    assert report.totals.received == 4
    assert [(r.position, r.outcome) for r in report.refused] == [
        ("line 9", Outcome.REJECTED),
        ("line b", Outcome.DEAD_LETTERED),
    ]
    assert seen[-1] == 4


def test_a_mapping_that_refuses_is_a_rejected_record() -> None:
    line = event(
        event_id="p",
        timestamp=at(0),
        prompt={"text": "x", "images": [{"base64": "!"}]},
        session={"id": "s"},
    )
    report = ingest(RememberingWriter(), [Record(read_event(line), line, "line 1")])
    assert report.totals.as_dict()["rejected"] == 1


def test_batches_are_bounded_in_count_and_bytes() -> None:
    writer = RememberingWriter()
    ingest(writer, [record(f"p{i}") for i in range(10)], batch=4, writers=1)
    assert [len(b) for b in writer.batches] == [4, 4, 2]
    writer = RememberingWriter()
    ingest(writer, [record(f"p{i}", text="x" * 900_000) for i in range(10)], writers=1)
    assert max(len(b) for b in writer.batches) == 5


def test_a_session_stays_in_order_on_one_lane() -> None:
    writer = RememberingWriter()
    records = [record(f"{s}-{i}", session=s) for i in range(20) for s in ("a", "b", "c")]
    ingest(writer, records, batch=5, writers=3)
    for session in ("a", "b", "c"):
        order = [i for batch in writer.batches for i in batch if i.startswith(session)]
        assert order == [f"{session}-{i}" for i in range(20)]


def test_what_the_writer_raises_ends_the_ingestion() -> None:
    with pytest.raises(GraphUnavailable):
        ingest(RememberingWriter(fail_on="p3"), [record(f"p{i}") for i in range(10)], batch=2)


def test_a_report_keeps_a_bounded_number_of_problems() -> None:
    problems = [Problem(f"line {i}", InvalidInput("x", "y")) for i in range(PROBLEMS_KEPT + 5)]
    report = ingest(RememberingWriter(), problems)
    assert len(report.refused) == PROBLEMS_KEPT
    assert report.totals.rejected == PROBLEMS_KEPT + 5


def test_the_router_keeps_a_conversation_together() -> None:
    router = Router(64)
    lanes: dict[str, int] = {}
    for line in small_story():
        read = read_event(line)
        lanes[read.event_id] = router.route(read)
    for i in range(5):
        together = {lanes[f"p{i}"], lanes[f"r{i}"], lanes[f"te{i}"], lanes[f"r{i}b"]}
        assert len(together) == 1
    assert lanes["ag1"] == lanes["ag2"]
    assert lanes["i1"] == lanes["i1"]


def test_the_router_forgets_the_oldest() -> None:
    router = Router(2)
    for i in range(REMEMBERED // 1000):
        router.route(record(f"p{i}").event)
    router._home.update({f"k{i}": "s" for i in range(REMEMBERED)})
    router.route(record("last").event)
    assert len(router._home) == REMEMBERED
