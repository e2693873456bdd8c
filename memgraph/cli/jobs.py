"""jobs: what is done by the clock, done by hand."""

from __future__ import annotations

import click

from memgraph.cli import render
from memgraph.cli.common import json_option, open_app, out, print_json, settings_options
from memgraph.settings import Settings


@click.group()
def jobs() -> None:
    """List what is done by the clock, or do it now. The clock: `celery -A tasks.app worker -B`."""


@jobs.command("list", epilog="Example: memgraph jobs list")
@json_option
def list_jobs(*, as_json: bool) -> None:
    """List the jobs and when they run, UTC."""
    from tasks.schedule import JOBS

    rows = [
        {"name": job.name, "schedule": job.schedule, "purpose": job.purpose}
        for job in sorted(JOBS.values(), key=lambda job: job.name)
    ]
    if as_json:
        print_json(rows)
    else:
        out.print(render.jobs(rows))


@jobs.command("run", epilog="Example: memgraph jobs run check_balance")
@click.argument("name")
@settings_options
def run_job(settings: Settings, *, name: str) -> None:
    """Run a job here and now, and print what it found."""
    from tasks.schedule import find_job

    job = find_job(name)
    with open_app(settings) as app:
        print_json(job.run(app))


COMMANDS = (jobs,)
