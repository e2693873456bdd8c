"""Find nodes by words and by vectors, best first.

The full-text index knows no tenants, so its hits are filtered, and asked for
again in greater number when too few of them are this tenant's. The vector index
keeps the tenant beside the vector and searches inside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from memgraph.domain.schema import GraphModel, NodeSpec
from memgraph.domain.selection import Test
from memgraph.graph.ddl import Kind
from memgraph.graph.fulltext import any_word
from memgraph.graph.nodes import public
from memgraph.graph.planner import Access, access
from memgraph.graph.selection import VISIBLE, asked_of, conditions_of, projection, reader_of
from memgraph.graph.selector import values_of
from memgraph.graph.session import Graph, Row

MOST_HITS = 100_000
"""Hits of an index that are looked at."""
_GROWTH = 16
_FEWEST_HITS = 100


@dataclass(frozen=True, slots=True)
class Hit:
    """A node with what the index holds of it, higher is better."""

    spec: NodeSpec
    node: Row
    score: float


class Searcher:
    """Search one graph. Threads may share it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def by_text(
        self, tenant_id: str, spec: NodeSpec, text: str, tests: Sequence[Test], *, limit: int
    ) -> list[Hit]:
        """The nodes whose text holds most of the words. The rarer a word, the more it counts."""
        return self._search(
            text_statement, spec, tests, limit, tenant_id=tenant_id, words=any_word(text)
        )

    def by_vector(
        self,
        tenant_id: str,
        spec: NodeSpec,
        vector: Sequence[float],
        tests: Sequence[Test],
        *,
        limit: int,
    ) -> list[Hit]:
        """The nodes with the nearest vectors. The score is the cosine, -1 to 1."""
        hits = self._search(
            vector_statement, spec, tests, limit, tenant_id=tenant_id, vector=list(vector)
        )
        # The server's score is (1 + cosine) / 2.
        return [Hit(hit.spec, hit.node, 2 * hit.score - 1) for hit in hits]

    def _search(
        self,
        statement: Callable[[NodeSpec, tuple[tuple[str, str], ...]], str],
        spec: NodeSpec,
        tests: Sequence[Test],
        limit: int,
        **asked: Any,
    ) -> list[Hit]:
        text = statement(spec, asked_of(tests))
        hits = max(limit, _FEWEST_HITS)
        while True:
            parameters = {**asked, **values_of(tests), "limit": limit, "hits": hits}
            [found] = self._graph.read(text, **parameters)
            is_all = found["hits"] < hits or hits >= MOST_HITS
            if is_all or len(found["rows"]) >= limit:
                read = reader_of(spec)
                return [Hit(spec, public(spec, read(row[1:])), row[0]) for row in found["rows"]]
            hits = min(hits * _GROWTH, MOST_HITS)


def searched(model: GraphModel) -> list[NodeSpec]:
    """Classes with a text that can be searched."""
    return [s for s in model.nodes.values() if any(p.fulltext for p in s.properties)]


def dimensions(spec: NodeSpec) -> int | None:
    """Numbers of a vector of this class; None when it has none."""
    return next((p.vector for p in spec.properties if p.vector), None)


def text_access(spec: NodeSpec) -> Access:
    """The index of the words."""
    return access("fulltext", spec, Kind.FULLTEXT)


def vector_access(spec: NodeSpec) -> Access:
    """The index of the vectors."""
    return access("vector", spec, Kind.VECTOR)


@lru_cache(maxsize=1_024)
def text_statement(spec: NodeSpec, asked: tuple[tuple[str, str], ...]) -> str:
    """One row: how many hits there were, and those that may be seen. Parameters: words, hits."""
    index = text_access(spec).index
    return (
        f"CALL db.index.fulltext.queryNodes('{index}', $words, {{limit: $hits}})\n"
        f"YIELD node, score\n"
        f"{_visible(spec, asked)}"
    )


@lru_cache(maxsize=1_024)
def vector_statement(spec: NodeSpec, asked: tuple[tuple[str, str], ...]) -> str:
    """The same for the nearest vectors. Parameters: vector, hits."""
    found = vector_access(spec)
    return (
        f"CYPHER 25 MATCH (node:{spec.label})\n"
        f"SEARCH node IN (VECTOR INDEX {found.index} FOR $vector\n"
        f"                WHERE node.tenant_id = $tenant_id LIMIT $hits) SCORE AS score\n"
        f"{_visible(spec, asked)}"
    )


def _visible(spec: NodeSpec, asked: tuple[tuple[str, str], ...]) -> str:
    owned = [f"n:{spec.label}{VISIBLE}", "n.tenant_id = $tenant_id"]
    conditions = "\n    AND ".join([*owned, *conditions_of(asked)])
    return (
        f"WITH collect(node) AS nodes, collect(score) AS scores\n"
        f"RETURN size(nodes) AS hits, COLLECT {{\n"
        f"  UNWIND range(0, size(nodes) - 1) AS i\n"
        f"  WITH nodes[i] AS n, scores[i] AS score\n"
        f"  WHERE {conditions}\n"
        f"  LIMIT $limit\n"
        f"  RETURN [score, {projection(spec)}]\n"
        f"}} AS rows"
    )
