"""What commands share: options, settings, the application, output."""

from __future__ import annotations

import functools
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console

from memgraph.bootstrap import App, build, collect_seldom
from memgraph.services.ports import Meters
from memgraph.settings import Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])

out = Console(highlight=False, soft_wrap=False)
err = Console(stderr=True, highlight=False)


def settings_options(command: F) -> F:
    """Give a command ``--config`` and ``--data-dir`` and pass it ``settings``."""

    @click.option("--config", type=click.Path(path_type=Path), help="TOML file with settings.")
    @click.option("--data-dir", type=click.Path(path_type=Path), help="Local stack to use.")
    @functools.wraps(command)
    def wrapper(
        *args: Any, config: Path | None = None, data_dir: Path | None = None, **kwargs: Any
    ) -> Any:
        settings = load_settings(config)
        if data_dir is not None:
            settings = of_local_stack(settings.model_copy(update={"data_dir": data_dir}))
        return command(*args, settings=settings, **kwargs)

    return wrapper  # type: ignore[return-value]


def of_local_stack(settings: Settings) -> Settings:
    """The same settings, meaning the local stack whatever server the environment names."""
    server = settings.neo4j.model_copy(update={"uri": ""})
    return settings.model_copy(update={"neo4j": server})


def tenant_option(command: F) -> F:
    """Give a command ``--tenant`` and pass it ``tenant``, the settings' one by default."""

    @click.option("--tenant", help="Tenant to work in; the settings name the default.")
    @functools.wraps(command)
    def wrapper(*args: Any, tenant: str | None = None, **kwargs: Any) -> Any:
        settings: Settings = kwargs["settings"]
        return command(*args, tenant=tenant or settings.tenant, **kwargs)

    return wrapper  # type: ignore[return-value]


def stopped_by_signals() -> threading.Event:
    """What SIGTERM and Ctrl-C set from now on, for work that ends in order."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def open_app(settings: Settings, **options: Any) -> App:
    """Connect to the configured server or the local stack."""
    collect_seldom()
    return build(settings, **options)


def metered(port: int) -> Meters | None:
    """Figures of a process without a service, shown on a port; None for port 0."""
    if not port:
        return None
    from memgraph.adapters.meters import PrometheusMeters, expose

    meters = PrometheusMeters()
    expose(meters, port)
    return meters


def print_json(value: Any) -> None:
    """Print a value as indented JSON with sorted keys, times in ISO 8601."""
    data = orjson.dumps(
        value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z, default=str
    )
    sys.stdout.write(data.decode() + "\n")
