"""Delete a session with all that belongs to it, and keep it deleted.

What is deleted becomes a tombstone: its key and the label, no properties, no
edges. So an event that comes again finds its key taken and changes nothing, and
what comes late for a deleted session or prompt is buried as it is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import lru_cache

import neo4j

from memgraph.domain.edges import DEPENDENTS
from memgraph.domain.errors import NotFound, shown
from memgraph.domain.events.changes import notes_of_deleted
from memgraph.domain.mutations import Key, Ref
from memgraph.domain.schema import PLACEHOLDER, TOMBSTONE, EdgeSpec, GraphModel, NodeSpec
from memgraph.graph import plan
from memgraph.graph.embedding import FIND_TEXTS_WITH_VECTOR, REQUEST_HEIRS
from memgraph.graph.outbox import append
from memgraph.graph.session import Graph, Row
from memgraph.graph.transaction import Transaction
from memgraph.ids import now, random_int63

LOCK_SESSION = f"""\
UNWIND $rows AS row
MATCH (s:Session {{tenant_id: $tenant_id, session_id: row.session_id}})
WHERE NOT s:{PLACEHOLDER}|{TOMBSTONE}
SET s.write_id = $write_id
RETURN s.session_id AS session_id"""

# With what belongs to them, a few thousand nodes in one transaction.
FIND_PROMPTS = """\
UNWIND $rows AS row
MATCH (s:Session {tenant_id: $tenant_id, session_id: row.session_id})
      <-[:PART_OF]-(p:Prompt {tenant_id: $tenant_id})
RETURN p.prompt_id AS prompt_id LIMIT 200"""

# Locked before it is read who answers them: a writer that comes later finds tombstones.
LOCK_PROMPTS = """\
UNWIND $rows AS row
MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: row.prompt_id})
SET p.write_id = $write_id"""

FIND_RESPONSES = """\
UNWIND $rows AS row
MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: row.prompt_id})
      <-[:RESPONDS_TO]-(r:Response {tenant_id: $tenant_id})
RETURN DISTINCT r.response_id AS response_id"""

LOCK_RESPONSES = """\
UNWIND $rows AS row
MATCH (r:Response {tenant_id: $tenant_id, response_id: row.response_id})
SET r.write_id = $write_id"""

# Some senders use an id of a call twice: it stays while a response that stays calls it.
FIND_INVOCATIONS = """\
WITH [row IN $rows | row.response_id] AS deleted
UNWIND deleted AS response_id
MATCH (:Response {tenant_id: $tenant_id, response_id: response_id})
      -[:INVOKES]->(t:ToolInvocation {tenant_id: $tenant_id})
WITH DISTINCT t, deleted
WHERE NOT EXISTS { MATCH (t)<-[:INVOKES]-(other:Response {tenant_id: $tenant_id})
                   WHERE NOT other.response_id IN deleted }
