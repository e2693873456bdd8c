"""The chaos script: what it sends, what it calls in order, what it calls broken."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import orjson
import pytest

from benchmarks import chaos_check
from benchmarks.chaos import FIGURES, Report, render
from benchmarks.chaos_check import Life, Told, check_told, count_missing_copies, wait_until
from benchmarks.chaos_events import BATCH, REST, TOPICS, Event, batches, generate, told_of
from benchmarks.chaos_faults import Pace
from benchmarks.kept import Kept

TENANT = "chaos"
SUMS = {"received": 12, "stored": 9, "duplicate": 2, "rejected": 1, "dead_lettered": 0}
GOOD = Report(
    events=10,
    broken=1,
    faults={"kill relay": 2},
    sent_again=3,
    sources={"events": SUMS},
    letters_missing=0,
    told=Told(expected=9, records=11, missing=0, unknown=0, disordered=0),
    digest="d",
    calm_digest="d",
    seconds=1.0,
)


def test_what_is_good_is_said() -> None:
    assert GOOD.is_good
    assert render(GOOD).endswith("nothing lost, nothing twice")
    assert "12 received = 9 stored + 2 duplicate + 1 rejected + 0 dead_lettered" in render(GOOD)


@pytest.mark.parametrize(
    "broken",
    [
        {"calm_digest": "other"},
        {"events": 11},
        {"sources": {"events": SUMS | {"received": 13}}},
        {"letters_missing": 1},
        {"told": replace(GOOD.told, missing=1)},
        {"told": replace(GOOD.told, unknown=1)},
        {"told": replace(GOOD.told, disordered=1)},
    ],
)
def test_a_broken_promise_is_said(broken: dict[str, Any]) -> None:
    report = replace(GOOD, **broken)
    assert not report.is_good
    assert render(report).endswith("THE PROMISE IS BROKEN")


def test_a_sum_that_is_wrong_is_shown() -> None:
    assert " WRONG" in render(replace(GOOD, sources={"x": dict.fromkeys(FIGURES, 1)}))


def test_every_event_goes_out_once_with_a_large_one_in_each_batch() -> None:
    events = generate(1_000, Random(1))
    bodies, shipments = batches(events, Random(1))
    sent = [event for batch in (*bodies, *shipments) for event in batch]
    large = [event for event in sent if len(event.payload) > 1_000_000]
    assert len(large) == len(bodies) + len(shipments)
    assert sorted(e.event_id for e in sent if e not in large) == sorted(
        f"e{n}" for n in range(1_000)
    )
    assert {event.topic for batch in bodies for event in batch} == {REST}
    assert {event.topic for batch in shipments for event in batch} == set(TOPICS)
    assert max(map(len, (*bodies, *shipments))) == BATCH + 1
    assert 50 < sum(event.is_broken for event in events) < 150


class Message:
    def __init__(self, key: bytes, id_: str) -> None:
        self._key, self._value = key, orjson.dumps({"id": id_})

    def key(self) -> bytes:
        return self._key

    def value(self) -> bytes:
        return self._value


EVENTS = [event for event in generate(60, Random(3)) if not event.is_broken]
IDS = {event.event_id: told_of(TENANT, event) for event in EVENTS}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What is found of a topic with these ids, all of one key."""

    def check(ids: Iterable[str], lives: dict[str, Life]) -> Told:
        messages = [Message(b"key", id_) for id_ in ids]
        monkeypatch.setattr(chaos_check, "read_topic", lambda *_: iter(messages))
        return check_told("", "", TENANT, EVENTS, lives)

    return check


def lives() -> dict[str, Life]:
    """One event after the other."""
    return {e.event_id: Life(2.0 * n, 2.0 * n + 1) for n, e in enumerate(EVENTS)}


def ids_of(events: Iterable[Event]) -> list[str]:
    return [id_ for event in events for id_ in IDS[event.event_id]]


def test_all_in_order_and_repeats_are_good(told: Any) -> None:
    ids = ids_of(EVENTS)
    found = told([*ids[:10], *ids[4:]], lives())
    assert found.is_good
    assert (found.expected, found.records) == (len(ids), len(ids) + 6)


def test_what_is_missing_or_nobodys_is_found(told: Any) -> None:
    ids = ids_of(EVENTS)
    assert told(ids[1:], lives()).missing == 1
    assert told([*ids, "nobody's"], lives()).unknown == 1


def test_what_overtook_an_earlier_commit_is_found(told: Any) -> None:
    swapped = [EVENTS[1], EVENTS[0], *EVENTS[2:]]
    assert told(ids_of(swapped), lives()).disordered == len(IDS[EVENTS[0].event_id])
    at_once = {e.event_id: Life(0.0, 1.0) for e in EVENTS}
    assert told(ids_of(swapped), at_once).is_good


def test_what_overtook_its_partition_is_found(told: Any) -> None:
    swapped = [EVENTS[1], EVENTS[0], *EVENTS[2:]]
    places = {e.event_id: Life(0.0, place=("t", 0, n)) for n, e in enumerate(EVENTS)}
    assert told(ids_of(swapped), places).disordered == len(IDS[EVENTS[0].event_id])
    others = {e.event_id: Life(0.0, place=("t", n, n)) for n, e in enumerate(EVENTS)}
    assert told(ids_of(swapped), others).is_good


def test_a_broken_event_without_a_copy_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos_check, "read_topic", lambda *_: iter(()))
    events = [
        Event("a", "s", b"unknown_field", "t"),
        Event("b", "s", b"", "t"),
        Event("c", "s", b""),
    ]
    assert count_missing_copies("", events, "t") == 1


def test_each_fault_finds_something_at_work() -> None:
    pace, gone = Pace(faults=3), threading.Semaphore(0)

    def work() -> None:
        for number in range(8):
            pace.wait(number, 8)
            gone.release()

    thread = threading.Thread(target=work)
    thread.start()
    for _ in range(3):
        pace.open()
        assert all(gone.acquire(timeout=60) for _ in range(2))
        assert not gone.acquire(blocking=False)
    pace.open_all()
    thread.join(60)
    assert not thread.is_alive()


def test_nobody_waits_for_ever() -> None:
    with pytest.raises(SystemExit, match="reading took more than 0 s"):
        wait_until(lambda: False, 0.0, "reading")


def test_what_is_kept_comes_back_until_it_is_stopped(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = Kept((sys.executable, "-u", "-c", SLEEPER, "first"), {}, log)
    try:
        process.wait_until_it_says(b"first 1\n")
        process.kill()
        wait_until(lambda: log.read_bytes().count(b"first 1\n") == 2, 60.0, "coming back")
    finally:
        process.stop()
    assert log.read_bytes().count(b"first 1\n") == 2


SLEEPER = """\
import sys, time
print(sys.argv[1], 1)
time.sleep(600)"""
