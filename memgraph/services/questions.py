"""Lists and queries over any class: pages, streams, counts, search, neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from memgraph.domain.access import Principal, permission_to_read
from memgraph.domain.errors import Forbidden, InvalidInput
from memgraph.domain.schema import GraphModel, NodeSpec
from memgraph.domain.selection import (
    Checked,
    Condition,
    Operator,
    Selection,
    Way,
    check_conditions,
    check_text,
    words_of,
)
from memgraph.graph import search as searching
from memgraph.graph.kinds import parse_key, show_key
from memgraph.graph.neighbours import NeighbourReader, segments_of
from memgraph.graph.nodes import NodeReader
from memgraph.graph.search import Hit, Searcher
from memgraph.graph.selector import Selector
from memgraph.services.cursors import Cursors
from memgraph.services.ports import Embedder

Row = dict[str, Any]

RANK_CONSTANT = 60
"""k of reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009)."""
FUSED_AT_LEAST = 100
"""Hits of each ranking that is fused: what is low in one may be high in the other."""


class Mode(StrEnum):
    TEXT = "text"
    VECTOR = "vector"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for. Without ``kind`` in every class that can be searched this way."""

    text: str | None = None
    vector: Sequence[float] | None = None
    mode: Mode | None = None
    kind: str | None = None
    where: tuple[Condition, ...] = ()
    limit: int = 20
    vector_model: str | None = None
    """Model that made the vector; None: unknown, so vectors of every model are compared."""


