"""The promise, checked by the script that anyone can run."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import chaos

pytestmark = pytest.mark.slow

EVENTS = 2_000
FAULTS = 5


def test_nothing_is_lost_and_nothing_twice_whatever_breaks(tmp_path: Path) -> None:
    with chaos.stack(tmp_path / "stack") as data_dir:
        report = chaos.measure(data_dir, EVENTS, FAULTS, seed=11)
    print(chaos.render(report))
    assert sum(report.faults.values()) == FAULTS
    assert report.sent_again > 0
    assert report.is_good
