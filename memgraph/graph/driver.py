"""Open a driver. Nothing connects until it is asked to."""

from __future__ import annotations

import neo4j

from memgraph.settings import Neo4jSettings


def open_driver(settings: Neo4jSettings) -> neo4j.Driver:
    """Make a driver for the server in ``settings``.

    UNRECOGNIZED notifications are off: a label that is not used yet would flood the log.
    """
    return neo4j.GraphDatabase.driver(
        settings.uri,
        auth=(settings.user, settings.password.get_secret_value()),
        max_connection_pool_size=settings.max_connections,
        connection_acquisition_timeout=settings.acquire_timeout_ms / 1000,
        notifications_disabled_classifications=["UNRECOGNIZED"],
        warn_notification_severity="OFF",
        user_agent="llm-memory-graph",
    )
