"""Questions over everything that is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Unpack

from memgraph_sdk import arguments as args
from memgraph_sdk import models
from memgraph_sdk.group import Group
from memgraph_sdk.transport import path_of

Node = dict[str, Any]
"""Properties of a node."""
Where = Sequence[args.ConditionBody]
Related = Sequence[args.RelatedBody]


class Questions(Group):
    """Lineage, impact, queries, search. A client is one."""

    def lineage(
        self, kind: str, id_: str, /, **bounds: Unpack[args.LineageParameters]
    ) -> models.Lineage:
        """Follow where a node came from (`up`), what came of it (`down`), or `both`."""
        return self._transport.get(path_of("lineage", kind, id_), models.Lineage, bounds)

    def impact(
        self, kind: str, id_: str, /, **bounds: Unpack[args.ImpactParameters]
    ) -> models.Impact:
        """Tell what depends on a template, model, document or tool."""
        return self._transport.get(path_of("impact", kind, id_), models.Impact, bounds)

    def neighbours(
        self, kind: str, id_: str, /, **filters: Unpack[args.NeighbourParameters]
    ) -> Iterator[models.Neighbour]:
        """List what a node is tied to, page after page. `limit` is that of a page."""
        path = path_of("nodes", kind, id_, "neighbours")
        for page in self._transport.pages(path, models.Neighbours, filters):
            yield from page.items

    def query(
        self,
        kind: str,
        *,
        where: Where = (),
        related: Related = (),
        sort: args.SortBody | None = None,
        limit: int = 500,
        cursor: str | None = None,
    ) -> Iterator[Node]:
        """Select nodes of one kind, page after page. `limit` is that of a page."""
        asked = _selection(kind, where, related, sort)
        body = {**asked, "limit": limit, "cursor": cursor}
        for page in self._transport.ask_pages("/query", body, models.Found):
            yield from page.items

    def query_page(self, **query: Unpack[args.Query]) -> models.Found:
        """One page of a query: with its cursor and, when asked for, the count and the plan."""
        return self._transport.ask("/query", query, models.Found)

    def stream(
        self,
        kind: str,
        *,
        where: Where = (),
        related: Related = (),
        sort: args.SortBody | None = None,
    ) -> Iterator[Node]:
        """Select nodes of one kind in a single request, however many. Read it to its end."""
        return self._transport.stream("/query/stream", _selection(kind, where, related, sort))

    def search(self, **search: Unpack[args.SearchBody]) -> models.SearchHits:
        """Find nodes by words, by a vector, or by both."""
        return self._transport.ask("/search", search, models.SearchHits)

    def stats(self) -> models.Counts:
        """Count nodes by label and relationships by type."""
        return self._transport.get("/stats", models.Counts)


def _selection(
    kind: str, where: Where, related: Related, sort: args.SortBody | None
) -> dict[str, Any]:
    return {"kind": kind, "where": list(where), "related": list(related), "sort": sort}
