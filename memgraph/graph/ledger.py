"""The ledger: what became of the events of each source, written with the events themselves.

What is to be told of a batch goes to the outbox by the same statement: once, as the batch counts.
"""

from __future__ import annotations

from memgraph.domain.mutations import Totals
from memgraph.graph.outbox import numbered
from memgraph.graph.transaction import Transaction
from memgraph.ids import iso, now

REMEMBERED = 16
"""Batches whose counting is remembered: a commit whose answer was lost is tried again at once."""

# Received is what the door counted, the others are what stages and writer settled: two
# counts of the same events, so that a loss between them would be seen.
COUNT_EVENTS = f"""\
UNWIND $rows AS row
MERGE (s:IngestSource {{tenant_id: $tenant_id, source: row.source}})
ON CREATE SET s.created_at = datetime(row.at), s.received = 0, s.stored = 0, s.duplicate = 0,
  s.rejected = 0, s.dead_lettered = 0, s.counted = []
SET s.updated_at = datetime(row.at)
WITH s, row WHERE NOT toString($write_id) IN s.counted
SET s.counted = (s.counted + toString($write_id))[-{REMEMBERED}..],
  s.received = s.received + row.received, s.stored = s.stored + row.stored,
  s.duplicate = s.duplicate + row.duplicate, s.rejected = s.rejected + row.rejected,
  s.dead_lettered = s.dead_lettered + row.dead_lettered
{numbered()}"""


def count_events(
    tx: Transaction, source: str, received: int, totals: Totals, events: str | None = None
) -> None:
    """Add a batch to the figures of its source, its ``events`` to the outbox. A batch counts once.

    The last statement of a transaction: other batches of the tenant wait for its number.
    """
    row = {
        "source": source,
        "at": iso(now()),
        **totals.as_dict(),
        "received": received,
        "events": events,
    }
    tx.rows(COUNT_EVENTS, [row])
