"""FOLLOWS: put new prompts into the order of their session, under the session's lock.

A prompt follows the one its sender names; otherwise the one before it by
(created_at, prompt_id) in its session. Appending looks only at the tail kept on
the session; a late arrival looks back. The edges are a function of the set of
prompts, so neither order nor batches show.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from memgraph.domain.mutations import Place
from memgraph.graph.transaction import Transaction
from memgraph.ids import iso

Position = tuple[datetime, str]
"""(created_at, prompt_id): the order of prompts in a session."""

# What is appended is linked at once; of sessions with late arrivals it says what the tail was.
# Ids are not compared here: the server orders texts by their UTF-16. One row for all, and
# times only where they are needed: the driver takes long over both.
MOVE_TAILS = """\
UNWIND $rows AS row
MATCH (s:Session {tenant_id: $tenant_id, session_id: row.session_id})
SET s.write_id = $write_id
WITH s, row, s.tail_prompt_id AS tail_prompt_id, s.tail_at AS tail_at,
     datetime(row.tail_at) AS new_at, datetime(row.first_at) AS first_at
WITH *, tail_at IS NULL OR new_at > tail_at AS is_newer,
     tail_at IS NOT NULL AND first_at <= tail_at AS is_late,
     CASE WHEN row.follows AND first_at > tail_at THEN row.first_prompt_id END AS appended_id
SET s.tail_prompt_id = CASE WHEN is_newer THEN row.tail_prompt_id ELSE tail_prompt_id END,
    s.tail_at = CASE WHEN is_newer THEN new_at ELSE tail_at END
WITH row, tail_prompt_id, tail_at, first_at, is_late, appended_id
CALL (tail_prompt_id, tail_at, first_at, appended_id) {
  MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: appended_id})
  MATCH (q:Prompt {tenant_id: $tenant_id, prompt_id: tail_prompt_id})
  CREATE (p)-[:FOLLOWS {gap_ms: first_at.epochMillis - tail_at.epochMillis, stated: false}]->(q)
  RETURN count(*) AS linked
}
RETURN count(*) AS matched, count(appended_id) AS appended, sum(linked) AS linked,
       collect(CASE WHEN is_late THEN
         {session_id: row.session_id, prompt_id: tail_prompt_id, at: tail_at} END) AS late"""

# Everything from the last prompt before the late arrivals on.
READ_NEIGHBOURS = """\
UNWIND $rows AS row
MATCH (s:Session {tenant_id: $tenant_id, session_id: row.session_id})
CALL (s, row) {
  MATCH (s)<-[:PART_OF]-(p:Prompt)
  WHERE p.created_at < datetime(row.from_at)
  RETURN max(p.created_at) AS before_at
}
MATCH (s)<-[:PART_OF]-(p:Prompt)
WHERE p.created_at >= coalesce(before_at, datetime(row.from_at))
RETURN row.session_id AS session_id, p.prompt_id AS prompt_id, p.created_at AS created_at,
       EXISTS { (p)-[:FOLLOWS {stated: true}]->(:Prompt) } AS is_stated"""

UNLINK = """\
UNWIND $rows AS row
MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: row.prompt_id})-[r:FOLLOWS]->(:Prompt)
WHERE r.stated = false
DELETE r"""

LINK = """\
UNWIND $rows AS row
MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: row.prompt_id})
MATCH (q:Prompt {tenant_id: $tenant_id, prompt_id: row.previous_prompt_id})
CREATE (p)-[:FOLLOWS {gap_ms: row.gap_ms, stated: false}]->(q)
RETURN count(*) AS matched"""

LINK_STATED = """\
UNWIND $rows AS row
MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: row.prompt_id})
MERGE (q:Prompt {tenant_id: $tenant_id, prompt_id: row.previous_prompt_id})
  ON CREATE SET q:Placeholder
MERGE (p)-[r:FOLLOWS]->(q)
  ON CREATE SET r.stated = true
