from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

import pytest

from memgraph.services.ingest.formats.derive import Clock, count_tokens
from memgraph.services.ingest.formats.known_models import KNOWN_MODELS

CLOCKS = 400


def clocks(seed: int = 0) -> list[Clock]:
    return [Clock(seed, f"session-{n}") for n in range(CLOCKS)]


def test_sessions_spread_over_six_weeks_of_days() -> None:
    starts = [clock.now for clock in clocks()]
    assert min(starts) >= datetime(2024, 5, 16, 6, tzinfo=UTC)
    assert max(starts) <= datetime(2024, 6, 26, 23, tzinfo=UTC)
    assert len({start.date() for start in starts}) == 42
    assert 13 < median(start.hour + start.minute / 60 for start in starts) < 16


def test_distributions_are_those_stated() -> None:
    pauses, durations, first_tokens, rates = [], [], [], []
    for clock in clocks():
        before = clock.now
        pauses.append((clock.pause() - before).total_seconds())
        durations.append(clock.use_tool())
        pace = clock.generate(1_000, 100)
        first_tokens.append(pace.ttft_ms)
        rates.append(pace.tokens_per_second)
    assert median(pauses) == pytest.approx(25, rel=0.2)
    assert 2 <= min(pauses) <= max(pauses) <= 900
    assert median(durations) == pytest.approx(180, rel=0.2)
    assert 5 <= min(durations) <= max(durations) <= 10_000
    assert median(first_tokens) == pytest.approx(450 + 50, rel=0.1)
    assert median(rates) == pytest.approx(75, rel=0.1)


def test_a_latency_is_the_first_token_and_the_rest_at_the_rate() -> None:
    clock = Clock(0, "s")
    before = clock.now
    pace = clock.generate(2_000, 300)
    assert (pace.prompt_tokens, pace.completion_tokens) == (2_000, 300)
    assert pace.latency_ms == pace.ttft_ms + round(1000 * 300 / pace.tokens_per_second)
    assert clock.now - before == timedelta(milliseconds=pace.latency_ms)


def test_time_only_grows() -> None:
    clock = Clock(3, "s")
    times = [clock.now]
    for _ in range(100):
        times.append(clock.tick())
        times.append(clock.pause())
        clock.use_tool()
        times.append(clock.now)
        clock.generate(0, 0)
        times.append(clock.now)
    assert all(a < b for a, b in pairwise(times))


def test_seed_and_session_decide() -> None:
    def run(seed: int, session_id: str) -> list[datetime]:
        clock = Clock(seed, session_id)
        return [clock.pause() for _ in range(5)]

    assert run(1, "a") == run(1, "a")
    assert len({tuple(run(seed, s)) for seed in (1, 2) for s in ("a", "b")}) == 4


def test_values_stay_the_same_from_release_to_release() -> None:
    """A change of the distributions makes stored conversations conflict with themselves."""
    clock = Clock(0, "s")
    pace = clock.generate(1_000, 50)
    seen = (clock.pause().isoformat(), clock.use_tool(), pace.latency_ms, pace.ttft_ms)
    assert seen == ("2024-06-01T12:27:51.142000+00:00", 60, 1089, 498)


def test_tokens_are_a_quarter_of_the_characters() -> None:
    assert [count_tokens("x" * n) for n in (0, 1, 4, 5, 400)] == [0, 1, 1, 2, 100]


def test_cost_is_the_list_price() -> None:
    assert KNOWN_MODELS["gpt-4o"].cost_usd(2_000, 1_000) == 0.025
