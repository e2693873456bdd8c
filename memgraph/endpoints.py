"""Where the servers are: as configured, else those of the local stack."""

from __future__ import annotations

from pydantic import SecretStr

from memgraph import local
from memgraph.domain.errors import StackError
from memgraph.settings import Neo4jSettings, Settings


def server_settings(settings: Settings) -> Neo4jSettings:
    """The configured server, else the local stack of the data directory."""
    if settings.neo4j.uri:
        return settings.neo4j
    stack = local.find(settings.data_dir)
    if stack is None or stack.bolt is None:
        failure = local.last_failure(settings.data_dir)
        raise StackError(
            (f"the local stack stopped: {failure}\n" if failure else "no Neo4j is running; ")
            + "start one with `memgraph up`, or set MEMGRAPH_NEO4J__URI to use yours"
        )
    return settings.neo4j.model_copy(
        update={
            "uri": stack.bolt,
            "user": stack.neo4j_user,
            "password": SecretStr(stack.neo4j_password or ""),
        }
    )


def redis_url(settings: Settings) -> str:
    """The address of the configured Redis, else of the local stack's where its Neo4j is used."""
    if configured := settings.redis.url.get_secret_value():
        return configured
    if settings.neo4j.uri:
        # The stack's Redis is for its own graph: another one may have the same tenants.
        return ""

    stack = local.find(settings.data_dir)
    return (stack.redis or "") if stack else ""


def kafka_brokers(settings: Settings) -> str:
    """The configured brokers, else the local stack's. Raises StackError."""
    if settings.kafka.brokers:
        return settings.kafka.brokers

    # As with Redis: the stack's topics are for its own graph.
    stack = None if settings.neo4j.uri else local.find(settings.data_dir)
    if stack is None or stack.kafka is None:
        raise StackError(
            "no Kafka is known; start one with `memgraph up --with-kafka`, "
            "or set MEMGRAPH_KAFKA__BROKERS to use yours"
        )
    return stack.kafka
