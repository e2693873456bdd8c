"""All jobs by name: what the modules of ``tasks.jobs`` declare."""

from __future__ import annotations

import importlib
import pkgutil

from memgraph.domain.errors import InvalidInput
from tasks import jobs
from tasks.job import Job


def _declared() -> dict[str, Job]:
    modules = (importlib.import_module(f"{jobs.__name__}.{found.name}") for found in _found())
    every = (value for module in modules for value in vars(module).values())
    return {one.name: one for one in every if isinstance(one, Job)}


def _found() -> list[pkgutil.ModuleInfo]:
    return list(pkgutil.iter_modules(jobs.__path__))


JOBS = _declared()


def find_job(name: str) -> Job:
    """The job of a name. Raises InvalidInput."""
    if name not in JOBS:
        raise InvalidInput("NAME", f"must be one of {', '.join(sorted(JOBS))}")
    return JOBS[name]
