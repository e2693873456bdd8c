"""The digest of a tenant's content: equal graphs, equal values. Construction: `multiset`."""

from __future__ import annotations

from memgraph.domain.schema import GraphModel
from memgraph.graph.export.multiset import Digest, MultisetHash
from memgraph.graph.export.pages import page_statements, read_content
from memgraph.graph.session import Graph


def digest(graph: Graph, model: GraphModel, tenant_id: str) -> Digest:
    """Digest what a tenant put in: the same under another tenant, in any order of writing.

    Left out are the tenant, ``write_id`` and ``recorded_at``, classes that are no content,
    and what enrichment added: that depends on what was known when it ran. Reads everything
    once, with flat memory; no snapshot, so compare graphs at rest.
    """
    content = MultisetHash(model)
    for record in read_content(graph, model, tenant_id):
        content.add(record, record.line())
    return content.digest()


def statements(model: GraphModel) -> dict[str, str]:
    """Every statement of this module by name, for the check of their plans."""
    return page_statements(model)


__all__ = ["Digest", "digest", "statements"]
