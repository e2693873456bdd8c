"""The queue of prompts that wait for a vector, and the vectors of canonical prompts.

A prompt comes with ``embedding_pending`` true. A range index holds only nodes that
have the property, so the queue is read without looking at anything else: the write path pays
one property and one entry of an index, both removed with the vector. False is
what is left of a text that the model refused.

Of the prompts of one text one is canonical and has the vector. When it is deleted,
another one of its text waits again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import neo4j

from memgraph.domain.schema import PLACEHOLDER, TOMBSTONE
from memgraph.graph.session import Graph, Row
from memgraph.graph.transaction import Transaction
from memgraph.ids import random_int63

PENDING = "embedding_pending"

# One entry of the index for each tenant.
LIST_WAITING_TENANTS = f"""\
MATCH (t:Tenant)
WHERE EXISTS {{ MATCH (p:Prompt {{tenant_id: t.tenant_id, {PENDING}: true}}) }}
RETURN t.tenant_id AS tenant_id ORDER BY tenant_id"""

LIST_PENDING = f"""\
MATCH (p:Prompt {{tenant_id: $tenant_id, {PENDING}: true}})
RETURN p.prompt_id AS prompt_id, coalesce(p.text_sha256, '') AS text_sha256 LIMIT $limit"""

READ_TEXTS = """\
UNWIND $prompt_ids AS prompt_id
MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: prompt_id})
RETURN p.text_sha256 AS text_sha256, left(p.text, $characters) AS text"""

# Workers of one tenant take turns, so that a text gets one canonical prompt. Not at the tenant's
# node: a writer has that while its commit takes the prompts, and they waited for each other.
TAKE_TURN = """\
UNWIND $rows AS row
MERGE (j:JobRun {tenant_id: $tenant_id, job: 'embedding', slot: 'canonical'})
ON CREATE SET j.created_at = datetime()
SET j.write_id = $write_id"""

# The change takes the lock before it is read what the prompt still is.
TAKE_PENDING = f"""\
UNWIND $rows AS row
MATCH (p:Prompt {{tenant_id: $tenant_id, prompt_id: row.prompt_id}})
SET p.write_id = $write_id
WITH p, row WHERE p.{PENDING}
SET p.{PENDING} = CASE WHEN row.is_refused AND NOT p:{TOMBSTONE} THEN false END
RETURN p.prompt_id AS prompt_id, p.text_sha256 AS text_sha256"""

# The index gives prompts of one text by age, so the canonical one mostly comes first.
FIND_CANONICAL = """\
UNWIND $rows AS row
CALL (row) {
  MATCH (p:Prompt {tenant_id: $tenant_id, text_sha256: row.text_sha256})
  WHERE p.embedding_model IS NOT NULL
  RETURN p LIMIT 1
}
RETURN row.text_sha256 AS text_sha256, p.prompt_id AS prompt_id, p.embedding_model AS model"""

SET_VECTORS = f"""\
UNWIND $rows AS row
MATCH (p:Prompt {{tenant_id: $tenant_id, prompt_id: row.prompt_id}})
SET p.write_id = $write_id
WITH p, row WHERE NOT p:{TOMBSTONE}
SET p.embedding = row.embedding, p.embedding_model = row.embedding_model"""

FIND_TEXTS_WITH_VECTOR = """\
UNWIND $rows AS row
MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: row.prompt_id})
WHERE p.embedding_model IS NOT NULL
RETURN DISTINCT p.text_sha256 AS text_sha256"""

REQUEST_HEIRS = f"""\
UNWIND $rows AS row
CALL (row) {{
  MATCH (p:Prompt {{tenant_id: $tenant_id, text_sha256: row.text_sha256}})
  RETURN p LIMIT 1
}}
SET p.{PENDING} = true"""

REQUEST_ALL = f"""\
MATCH (p:Prompt {{tenant_id: $tenant_id}})
WHERE p.prompt_id > $after AND NOT p:{PLACEHOLDER}|{TOMBSTONE}
WITH p, CASE WHEN p.text IS NOT NULL THEN true END AS pending
ORDER BY p.tenant_id, p.prompt_id LIMIT $limit
SET p.{PENDING} = pending
RETURN max(p.prompt_id) AS last, count(pending) AS requested"""


@dataclass(frozen=True, slots=True)
class Pending:
    """A prompt that waits for a vector."""

    prompt_id: str
    text_sha256: str


class EmbeddingQueue:
    """The queue of one graph. Threads and processes may share it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def list_tenants(self) -> list[str]:
        """Tenants some of whose prompts wait: for workers, never for a caller of the API."""
        return [row["tenant_id"] for row in self._graph.read(LIST_WAITING_TENANTS)]

    def list_pending(self, tenant_id: str, limit: int) -> list[Pending]:
        """Some prompts that wait. One round trip."""
        rows = self._graph.read(LIST_PENDING, tenant_id=tenant_id, limit=limit)
        return [Pending(row["prompt_id"], row["text_sha256"]) for row in rows]

    def read_texts(
        self, tenant_id: str, prompt_ids: Sequence[str], characters: int
    ) -> dict[str, str]:
        """The beginnings of texts by their hash, of prompts that have one. One round trip."""
        rows = self._graph.read(
            READ_TEXTS, tenant_id=tenant_id, prompt_ids=prompt_ids, characters=characters
        )
        return {row["text_sha256"]: row["text"] for row in rows if row["text"] is not None}

    def finish(
        self,
        tenant_id: str,
        pending: Iterable[Pending],
        model_id: str,
        vectors: Mapping[str, Sequence[float]],
    ) -> int:
        """Take prompts from the queue; how many texts got a vector of this model.

        ``vectors`` by the hash of the text; a text without one was refused. One
        transaction of its own, idempotent.
        """
        rows: list[Row] = [
            {
                "prompt_id": one.prompt_id,
                "text_sha256": one.text_sha256,
                "is_refused": one.text_sha256 not in vectors,
            }
            for one in sorted(pending, key=lambda one: one.prompt_id)
        ]
        write_id = random_int63()

        def work(transaction: neo4j.Transaction) -> int:
            tx = Transaction(transaction, tenant_id, write_id, self._graph.watch)
            return _finish(tx, rows, model_id, vectors)

        return self._graph.write(work)

    def request_all(self, tenant_id: str, *, page: int = 10_000) -> int:
        """Have every prompt with a text wait, in pages; how many those are."""
        requested, after = 0, ""
        while True:
            [found] = self._graph.write(_requesting(tenant_id, after, page))
            if found["last"] is None:
                return requested
            requested, after = requested + found["requested"], found["last"]


