"""The promise, checked by the script that anyone can run."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import chaos, chaos_faults

pytestmark = pytest.mark.slow

EVENTS = 2_000
FAULTS = 9
"""Each kind once."""


def test_nothing_is_lost_and_nothing_twice_whatever_breaks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaos_faults, "NEO4J_OUTAGE_S", 5.0)
    monkeypatch.setattr(chaos_faults, "BROKER_OUTAGE_S", 5.0)
    with chaos.stack(tmp_path / "stack") as data_dir:
        report = chaos.measure(data_dir, EVENTS, FAULTS, seed=11)
    print(chaos.render(report))
    assert len(report.faults) == sum(report.faults.values()) == FAULTS
    assert set(report.sources) == {"events", *chaos.TOPICS}
    assert report.is_good
