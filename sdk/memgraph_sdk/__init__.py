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
from memgraph_sdk.version import __version__

__all__ = [
    "BrokenRule",
    "Client",
    "Conflict",
    "Forbidden",
    "InvalidInput",
    "MemgraphError",
    "NotFound",
    "PreconditionFailed",
    "RateLimited",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "__version__",
]
