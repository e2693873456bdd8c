"""The outbox: what is to be told of a transaction, written with it and removed when it was told.

Entries of a tenant are numbered under the lock of its node, so their numbers are in the
order of the commits, and without gaps for what was committed.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import cast

import neo4j
import orjson

from memgraph.domain.errors import OutboxUnreadable
from memgraph.domain.events.changes import Note
from memgraph.domain.mutations import Ref
from memgraph.graph.naming import name_of
from memgraph.graph.session import Graph, Row, row_of
from memgraph.graph.transaction import Transaction


def numbered() -> str:
    """Clauses that end a statement: the entry of ``row.events``, numbered; none for null."""
    # Setting write_id takes the lock before the number is read.
    return """\
WITH row WHERE row.events IS NOT NULL
MATCH (t:Tenant {tenant_id: $tenant_id})
SET t.write_id = $write_id
WITH t, row
SET t.outbox_sequence = coalesce(t.outbox_sequence, 0) + 1
CREATE (:Outbox {tenant_id: $tenant_id, sequence: t.outbox_sequence, events: row.events,
  created_at: datetime()})"""


APPEND = f"""\
UNWIND $rows AS row
{numbered()}"""

FIND_TENANT = """\
MATCH (o:Outbox)
WHERE o.tenant_id > $after AND o.sequence > 0
RETURN o.tenant_id AS tenant_id ORDER BY o.tenant_id LIMIT 1"""

LIST_ENTRIES = """\
MATCH (o:Outbox {tenant_id: $tenant_id})
WHERE o.sequence > $after_sequence
RETURN o.sequence AS sequence, o.events AS events
ORDER BY o.tenant_id, o.sequence LIMIT $limit"""

REMOVE = """\
MATCH (o:Outbox {tenant_id: $tenant_id})
WHERE o.sequence <= $sequence
DELETE o
RETURN count(*) AS count"""

REMOVE_OLD = """\
MATCH (o:Outbox {tenant_id: $tenant_id})
WHERE o.sequence > 0
WITH o ORDER BY o.tenant_id, o.sequence LIMIT $limit
WITH o WHERE o.created_at < datetime() - duration({seconds: $keep_s})
DELETE o
RETURN count(*) AS count"""

# Per tenant the first entry of an index: entries that wait are not looked at.
READ_WAITING = """\
MATCH (t:Tenant)
CALL (t) {
  MATCH (o:Outbox {tenant_id: t.tenant_id})
  WHERE o.sequence > 0
  RETURN o.created_at AS at, t.outbox_sequence - o.sequence + 1 AS entries
  ORDER BY o.tenant_id, o.sequence LIMIT 1
}
WITH coalesce(sum(entries), 0) AS waiting,
     coalesce(max(duration.inSeconds(at, datetime()).seconds), 0) AS oldest_s
UNWIND [['waiting', waiting], ['oldest_s', oldest_s]] AS figure
RETURN 'outbox' AS kind, figure[0] AS name, figure[1] AS n"""

SESSIONS_OF_PROMPTS = """\
UNWIND $ids AS id
MATCH (:Prompt {tenant_id: $tenant_id, prompt_id: id})
      -[:PART_OF]->(s:Session {tenant_id: $tenant_id})
RETURN id, s.session_id AS session_id"""

SESSIONS_OF_RESPONSES = """\
UNWIND $ids AS id
MATCH (:Response {tenant_id: $tenant_id, response_id: id})
      -[:RESPONDS_TO]->(:Prompt {tenant_id: $tenant_id})
      -[:PART_OF]->(s:Session {tenant_id: $tenant_id})
RETURN id, s.session_id AS session_id"""

# Some senders use an id of a call twice: one session then, always the same.
SESSIONS_OF_INVOCATIONS = """\
UNWIND $ids AS id
MATCH (:ToolInvocation {tenant_id: $tenant_id, invocation_id: id})
      <-[:INVOKES]-(:Response {tenant_id: $tenant_id})
      -[:RESPONDS_TO]->(:Prompt {tenant_id: $tenant_id})
      -[:PART_OF]->(s:Session {tenant_id: $tenant_id})
