"""The Celery application: ``celery -A tasks.app worker -B``. Redis is the broker.

Settings come from the environment, when a worker starts and not before.
"""

from __future__ import annotations

import atexit
import os
import tempfile
from functools import cache
from typing import Any

from celery import Celery
from celery.schedules import crontab
from celery.signals import setup_logging, worker_init

from memgraph import telemetry
from memgraph.adapters.meters import MULTIPROC_DIR, PrometheusMeters, expose_all
from memgraph.bootstrap import build
from memgraph.domain.errors import StackError
from memgraph.endpoints import redis_url
from memgraph.settings import load_settings
from tasks.job import Job
from tasks.schedule import JOBS


def configuration() -> dict[str, Any]:
    """What Celery is told. Raises StackError without Redis."""
    settings = load_settings()
    url = redis_url(settings)
    if not url:
        raise StackError("jobs need Redis; set MEMGRAPH_REDIS__URL or use the local stack")
    folder = settings.data_dir / "jobs"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {
        "broker_url": url,
        "broker_connection_retry_on_startup": True,
        # A killed task comes again only after this; a longer one would run twice at once.
        "broker_transport_options": {
            "global_keyprefix": "jobs:",
            "visibility_timeout": 2 * max(job.time_limit_s for job in JOBS.values()),
        },
        "task_acks_late": True,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_default_queue": "memgraph",
        "timezone": "UTC",
        # Jobs are few and by night; `--concurrency` asks for more.
        "worker_concurrency": 1,
        "beat_schedule": {
            job.name: {"task": job.name, "schedule": crontab.from_string(job.schedule)}
            for job in JOBS.values()
        },
        "beat_schedule_filename": str(folder / "schedule"),
    }


def make_app() -> Celery:
    """Make an application that knows all jobs."""
    made = Celery("memgraph", set_as_current=False)
    made.add_defaults(configuration)
    for job in JOBS.values():
        _add(made, job)
    return made


def _add(made: Celery, job: Job) -> None:
    def run() -> dict[str, Any]:
        with build(load_settings(), meters=_meters()) as parts:
            return job.run(parts)

    made.task(name=job.name, shared=False, time_limit=job.time_limit_s)(run)


@cache
def _meters() -> PrometheusMeters:
    return PrometheusMeters()


def _log_as_we_do(**_: Any) -> None:
    """Keep Celery from setting up the logs; it asks whether somebody else does."""
    telemetry.configure_logging()


def _show_figures(**_: Any) -> None:
    """Show what all processes of this worker count, which have yet to be forked."""
    if port := load_settings().jobs.metrics_port:
        folder = tempfile.TemporaryDirectory(prefix="memgraph-jobs-")
        atexit.register(folder.cleanup)
        os.environ[MULTIPROC_DIR] = folder.name
        expose_all(port)


app = make_app()
setup_logging.connect(_log_as_we_do)
worker_init.connect(_show_figures)
