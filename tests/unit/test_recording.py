"""Group commit: everybody gets the outcome of their own, and nobody another's fault."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from memgraph.domain.errors import GraphUnavailable, Overloaded
from memgraph.domain.mutations import Mutation, Outcome, WriteResult
from memgraph.services.recording import MOST_TOGETHER, Recorder

AT = datetime(2026, 1, 1, tzinfo=UTC)


class SlowWriter:
    """Notes the batches; waits for ``gate``; fails on the event ids in ``broken``."""

    def __init__(self) -> None:
        self.batches: list[tuple[str, list[str]]] = []
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.broken: dict[str, Exception] = {}

    def write(self, tenant_id: str, mutations: Sequence[Mutation], *, source: str) -> WriteResult:
        ids = [m.event_id for m in mutations]
        self.batches.append((tenant_id, ids))
        self.entered.set()
        assert self.gate.wait(60)
        for id_ in ids:
            if id_ in self.broken:
                raise self.broken[id_]
        odd = [Outcome.DUPLICATE if id_.endswith("d") else Outcome.STORED for id_ in ids]
        return WriteResult(odd, [], 0, 0)


@pytest.fixture
def writer() -> SlowWriter:
    return SlowWriter()


def write(recorder: Recorder, tenant: str, *ids: str) -> list[Outcome]:
    return recorder.write(tenant, [Mutation(id_, AT) for id_ in ids])


def test_those_who_wait_share_a_transaction(writer: SlowWriter) -> None:
    recorder = Recorder(writer)
    with ThreadPoolExecutor(40) as pool:
        first = pool.submit(write, recorder, "t", "first")
        assert writer.entered.wait(60)
        others = {i: pool.submit(write, recorder, "t", f"{i}", f"{i}d") for i in range(30)}
        while recorder.waiting < 31:
            threading.Event().wait(0.001)
        writer.gate.set()
        assert first.result() == [Outcome.STORED]
        for done in others.values():
            assert done.result() == [Outcome.STORED, Outcome.DUPLICATE]
    assert [len(ids) for _, ids in writer.batches] == [1, 60]


def test_a_transaction_is_bounded(writer: SlowWriter) -> None:
    recorder = Recorder(writer)
    with ThreadPoolExecutor(10) as pool:
        done = [pool.submit(write, recorder, "t", *map(str, range(150))) for _ in range(5)]
        assert writer.entered.wait(60)
        writer.gate.set()
        assert all(len(d.result()) == 150 for d in done)
    assert max(len(ids) for _, ids in writer.batches) <= MOST_TOGETHER


def test_a_slow_tenant_does_not_hold_up_another(writer: SlowWriter) -> None:
    recorder = Recorder(writer, committers=2)
    with ThreadPoolExecutor(4) as pool:
        slow = pool.submit(write, recorder, "slow", "1")
        assert writer.entered.wait(60)
        queued = pool.submit(write, recorder, "slow", "2")
        other = pool.submit(write, recorder, "quick", "3")
        while ("quick", ["3"]) not in writer.batches:
            threading.Event().wait(0.001)
        assert ("slow", ["2"]) not in writer.batches
        writer.gate.set()
        for done in (slow, queued, other):
            done.result()


def test_the_fault_of_one_is_not_the_others(writer: SlowWriter) -> None:
    writer.broken["bad"] = TypeError("a fault of ours")
    recorder = Recorder(writer)
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(write, recorder, "t", "first")
        assert writer.entered.wait(60)
        fine, bad = (
            pool.submit(write, recorder, "t", "fine"),
            pool.submit(write, recorder, "t", "bad"),
        )
        while recorder.waiting < 3:
            threading.Event().wait(0.001)
        writer.gate.set()
        assert first.result() == fine.result() == [Outcome.STORED]
        with pytest.raises(TypeError):
            bad.result()


def test_all_are_told_when_the_server_is_away(writer: SlowWriter) -> None:
    writer.broken["1"] = GraphUnavailable("away")
    writer.gate.set()
    with pytest.raises(GraphUnavailable):
        write(Recorder(writer), "t", "1")


def test_too_many_or_too_long_is_refused(writer: SlowWriter) -> None:
    recorder = Recorder(writer, wait_s=0.05, most_waiting=1)
    with pytest.raises(Overloaded, match="in time"):
        write(recorder, "t", "1")
    with pytest.raises(Overloaded, match="too many"):
        write(recorder, "t", "2")
    writer.gate.set()
    while recorder.waiting:
        threading.Event().wait(0.001)
    assert write(Recorder(writer), "t", "3") == [Outcome.STORED]
