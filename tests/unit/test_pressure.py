"""Back-pressure: bytes, rate and circuit, on a clock that the tests turn."""

from __future__ import annotations

import threading

import pytest

from memgraph import metrics
from memgraph.domain.errors import GraphUnavailable, Overloaded
from memgraph.graph.permits import Permits
from memgraph.metrics import Metric
from memgraph.services.ingest.pressure import (
    AdaptiveRate,
    ByteBuffer,
    Circuit,
    CircuitBreaker,
    Pressure,
)
from memgraph.services.metering import NullMeters, Sampler


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class TestByteBuffer:
    def test_it_refuses_what_does_not_fit(self) -> None:
        buffer = ByteBuffer(100)
        with buffer.hold(60), pytest.raises(Overloaded), buffer.hold(41):
            pass
        assert buffer.used_bytes == 0
        with buffer.hold(60), buffer.hold(40):
            assert buffer.used_bytes == 100

    def test_something_larger_goes_through_alone(self) -> None:
        buffer = ByteBuffer(100)
        with buffer.hold(500), pytest.raises(Overloaded), buffer.hold(1):
            pass

    def test_who_may_wait_gets_what_others_free(self) -> None:
        buffer = ByteBuffer(100)
        held, release = threading.Event(), threading.Event()

        def hold() -> None:
            with buffer.hold(100):
                held.set()
                release.wait(60)

        thread = threading.Thread(target=hold)
        thread.start()
        assert held.wait(60)
        threading.Timer(0.05, release.set).start()
        with buffer.hold(100, wait_s=60):
            assert buffer.used_bytes == 100
        thread.join()


class TestAdaptiveRate:
    def test_a_full_bucket_then_credit_that_time_pays(self, clock: Clock) -> None:
        rate = AdaptiveRate(1_000, clock=clock)
        assert rate.take(1_000) == 0
        assert rate.take(500) == 0.5
        clock.now += 1.0
        assert rate.take(500) == 0

    def test_slow_writes_cut_the_rate_and_fast_ones_restore_it(self, clock: Clock) -> None:
        rate = AdaptiveRate(1_000, slow_s=1.0, clock=clock)
        rate.observe(1.5)
        assert rate.per_s == pytest.approx(700)
        for _ in range(100):
            rate.observe(1.5)
        assert rate.per_s == pytest.approx(10)
        for _ in range(60):
            rate.observe(0.1)
        assert rate.per_s == 1_000


class TestCircuitBreaker:
    def fail(self, breaker: CircuitBreaker, times: int) -> None:
        for _ in range(times):
            breaker.enter()
            breaker.leave(is_failure=True)

    def test_it_opens_by_rate_and_not_by_a_few(self, clock: Clock) -> None:
        breaker = CircuitBreaker(clock=clock)
        self.fail(breaker, 10)
        for _ in range(9):
            breaker.leave(is_failure=False)
        assert breaker.state is Circuit.CLOSED
        self.fail(breaker, 1)
        assert breaker.state is Circuit.OPEN
        with pytest.raises(Overloaded) as caught:
            breaker.enter()
        assert caught.value.facts["retry_after_s"] == 1

    def test_old_failures_are_forgotten(self, clock: Clock) -> None:
        breaker = CircuitBreaker(clock=clock)
        self.fail(breaker, 19)
        clock.now += 31
        self.fail(breaker, 1)
        assert breaker.state is Circuit.CLOSED

    def test_one_probe_at_a_time_and_longer_waits(self, clock: Clock) -> None:
        breaker = CircuitBreaker(clock=clock)
        self.fail(breaker, 20)
        for wait_s in (1, 2, 4, 8, 8):
            clock.now += wait_s - 0.1
            with pytest.raises(Overloaded):
                breaker.enter()
            clock.now += 0.1
            breaker.enter()
            with pytest.raises(Overloaded):
                breaker.enter()
            breaker.leave(is_failure=True)
        clock.now += 8
        breaker.enter()
        breaker.leave(is_failure=False)
        assert breaker.state is Circuit.CLOSED
        self.fail(breaker, 19)
        assert breaker.state is Circuit.CLOSED

    def test_what_began_before_does_not_settle_the_probe(self, clock: Clock) -> None:
        breaker = CircuitBreaker(clock=clock)
        breaker.enter()
        self.fail(breaker, 20)
        breaker.leave(is_failure=False)
        assert breaker.state is Circuit.OPEN


class TestPressure:
    def test_only_a_server_that_is_away_is_a_failure(self) -> None:
        pressure = Pressure(breaker=CircuitBreaker(least_calls=1))
        with pytest.raises(ValueError, match="ours"), pressure.writing(1):
            raise ValueError("ours")
        assert pressure.breaker.state is Circuit.CLOSED
        with pytest.raises(GraphUnavailable), pressure.writing(1):
            raise GraphUnavailable("away")
        assert pressure.breaker.state is Circuit.OPEN
        with pytest.raises(Overloaded), pressure.writing(1):
            raise AssertionError("must not be reached")

    def test_it_waits_for_tokens_and_refuses_a_long_wait(self, clock: Clock) -> None:
        slept: list[float] = []
        rate = AdaptiveRate(100, clock=clock)
        pressure = Pressure(rate=rate, wait_s=2.0, sleep=slept.append)
        for events in (100, 150):
            with pressure.writing(events):
                pass
        assert slept == [1.5]
        with pytest.raises(Overloaded) as caught, pressure.writing(100):
            pass
        assert caught.value.facts["retry_after_s"] == 3
        clock.now += 1.5
        with pressure.writing(0):
            pass
        assert slept == [1.5]


def test_the_levels_are_shown() -> None:
    shown: dict[Metric, float] = {}

    class Shown(NullMeters):
        def set(self, metric: Metric, value: float) -> None:
            shown[metric] = value

    pressure = Pressure(breaker=CircuitBreaker(least_calls=1))
    permits = Permits(limit=3, acquire_timeout_ms=1)
    sampler = Sampler(Shown(), permits.figures, 3, lambda: 0, pressure=pressure.figures)
    names = (metrics.BUFFER_BYTES, metrics.WRITE_RATE_LIMIT, metrics.CIRCUIT_OPEN)
    with pressure.buffer.hold(7):
        sampler.sample()
    assert [shown[name] for name in names] == [7, 10_000, 0]
    with pytest.raises(GraphUnavailable), pressure.writing(1):
        raise GraphUnavailable("away")
    sampler.sample()
    assert [shown[name] for name in names] == [0, 10_000, 1]
