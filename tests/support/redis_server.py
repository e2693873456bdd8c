"""A real Redis for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memgraph.local import find, start, stop
from memgraph.settings import Settings


@contextmanager
def redis_for_tests(data_dir: Path) -> Iterator[str]:
    """The address of ``MEMGRAPH_TEST_REDIS_URL``, of the running stack, or of a new process."""
    running = find(Settings().data_dir)
    url = os.environ.get("MEMGRAPH_TEST_REDIS_URL") or (running.redis if running else None)
    if url:
        yield url
        return
    stack = start(data_dir, neo4j=False, detach=False, on_progress=print)
    assert stack.redis
    yield stack.redis
    stop(data_dir)
