"""One file per resource. A new resource is one file and one entry here."""

from memgraph.api.operations import Routes
from memgraph.api.routes import (
    access,
    agents,
    conversations,
    dead_letters,
    event_stream,
    health,
    ingest,
    models,
    otlp,
    query,
    questions,
    records,
    sessions,
    templates,
)

RESOURCES: tuple[Routes, ...] = (
    sessions.routes,
    conversations.routes,
    agents.routes,
    templates.routes,
    models.routes,
    records.routes,
    questions.routes,
    query.routes,
    ingest.routes,
    otlp.routes,
    event_stream.routes,
    dead_letters.routes,
    access.routes,
    health.routes,
)

__all__ = ["RESOURCES"]
