"""The REST service: routes translate HTTP to services and back, nothing else."""

from memgraph.api.application import create_app

__all__ = ["create_app"]