RETURN id, min(s.session_id) AS session_id"""

_FIND_SESSIONS = {
    "Prompt": SESSIONS_OF_PROMPTS,
    "Response": SESSIONS_OF_RESPONSES,
    "ToolInvocation": SESSIONS_OF_INVOCATIONS,
}
AT_ONCE = 1_000
"""Old entries that one transaction removes."""


SHORT = 1_000
"""Bytes that are not worth packing. A batch shrinks to a seventh, which costs the graph less."""


def packed(notes: Sequence[Note]) -> str | None:
    """Notes as JSON, or as a JSON string of them in zlib and base64; None for none."""
    if not notes:
        return None
    plain = orjson.dumps(notes, option=orjson.OPT_UTC_Z)
    if len(plain) < SHORT:
        return plain.decode()
    return f'"{b64encode(zlib.compress(plain, 1)).decode()}"'


def unpacked(text: str | None) -> list[Note]:
    """The inverse of `packed`. Raises OutboxUnreadable."""
    if text is None:
        return []
    try:
        found: list[Note] | str = orjson.loads(text)
        if isinstance(found, str):
            found = orjson.loads(zlib.decompress(b64decode(found)))
    except (ValueError, zlib.error):
        raise OutboxUnreadable("an entry of the outbox is no JSON") from None
    return cast("list[Note]", found)


def append(tx: Transaction, notes: Sequence[Note]) -> None:
    """Add the entry of a transaction: its last statement, because others wait for the number."""
    if notes:
        tx.rows(APPEND, [{"events": packed(notes)}])


@dataclass(frozen=True, eq=False)
class Entry:
    """The notes of one transaction."""

    sequence: int
    packed: str | None = field(repr=False)

    @cached_property
    def notes(self) -> list[Note]:
        """What is to be told. Unpacked when it is asked for: there may be much of it."""
        return unpacked(self.packed)


class Outbox:
    """The outboxes of one graph. Threads may share it."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def find_tenant(self, after: str) -> str | None:
        """The next tenant with entries, by id. One round trip."""
        rows = self._graph.read(FIND_TENANT, after=after)
        return rows[0]["tenant_id"] if rows else None

    def list_entries(self, tenant_id: str, after: int, limit: int) -> list[Entry]:
        """The oldest entries after a number, in order. One round trip."""
        rows = self._graph.read(
            LIST_ENTRIES, tenant_id=tenant_id, after_sequence=after, limit=limit
        )
        return [Entry(row["sequence"], row["events"]) for row in rows]

    def remove(self, tenant_id: str, sequence: int) -> int:
        """Remove the entries up to a number; how many those were."""
        return self._change(REMOVE, tenant_id=tenant_id, sequence=sequence)

    def remove_old(self, tenant_id: str, keep_s: float) -> int:
        """Remove entries that are older, oldest first; how many those were."""
        removed = 0
        while found := self._change(
            REMOVE_OLD, tenant_id=tenant_id, keep_s=int(keep_s), limit=AT_ONCE
        ):
            removed += found
        return removed

    def sessions_of(self, tenant_id: str, refs: Iterable[Ref]) -> dict[Ref, str]:
        """The sessions that prompts, responses and tool calls belong to, as far as known."""
        by_label: dict[str, list[str]] = defaultdict(list)
        for label, key in refs:
            by_label[label].append(key[0])
        return {
            (label, (row["id"],)): row["session_id"]
            for label, statement in _FIND_SESSIONS.items()
            if (ids := by_label.get(label))
            for row in self._graph.read(statement, tenant_id=tenant_id, ids=sorted(set(ids)))
        }

    def _change(self, statement: str, **parameters: object) -> int:
        def work(tx: neo4j.Transaction) -> int:
            with self._graph.watch(name_of(statement), "write"):
                [row] = [row_of(record) for record in tx.run(statement, parameters)]
            return int(row["count"])

        return self._graph.write(work)


def read_waiting(graph: Graph) -> list[Row]:
    """Rows of (kind, name, n): entries of all tenants and the age of the oldest, for operators."""
    return graph.read(READ_WAITING)
