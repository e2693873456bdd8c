"""Neo4j, Redis and Kafka as supervised local processes, from pip packages alone.

One way with three users: ``memgraph up``, the demo and the tests. The public API is
``memgraph.local.stack``, re-exported here. Nothing here reads settings or the environment.
"""

from memgraph.local.stack import default_data_dir, find, last_failure, prepare, start, stop
from memgraph.local.state import StackState

__all__ = ["StackState", "default_data_dir", "find", "last_failure", "prepare", "start", "stop"]