RETURN t.invocation_id AS invocation_id"""

FIND_UNCALLED = """\
UNWIND $rows AS row
MATCH (t:ToolInvocation {tenant_id: $tenant_id, invocation_id: row.invocation_id})
WHERE NOT EXISTS { (t)<-[:INVOKES]-(:Response {tenant_id: $tenant_id}) }
RETURN t.invocation_id AS invocation_id"""


class Deletion:
    """Delete from one graph. Threads may share it."""

    def __init__(
        self,
        graph: Graph,
        model: GraphModel,
        *,
        on_deleted: Callable[[str], None] = lambda _: None,
        announces: bool = True,
    ) -> None:
        """``on_deleted`` is told the tenant after each part that was or may have been deleted.

        What is deleted goes to the outbox unless ``announces`` is off.
        """
        self._graph = graph
        self._model = model
        self._on_deleted = on_deleted
        self._announces = announces

    def delete_session(self, tenant_id: str, session_id: str) -> None:
        """Delete a session, its prompts and what belongs to them. Raises NotFound.

        One transaction for some prompts at a time, the session last: what was
        interrupted goes on when it is asked for again.
        """
        write_id = random_int63()
        began = False
        while True:

            def work(transaction: neo4j.Transaction) -> bool | None:
                tx = Transaction(transaction, tenant_id, write_id, self._graph.watch)
                return self._step(tx, session_id)

            try:
                is_done = self._graph.write(work)
            finally:
                self._on_deleted(tenant_id)
            if is_done is None and not began:
                raise NotFound(f"no session {shown(session_id)} in this tenant", kind="session")
            if is_done is not False:
                return
            began = True

    def _step(self, tx: Transaction, session_id: str) -> bool | None:
        """Delete a part; whether that was all. None when there is no such session."""
        row = {"session_id": session_id}
        if not tx.rows(LOCK_SESSION, [row]):
            return None
        prompts = _keys(tx.rows(FIND_PROMPTS, [row]))
        if prompts:
            bury_all(tx, self._model, "Prompt", prompts)
        else:
            bury_all(tx, self._model, "Session", [(session_id,)])
        if self._announces:
            append(tx, notes_of_deleted(tx.buried, now(), session_id))
        return not prompts


def bury_all(tx: Transaction, model: GraphModel, label: str, keys: Iterable[Key]) -> None:
    """Make tombstones of nodes of a class and of all that belongs to them."""
    tx.relinked.update(model.nodes)
    found: dict[str, set[Key]] = defaultdict(set)
    found[label] |= set(keys)
    bereaved: list[Row] = []
    if found["Prompt"]:
        rows = _rows(model.nodes["Prompt"], found["Prompt"])
        tx.rows(LOCK_PROMPTS, rows)
        bereaved = tx.rows(FIND_TEXTS_WITH_VECTOR, rows)
        found["Response"] |= set(_keys(tx.rows(FIND_RESPONSES, rows)))
    if found["Response"]:
        rows = _rows(model.nodes["Response"], found["Response"])
        tx.rows(LOCK_RESPONSES, rows)
        found["ToolInvocation"] |= set(_keys(tx.rows(FIND_INVOCATIONS, rows)))
    for scores in model.edge_types["SCORES"]:
        spec = model.nodes[scores.end]
        if found[spec.label]:
            rows = _rows(spec, found[spec.label])
            found["Score"] |= set(_keys(tx.rows(find_scores(spec), rows)))
    for spec in model.nodes.values():
        if found[spec.label]:
            rows = _rows(spec, found[spec.label])
            tx.matched(bury(spec), rows, f"bury_{spec.snake}")
            tx.buried += [(spec.label, key) for key in sorted(found[spec.label])]
    if bereaved:
        tx.rows(REQUEST_HEIRS, bereaved)


def bury_dependents(
    tx: Transaction, model: GraphModel, edge: EdgeSpec, rows: list[Row]
) -> set[Ref]:
    """Delete those of the written edges that touch a tombstone; bury what belongs to one.

    Returns what was buried for its edge.
    """
    start, end = model.nodes[edge.start], model.nodes[edge.end]
    touched = tx.rows(delete_edges_of_tombstones(edge, start, end), rows)
    side = DEPENDENTS.get(edge.type)
    if side is None:
        return set()
    spec = start if side == "start" else end
    keys = {tuple(row[side]) for row in touched if not row[f"is_{side}_tombstone"]}
    if edge.type == "INVOKES" and keys:
        keys = set(_keys(tx.rows(FIND_UNCALLED, _rows(spec, keys))))
    if keys:
        bury_all(tx, model, spec.label, keys)
    return {(spec.label, key) for key in keys}


@lru_cache(maxsize=64)
def find_scores(spec: NodeSpec) -> str:
    """The keys of the scores of nodes of a class."""
    return (
        f"UNWIND $rows AS row\n"
        f"MATCH {plan.pattern('n', spec)}<-[:SCORES]-(x:Score {{tenant_id: $tenant_id}})\n"
        f"RETURN x.score_id AS score_id"
    )


@lru_cache(maxsize=64)
def bury(spec: NodeSpec) -> str:
    """Leave nothing of nodes but their keys and the label of a tombstone."""
    keys = ", ".join(f"{name}: n.{name}" for name in spec.identity)
    return (
        f"UNWIND $rows AS row\n"
        f"MATCH {plan.pattern('n', spec)}\n"
        f"CALL (n) {{ MATCH (n)-[r]-() DELETE r }}\n"
        f"SET n = {{{keys}, write_id: $write_id}}\n"
        f"SET n:{TOMBSTONE}\n"
        f"REMOVE n:{PLACEHOLDER}\n"
        f"RETURN count(n) AS matched"
    )


@lru_cache(maxsize=256)
def delete_edges_of_tombstones(edge: EdgeSpec, start: NodeSpec, end: NodeSpec) -> str:
    """Delete edges of which an end is a tombstone; return their ends' keys and which end it is."""
    start_key, end_key = (
        ", ".join(f"{variable}.{name}" for name in spec.key)
        for variable, spec in (("a", start), ("b", end))
    )
    return (
        f"UNWIND $rows AS row\n"
        f"MATCH {plan.pattern('a', start, 'start_')}\n"
        f"MATCH {plan.pattern('b', end, 'end_')}\n"
        f"MATCH (a)-[r:{edge.type}]->(b)\n"
        f"WHERE a:{TOMBSTONE} OR b:{TOMBSTONE}\n"
        f"DELETE r\n"
        f"RETURN [{start_key}] AS start, [{end_key}] AS end,\n"
        f"       a:{TOMBSTONE} AS is_start_tombstone, b:{TOMBSTONE} AS is_end_tombstone"
    )


def _keys(rows: Iterable[Row]) -> list[Key]:
    return [tuple(row.values()) for row in rows]


def _rows(spec: NodeSpec, keys: Iterable[Key]) -> list[Row]:
    return [plan.key_row(spec, key) for key in sorted(keys)]
