"""Python client of the memory and lineage graph for LLM systems."""

from memgraph_sdk.client import Client
from memgraph_sdk.errors import (
    BrokenRule,
    Conflict,
    Forbidden,
    InvalidInput,
    MemgraphError,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
)
from memgraph_sdk.listening import Changes
from memgraph_sdk.observe import observe
from memgraph_sdk.observing import configure, current_call, flush, stats
from memgraph_sdk.recorder import Bounds, Stats
from memgraph_sdk.version import __version__

__all__ = [
    "Bounds",
    "BrokenRule",
    "Changes",
    "Client",
    "Conflict",
    "Forbidden",
    "InvalidInput",
    "MemgraphError",
    "NotFound",
    "PreconditionFailed",
    "RateLimited",
    "Stats",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "__version__",
    "configure",
    "current_call",
    "flush",
    "observe",
    "stats",
]
