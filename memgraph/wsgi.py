"""Serve the API: ``python -m memgraph.wsgi [FILE]`` with the settings of a TOML file.

The server process reads the settings and starts workers. Each worker makes its
application, and so its connections, for itself.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from functools import partial
from importlib.util import find_spec
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING, Any

from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server import Server

from memgraph import telemetry
from memgraph.adapters.meters import MULTIPROC_DIR, PrometheusMeters, forget_dead_workers
from memgraph.adapters.names import open_names
from memgraph.api import create_app
from memgraph.api.limits import REFUSING_THREADS
from memgraph.bootstrap import build, collect_seldom
from memgraph.domain.errors import MemgraphError, StackError
from memgraph.endpoints import redis_url
from memgraph.graph import migrations
from memgraph.local.tether import tie_to_parent
from memgraph.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from flask import Flask

SHARING_WORKERS = 2
"""Two clients that send batches got 3,700 events/s from a process each and 2,700 from one for
both (two cores, Neo4j beside them)."""
LOGGING: dict[str, Any] = {"handlers": {}, "formatters": {}, "loggers": {"_granian": {}}}
"""The server's own lines go where all others go."""


def application(settings: Settings, process: int) -> Flask:
    """Make the application of one worker of the process ``process``."""
    tie_to_parent(process)
    telemetry.configure_logging()
    telemetry.configure_tracing()
    forget_dead_workers()
    meters = PrometheusMeters()
    collect_seldom()
    app = build(settings, meters=meters)
    # Workers end without `atexit`.
    Finalize(None, telemetry.flush_traces, exitpriority=0)
    Finalize(None, app.close, exitpriority=1)
    stopping = stop_signal()
    # Where the doors are open traces are put together: no other process is needed.
    threading.Thread(
        target=app.services.traces.work, args=(stopping,), name="memgraph-traces", daemon=True
    ).start()
    if settings.otlp.grpc_port:
        from memgraph.rpc.otlp import serve as serve_otlp

        server, _ = serve_otlp(app.services, f"{settings.api.host}:{settings.otlp.grpc_port}")
        Finalize(None, server.stop, args=(None,), exitpriority=2)
    # Its figures are there from the start, not from the first request that it happens to get.
    app.services.sampler.sample()
    return create_app(app.services, meters.registry, stopping)


def stop_signal() -> threading.Event:
    """An event that is set when this worker is told to stop, whoever handles the signal."""
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    stopping = threading.Event()

    def wait() -> None:
        while not stopping.is_set():
            if {signal.SIGTERM, signal.SIGINT} & set(os.read(told, 64)):
                stopping.set()

    threading.Thread(target=wait, name="memgraph-stop", daemon=True).start()
    return stopping


def with_workers(settings: Settings) -> Settings:
    """Say how many processes answer requests.

    Decided once, before there are any: a worker that is started again while Redis is away has
    to know that it is not alone.
    """
    workers = settings.api.workers or (SHARING_WORKERS if redis_url(settings) else 1)
    return settings.model_copy(update={"api": settings.api.model_copy(update={"workers": workers})})


def migrate(settings: Settings) -> None:
    """Bring the schema of a local stack up to date; that of another server is its operator's."""
    if settings.neo4j.uri:
        return
    with build(settings) as app:
        migrations.apply(app.graph, app.model, migrations.migrations_directory())


def serve(settings: Settings) -> None:
    """Serve until told to stop."""
    telemetry.configure_logging()
    if settings.otlp.grpc_port and not find_spec("grpc"):
        raise StackError('OTLP/gRPC needs an extra: pip install "llm-memory-graph[grpc]"')
    # A worker that cannot begin is started again and again.
    open_names(settings.ingest.names_model)
    migrate(settings)
    settings = with_workers(settings)
    with tempfile.TemporaryDirectory(prefix="memgraph-metrics-") as shared:
        os.environ[MULTIPROC_DIR] = shared
        Server(
            "memgraph",
            address=settings.api.host,
            port=settings.api.port,
            interface=Interfaces.WSGI,
            workers=settings.api.workers,
            blocking_threads=settings.api.threads + REFUSING_THREADS + settings.api.event_streams,
            workers_kill_timeout=settings.api.graceful_timeout_s,
            respawn_failed_workers=True,
            log_level=LogLevels.warning,
            log_dictconfig=LOGGING,
        ).serve(target_loader=partial(application, settings, os.getpid()), wrap_loader=False)


def main(arguments: list[str]) -> None:
    """Serve with the settings of a file and the environment."""
    try:
        serve(load_settings(Path(arguments[0]) if arguments else None))
    except (MemgraphError, SettingsError) as error:
        sys.exit(f"memgraph: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
