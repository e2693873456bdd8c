"""How jobs are declared, and how their ends are counted."""

from __future__ import annotations

from typing import Any, cast

import pytest
from celery.schedules import crontab

from memgraph import metrics
from memgraph.adapters.meters import PrometheusMeters
from memgraph.bootstrap import App
from memgraph.domain.errors import Conflict, InvalidInput, StackError
from memgraph.settings import Settings
from tasks.app import configuration, make_app
from tasks.job import Job, job
from tasks.schedule import JOBS, find_job


class Parts:
    """What a job is given, as far as these need it."""

    def __init__(self) -> None:
        self.meters = PrometheusMeters()

    def runs(self, of: Job, status: str) -> float | None:
        labels = {"job": of.name, "status": status}
        return self.meters.registry.get_sample_value(metrics.JOB_RUNS.name, labels)


@pytest.fixture
def parts() -> Parts:
    return Parts()


def end(of: Job, parts: Parts) -> dict[str, Any]:
    return of.run(cast(App, parts))


@job(schedule="0 4 * * 1", time_limit_s=60)
def tell_something(_: App) -> dict[str, Any]:
    """Tell something.

    Of no use.
    """
    return {"told": 1}


@job(schedule="0 4 * * 1", time_limit_s=60)
def refuse(_: App) -> dict[str, Any]:
    raise Conflict("no")


@job(schedule="0 4 * * 1", time_limit_s=60)
def break_down(_: App) -> dict[str, Any]:
    raise ZeroDivisionError


def test_a_job_is_called_and_described_by_its_function() -> None:
    assert (tell_something.name, tell_something.purpose) == ("tell_something", "Tell something.")
    assert refuse.purpose == ""


def test_how_it_ended_is_counted(parts: Parts) -> None:
    assert end(tell_something, parts) == end(tell_something, parts) == {"told": 1}
    assert parts.runs(tell_something, "ok") == 2
    with pytest.raises(Conflict):
        end(refuse, parts)
    assert parts.runs(refuse, "conflict") == 1
    with pytest.raises(ZeroDivisionError):
        end(break_down, parts)
    assert parts.runs(break_down, "failed") == 1


def test_jobs_are_found_by_name() -> None:
    assert find_job("check_balance") is JOBS["check_balance"]
    with pytest.raises(InvalidInput, match="check_balance"):
        find_job("check")


@pytest.mark.parametrize("one", JOBS.values(), ids=JOBS)
def test_every_job_has_a_time_and_says_what_it_is_for(one: Job) -> None:
    assert isinstance(crontab.from_string(one.schedule), crontab)
    assert one.purpose.endswith(".")
    assert one.time_limit_s > 0


class TestCelery:
    @pytest.fixture
    def told(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Any:
        monkeypatch.setenv("MEMGRAPH_DATA_DIR", str(tmp_path / "new"))
        monkeypatch.setenv("MEMGRAPH_REDIS__URL", "redis://127.0.0.1:1/0")
        return make_app()

    def test_every_job_is_a_task_at_its_time(self, told: Any) -> None:
        beat = told.conf.beat_schedule
        assert {name for name in told.tasks if not name.startswith("celery.")} == set(JOBS)
        assert {entry["task"] for entry in beat.values()} == set(JOBS)
        assert beat["check_balance"]["schedule"] == crontab(minute="10", hour="3")
        assert told.tasks["check_balance"].time_limit == JOBS["check_balance"].time_limit_s

    def test_nothing_but_json_is_taken(self, told: Any) -> None:
        assert (told.conf.accept_content, told.conf.task_serializer) == (["json"], "json")

    def test_no_task_comes_again_while_it_may_run(self, told: Any) -> None:
        again_s = told.conf.broker_transport_options["visibility_timeout"]
        assert again_s > max(one.time_limit_s for one in JOBS.values())

    def test_it_needs_redis(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
        monkeypatch.setenv("MEMGRAPH_DATA_DIR", str(tmp_path))
        monkeypatch.delenv("MEMGRAPH_REDIS__URL", raising=False)
        assert not Settings().redis.url.get_secret_value()
        with pytest.raises(StackError, match="need Redis"):
            configuration()
