"""Tags of what is cached: which answers a write may change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from memgraph.domain.mutations import Key, Mutation, Ref
from memgraph.services.ports import Cache

ANY_WRITE = "*"
"""Tag of an answer that any write in its tenant may change."""

MOST_NAMED = 200
"""Mutations of a batch whose nodes are named one by one. Of more, all is forgotten."""

_TENANT = "tenant"


def any_write(**_: str) -> tuple[str, ...]:
    """Tags of an answer made of more than one node, whatever it is about."""
    return (ANY_WRITE,)


def node(label: str, key: Key) -> tuple[str, ...]:
    """Tags of an answer made of a node and its outgoing edges alone, nothing computed."""
    return (_node((label, key)), _links(label), _TENANT)


@dataclass(frozen=True, eq=False)
class Invalidation:
    """Tells a cache of writes."""

    cache: Cache

    def written(
        self, tenant_id: str, mutations: Sequence[Mutation], relinked: Iterable[str]
    ) -> None:
        """A batch was committed, which changed edges of ``relinked`` labels besides."""
        if len(mutations) > MOST_NAMED:
            self.replaced(tenant_id)
            return
        tags = {_node(ref) for mutation in mutations for ref in _touched(mutation)}
        self.cache.invalidate(tenant_id, {ANY_WRITE, *tags, *map(_links, relinked)})

    def replaced(self, tenant_id: str) -> None:
        """Something else changed the tenant: a deletion, an import, other settings."""
        self.cache.invalidate(tenant_id, {ANY_WRITE, _TENANT})


def _touched(mutation: Mutation) -> Iterator[Ref]:
    """Every node that a mutation names."""
    if mutation.fact is not None:
        yield mutation.fact
    yield from mutation.mentions
    for change in mutation.changes:
        yield change.ref
    for edge in (*mutation.edges, *([mutation.fact_edge] if mutation.fact_edge else [])):
        yield edge.start
        yield edge.end
    if mutation.place is not None:
        yield ("Session", (mutation.place.session_id,))
        yield ("Prompt", (mutation.place.prompt_id,))


def _node(ref: Ref) -> str:
    label, key = ref
    return "\x00".join((label, *key))


def _links(label: str) -> str:
    return f"links {label}"
