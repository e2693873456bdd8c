"""The digest of a multiset of records: equal content gives an equal value, in any order.

Construction: AdHash of Bellare and Micciancio (1997), the MSet-Add-Hash of
Clarke, Devadas, van Dijk, Gassend and Suh (ASIACRYPT 2003) without a key.
Every record's canonical line is hashed with BLAKE2b-256 (RFC 7693) and the
hashes are added modulo 2**256; the value is the BLAKE2b-256 of both sums and
of the counts per label and type. Memory does not grow with the records.

It tells equal graphs from different ones. It does not withstand someone who
picks records to make two graphs collide: with 256 bits and no key, Wagner's
generalised birthday attack on the sum is within reach.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import orjson

from memgraph.domain.schema import COMPUTED, GraphModel
from memgraph.graph.export.records import NodeRecord, Record

VERSION = 1
"""Raised when equal content gets another value: old values then compare with nothing."""

_MODULUS = 1 << 256


@dataclass(frozen=True, slots=True)
class Digest:
    """Digest of a tenant's content: 64 hex digits, and what was counted on the way."""

    value: str
    nodes: dict[str, int] = field(default_factory=dict)
    """By label, placeholders and tombstones included."""
    relationships: dict[str, int] = field(default_factory=dict)
    """By type."""


class MultisetHash:
    """Add records in any order, then ask for the digest.

    What enrichment added is left out where the model tells it: it depends on what was
    known when it ran, and equal content has equal values.
    """

    def __init__(self, model: GraphModel | None = None) -> None:
        self._enriched = {
            label: frozenset(p.name for p in spec.properties if p.enriched)
            for label, spec in (model.nodes.items() if model else ())
        }
        self._node_sum = self._edge_sum = 0
        self._nodes: Counter[str] = Counter()
        self._edges: Counter[str] = Counter()

    @property
    def nodes(self) -> int:
        return self._nodes.total()

    @property
    def relationships(self) -> int:
        return self._edges.total()

    def add(self, record: Record, line: bytes) -> None:
        """Count ``record`` in; ``line`` is its canonical line."""
        if isinstance(record, NodeRecord):
            line = self._said(record) or line
        number = int.from_bytes(blake2b(line, digest_size=32).digest(), "big")
        if isinstance(record, NodeRecord):
            self._node_sum += number
            self._nodes[record.label] += 1
        else:
            self._edge_sum += number
            self._edges[record.type] += 1

    def _said(self, record: NodeRecord) -> bytes | None:
        """The line of what senders said, if the record holds more."""
        enriched = self._enriched.get(record.label, frozenset())
        if enriched.isdisjoint(record.properties):
            return None
        left_out = enriched.union(record.properties.get(COMPUTED, ()))
        kept = {name: v for name, v in record.properties.items() if name not in left_out}
        return replace(record, properties=kept).line()

    def digest(self) -> Digest:
        nodes, edges = dict(sorted(self._nodes.items())), dict(sorted(self._edges.items()))
        sums = [f"{total % _MODULUS:064x}" for total in (self._node_sum, self._edge_sum)]
        whole = orjson.dumps([VERSION, sums, nodes, edges])
        return Digest(blake2b(whole, digest_size=32).hexdigest(), nodes, edges)
