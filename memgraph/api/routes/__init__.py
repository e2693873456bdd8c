"""One file per resource. A new resource is one file and one entry here."""

from memgraph.api.operations import Routes
from memgraph.api.routes import conversations, health, questions, sessions

RESOURCES: tuple[Routes, ...] = (
    sessions.routes,
    conversations.routes,
    questions.routes,
    health.routes,
)

__all__ = ["RESOURCES"]
