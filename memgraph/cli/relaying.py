"""relay: deliver the events of what was written, until told to stop."""

from __future__ import annotations

import click

from memgraph.cli.common import (
    err,
    json_option,
    metered,
    open_app,
    out,
    print_json,
    settings_options,
    stopped_by_signals,
)
from memgraph.domain.errors import StackError
from memgraph.endpoints import kafka_brokers
from memgraph.settings import Settings

RETRY_FOR_S = 2.0
"""The relay waits for a graph that is away by itself, and can be stopped meanwhile."""


@click.command(epilog="Example: memgraph relay --once")
@click.option("--once", is_flag=True, help="Deliver what waits, then end.")
@click.option("--tenant", help="Only the events of this tenant; others wait.")
@json_option
@settings_options
def relay(settings: Settings, *, once: bool, tenant: str | None, as_json: bool) -> None:
    """Deliver the events of what was written to Kafka and Redis, in order, at least once.

    One relay works at a time; another one waits and takes over. SIGTERM and Ctrl-C end it
    between two deliveries.
    """
    from memgraph.adapters.outlets import open_relay

    brokers = _brokers(settings)
    meters = metered(settings.outbox.metrics_port)
    with (
        open_app(settings, retry_for_s=RETRY_FOR_S, meters=meters) as app,
        open_relay(
            app.graph,
            settings,
            redis_url=app.redis_url,
            brokers=brokers,
            tenant_id=tenant,
            meters=meters,
        ) as found,
    ):
        if once:
            delivered = found.drain()
            found.end()
            if as_json:
                print_json({"delivered": delivered})
            else:
                out.print(f"{delivered} events delivered")
            return
        sinks = ", ".join(found.sinks) or "nowhere, so that old ones are removed"
        err.print(f"events go to {sinks}")
        found.work(stopped_by_signals())


def _brokers(settings: Settings) -> str:
    """Kafka where one is known; events may do without."""
    try:
        return kafka_brokers(settings)
    except StackError:
        return ""


COMMANDS = (relay,)
