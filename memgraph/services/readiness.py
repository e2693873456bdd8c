"""Whether the service can do its work now."""

from __future__ import annotations

from dataclasses import dataclass

from memgraph.domain.errors import SchemaOutdated
from memgraph.domain.schema import GraphModel
from memgraph.graph.ddl import difference
from memgraph.graph.session import Graph


@dataclass(eq=False)
class Readiness:
    """Asks the graph; what was found good once is not looked at again."""

    graph: Graph
    model: GraphModel
    is_current: bool = False

    def check(self) -> None:
        """Raise GraphUnavailable or SchemaOutdated."""
        self.graph.read("RETURN 1 AS one")
        if not self.is_current:
            found = difference(self.model, self.graph)
            if found.missing or found.changed:
                raise SchemaOutdated(
                    "the schema is not that of this version; run `memgraph migrate`"
                )
            self.is_current = True
