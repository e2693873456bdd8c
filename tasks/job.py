"""How a job is declared. Nothing here needs Celery, so any job can be run by hand."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from memgraph import metrics
from memgraph.bootstrap import App
from memgraph.domain.errors import MemgraphError

Work = Callable[[App], dict[str, Any]]


@dataclass(frozen=True)
class Job:
    """Something to do by the clock. A queue may deliver it twice: twice must do no harm."""

    work: Work
    schedule: str
    """When, as in a crontab, UTC."""
    time_limit_s: int
    """When a worker kills it."""

    @property
    def name(self) -> str:
        return self.work.__name__

    @property
    def purpose(self) -> str:
        """The first line of its docstring."""
        return (inspect.getdoc(self.work) or "").partition("\n")[0]

    def run(self, app: App) -> dict[str, Any]:
        """Do it, count how it ended, and answer what it found."""
        status = "failed"
        try:
            found = self.work(app)
            status = "ok"
        except MemgraphError as error:
            status = error.code
            raise
        finally:
            app.meters.count(metrics.JOB_RUNS, job=self.name, status=status)
        return found


def job(*, schedule: str, time_limit_s: int) -> Callable[[Work], Job]:
    """Declare a function as a job of its name."""
    return lambda work: Job(work, schedule, time_limit_s)