RETURN count(r) AS matched"""

SET_TAILS = """\
UNWIND $rows AS row
MATCH (s:Session {tenant_id: $tenant_id, session_id: row.session_id})
SET s.tail_prompt_id = row.tail_prompt_id
RETURN count(*) AS matched"""

# Both ends are known only when the later of the two has arrived.
SET_GAPS = """\
UNWIND $rows AS row
MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: row.prompt_id})-[r:FOLLOWS]-(q:Prompt)
WHERE r.gap_ms IS NULL AND p.created_at IS NOT NULL AND q.created_at IS NOT NULL
SET r.gap_ms = startNode(r).created_at.epochMillis - endNode(r).created_at.epochMillis"""


def splice(tx: Transaction, places: list[Place], filled: Iterable[str]) -> None:
    """Link the new prompts of a batch. ``filled`` are those that were placeholders before."""
    if not places:
        return
    sessions: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        sessions[place.session_id].append(place)
    late = _move_tails(tx, sessions)
    known = _neighbours(tx, {s: _first(sessions[s]) for s in late}) if late else {}
    if late:
        tx.relinked.add("Prompt")
    links: list[dict[str, Any]] = []
    relinked: list[str] = []
    for session_id, new in sessions.items():
        if session_id in late:  # so is every session of a batch that is repeated
            order = _Order(known.get(session_id, []), new)
            relinked.extend(order.relinked)
        else:
            # The first of them follows the tail already.
            order = _Order([], new)
        links.extend(order.links)
    _write(tx, links, relinked)
    _settle_tails(tx, late, sessions)
    _link_stated(tx, places, set(filled))


class _Order:
    """The order of a stretch of a session with its new prompts, and the edges that follow."""

    def __init__(self, known: list[tuple[Position, bool]], new: list[Place]) -> None:
        stated = {position[1]: is_stated for position, is_stated in known}
        positions = sorted(position for position, _ in known)
        fresh = set()
        for place in new:
            fresh.add(place.prompt_id)
            stated[place.prompt_id] = place.previous_prompt_id is not None
            position = (place.created_at, place.prompt_id)
            # Read back in this transaction, the new prompts are among the known ones.
            if bisect_left(positions, position) == len(positions) or (
                positions[bisect_left(positions, position)] != position
            ):
                insort(positions, position)
        self.links: list[dict[str, Any]] = []
        self.relinked: list[str] = []
        for before, after in pairwise(positions):
            prompt_id = after[1]
            if stated[prompt_id] or not (prompt_id in fresh or before[1] in fresh):
                continue
            # A new one, too: a commit whose answer was lost has linked it before.
            self.relinked.append(prompt_id)
            self.links.append(_link(before, after))


def _link(before: Position, after: Position) -> dict[str, Any]:
    return {
        "prompt_id": after[1],
        "previous_prompt_id": before[1],
        "gap_ms": _epoch_ms(after[0]) - _epoch_ms(before[0]),
    }


def _epoch_ms(at: datetime) -> int:
    """Whole milliseconds since 1970, rounded down as the server's epochMillis does."""
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000


def _position(place: Place) -> Position:
    return (place.created_at, place.prompt_id)


def _first(places: list[Place]) -> datetime:
    return min(place.created_at for place in places)


def _move_tails(tx: Transaction, sessions: dict[str, list[Place]]) -> dict[str, Position]:
    """Lock the sessions and let their tails be the newest prompts.

    Returns the tail, as it was, of every session of which a new prompt is not after it.
    """
    sent = []
    for session_id in sorted(sessions):
        first = min(sessions[session_id], key=_position)
        last = max(sessions[session_id], key=_position)
        sent.append(
            {
                "session_id": session_id,
                "first_prompt_id": first.prompt_id,
                "first_at": iso(first.created_at),
                "follows": first.previous_prompt_id is None,
                "tail_prompt_id": last.prompt_id,
                "tail_at": iso(last.created_at),
            }
        )
    found = tx.matched(MOVE_TAILS, sent, "move_tails")
    tx.expect(found["linked"], found["appended"], "link")
    return {tail["session_id"]: (tail["at"], tail["prompt_id"]) for tail in found["late"]}


def _neighbours(
    tx: Transaction, late: dict[str, datetime]
) -> dict[str, list[tuple[Position, bool]]]:
    rows = [{"session_id": s, "from_at": iso(at)} for s, at in sorted(late.items())]
    known: dict[str, list[tuple[Position, bool]]] = defaultdict(list)
    for r in tx.rows(READ_NEIGHBOURS, rows):
        known[r["session_id"]].append(((r["created_at"], r["prompt_id"]), r["is_stated"]))
    return known


def _write(tx: Transaction, links: list[dict[str, Any]], relinked: list[str]) -> None:
    if relinked:
        # Not compared: what was first in its session follows nothing yet.
        tx.rows(UNLINK, [{"prompt_id": p} for p in sorted(relinked)])
    if links:
        links.sort(key=lambda row: row["prompt_id"])
        tx.matched(LINK, links, "link")


def _settle_tails(
    tx: Transaction, late: dict[str, Position], sessions: dict[str, list[Place]]
) -> None:
    """Of prompts at the time of the tail the one with the last id becomes it."""
    rows = []
    for session_id, tail in sorted(late.items()):
        newest = max(map(_position, sessions[session_id]))
        if newest[0] == tail[0] and newest > tail:
            rows.append({"session_id": session_id, "tail_prompt_id": newest[1]})
    if rows:
        tx.matched(SET_TAILS, rows, "set_tails")


def _link_stated(tx: Transaction, places: list[Place], filled: set[str]) -> None:
    stated = {p.prompt_id: p.previous_prompt_id for p in places if p.previous_prompt_id is not None}
    if stated:
        rows = [{"prompt_id": p, "previous_prompt_id": stated[p]} for p in sorted(stated)]
        tx.matched(LINK_STATED, rows, "link_stated")
    touched = set(stated) | filled
    if touched:
        tx.rows(SET_GAPS, [{"prompt_id": p} for p in sorted(touched)])