@dataclass(frozen=True, eq=False)
class Questions:
    """Ask about nodes of any kind that the caller may read."""

    model: GraphModel
    nodes: NodeReader
    selector: Selector
    searcher: Searcher
    neighbour_reader: NeighbourReader
    cursors: Cursors
    embedder: Embedder | None = None
    """Makes vectors of what is searched for by meaning; without it callers bring their own."""

    def page(
        self,
        caller: Principal,
        selection: Selection,
        *,
        cursor: str | None = None,
        count: bool = False,
        explain: bool = False,
    ) -> Row:
        """A page with ``items`` and ``next_cursor``; ``count`` and ``plan`` when asked for.

        One round trip, one more for the count. Raises InvalidInput, Forbidden.
        """
        checked = self._check(caller, selection)
        question = replace(selection, limit=0)
        after = self.cursors.open(caller.tenant_id, question, cursor) if cursor else None
        page = self.selector.page(caller.tenant_id, checked, limit=selection.limit, after=after)
        answer: Row = {"items": page.items, "next_cursor": None}
        if page.end is not None:
            answer["next_cursor"] = self.cursors.seal(caller.tenant_id, question, page.end)
        if count:
            answer["count"] = self.count(caller, selection)
        if explain:
            answer["plan"] = self.selector.explain(checked)
        return answer

    def children(
        self, caller: Principal, selection: Selection, *, cursor: str | None, explain: bool
    ) -> Row:
        """A page of what hangs on the first related node. Raises NotFound when there is none."""
        answer = self.page(caller, selection, cursor=cursor, explain=explain)
        if not answer["items"] and cursor is None:
            parent = selection.related[0]
            spec = self.selector.find_spec(parent.kind)
            self.nodes.get(caller.tenant_id, spec.label, parse_key(spec, parent.id))
        return answer

    def stream(self, caller: Principal, selection: Selection) -> Iterator[list[Row]]:
        """All nodes, some at a time. What is wrong with the question is raised at once."""
        return self.selector.stream(caller.tenant_id, self._check(caller, selection))

    def count(self, caller: Principal, selection: Selection) -> Row:
        """How many nodes there are, and whether that is exact or a lower bound."""
        counted = self.selector.count(caller.tenant_id, self._check(caller, selection))
        return {"value": counted.value, "relation": counted.relation}

    def neighbours(
        self,
        caller: Principal,
        kind: str,
        id_: str,
        *,
        type_: str | None = None,
        direction: Way | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Row:
        """A page of what a node is tied to, as far as the caller may read it. Raises NotFound."""
        spec = self.selector.find_spec(kind)
        _permit(caller, spec)
        key = parse_key(spec, id_)
        every = segments_of(self.model, spec)
        types = sorted({s.edge.type for s in every})
        if type_ is not None and type_ not in types:
            raise InvalidInput("type", f"must be one of {', '.join(types)}" if types else "no edge")
        segments = [
            s
            for s in every
            if type_ in (None, s.edge.type) and direction in (None, s.way) and _may(caller, s.end)
        ]
        if not segments:
            self.nodes.get(caller.tenant_id, spec.label, key)
            return {"items": [], "next_cursor": None}
        question = ["neighbours", spec.label, key, type_, direction]
        after = self.cursors.open(caller.tenant_id, question, cursor) if cursor else None
        page = self.neighbour_reader.page(
            caller.tenant_id, spec, key, segments, limit=limit, after=after
        )
        if not page.items and cursor is None:
            self.nodes.get(caller.tenant_id, spec.label, key)
        end = page.end and self.cursors.seal(caller.tenant_id, question, page.end)
        return {"items": page.items, "next_cursor": end}

    def search(self, caller: Principal, search: Search, *, explain: bool = False) -> Row:
        """The best hits, best first, each with kind, id, score and node.

        By vector the score is the cosine. Otherwise it is made of ranks: how much a
        word counts in the index depends on the texts of all tenants, and nobody may
        learn of those. A vector that is not given is made of the text and compared with
        vectors of the same model. Raises InvalidInput, Forbidden, EmbedderUnavailable.
        """
        mode = search.mode or _mode(search)
        if mode is not Mode.TEXT and search.vector is None:
            search = self._embedded(search)
        rankings, plans = [], []
        for way in (Mode.TEXT, Mode.VECTOR) if mode is Mode.HYBRID else (mode,):
            for spec in self._searched(caller, search, way):
                rankings.append(self._rank(caller, search, spec, way))
                found = searching.text_access if way is Mode.TEXT else searching.vector_access
                plans.append({"access": found(spec).method, "index": found(spec).index})
        scored = [(h.score, h) for h in rankings[0]] if mode is Mode.VECTOR else fuse(rankings)
        items = [
            {
                "kind": hit.spec.snake,
                "id": show_key(hit.node[name] for name in hit.spec.key),
                "score": score,
                "node": hit.node,
            }
            for score, hit in scored[: search.limit]
        ]
        return {"mode": mode.value, "items": items, **({"plan": plans} if explain else {})}

    def _embedded(self, search: Search) -> Search:
        if self.embedder is None or not search.text:
            return search
        [vector] = self.embedder.embed([search.text])
        return replace(search, vector=vector.tolist(), vector_model=self.embedder.model_id)

    def _rank(self, caller: Principal, search: Search, spec: NodeSpec, way: Mode) -> list[Hit]:
        tests = check_conditions(spec, search.where)
        if any(test.is_words for test in tests):
            raise InvalidInput("where", "asks for words; a search has them in text")
        limit = max(search.limit, FUSED_AT_LEAST)
        if way is Mode.TEXT:
            text = search.text or ""
            return self.searcher.by_text(caller.tenant_id, spec, text, tests, limit=limit)
        if search.vector_model is not None:
            made_by = Condition("embedding_model", Operator.EQ, search.vector_model)
            tests = (*tests, *check_conditions(spec, [made_by]))
        vector = search.vector or ()
        return self.searcher.by_vector(caller.tenant_id, spec, vector, tests, limit=limit)

    def _searched(self, caller: Principal, search: Search, way: Mode) -> list[NodeSpec]:
        """The classes to look in. Raises InvalidInput when there is none, or nothing to look by."""
        if way is Mode.TEXT:
            _check_text(search.text)
            possible = searching.searched(self.model)
        else:
            possible = [s for s in self.model.nodes.values() if searching.dimensions(s)]
            _check_vector(search.vector, possible)
        if search.kind is None:
            return [spec for spec in possible if _may(caller, spec)]
        spec = self.selector.find_spec(search.kind)
        if spec not in possible:
            kinds = ", ".join(s.snake for s in possible)
            raise InvalidInput("kind", f"must be one of {kinds} for a search by {way.value}")
        _permit(caller, spec)
        return [spec]

    def _check(self, caller: Principal, selection: Selection) -> Checked:
        checked = self.selector.check(selection)
        for spec in (checked.spec, *(step.end for step in checked.steps)):
            _permit(caller, spec)
        return checked


def fuse(rankings: Sequence[Sequence[Hit]]) -> list[tuple[float, Hit]]:
    """Reciprocal rank fusion: the sum of 1 / (k + rank) over the rankings that hold a node."""
    scores: dict[tuple[str, str], float] = {}
    hits: dict[tuple[str, str], Hit] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, start=1):
            name = (hit.spec.label, show_key(hit.node[part] for part in hit.spec.key))
            scores[name] = scores.get(name, 0.0) + 1 / (RANK_CONSTANT + rank)
            hits[name] = hit
    return [(scores[name], hits[name]) for name in sorted(scores, key=lambda n: (-scores[n], n))]


def _mode(search: Search) -> Mode:
    if search.vector is None:
        return Mode.TEXT
    return Mode.VECTOR if search.text is None else Mode.HYBRID


def _check_text(text: str | None) -> None:
    if text is None or not words_of(check_text(text, "text")):
        raise InvalidInput("text", "must hold a word to search for")


def _check_vector(vector: Sequence[float] | None, possible: Sequence[NodeSpec]) -> None:
    lengths = sorted({searching.dimensions(spec) or 0 for spec in possible})
    if vector is None or len(vector) not in lengths or not any(vector):
        numbers = " or ".join(map(str, lengths))
        raise InvalidInput("vector", f"must hold {numbers} numbers that are not all zero")


def _may(caller: Principal, spec: NodeSpec) -> bool:
    return caller.may(permission_to_read(spec.label))


def _permit(caller: Principal, spec: NodeSpec) -> None:
    if not _may(caller, spec):
        permission = permission_to_read(spec.label).value
        raise Forbidden(f"needs the permission {permission}", permission=permission)