def _finish(
    tx: Transaction, rows: list[Row], model_id: str, vectors: Mapping[str, Sequence[float]]
) -> int:
    tx.rows(TAKE_TURN, [{}])
    first: dict[str, str] = {}
    for taken in tx.rows(TAKE_PENDING, rows):
        if taken["text_sha256"] in vectors:
            first.setdefault(taken["text_sha256"], taken["prompt_id"])
    known = tx.rows(FIND_CANONICAL, [{"text_sha256": text} for text in sorted(first)])
    for canonical in known:
        if canonical["model"] == model_id:
            del first[canonical["text_sha256"]]
        else:
            first[canonical["text_sha256"]] = canonical["prompt_id"]
    chosen = [
        {"prompt_id": prompt_id, "embedding": vectors[text], "embedding_model": model_id}
        for text, prompt_id in first.items()
    ]
    tx.rows(SET_VECTORS, sorted(chosen, key=lambda row: str(row["prompt_id"])))
    return len(chosen)


def _requesting(tenant_id: str, after: str, page: int) -> Any:
    def work(transaction: neo4j.Transaction) -> list[Row]:
        asked = {"tenant_id": tenant_id, "after": after, "limit": page}
        return [dict(record) for record in transaction.run(REQUEST_ALL, asked)]

    return work
