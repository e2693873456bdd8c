"""Writers that want the same nodes at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import neo4j

from memgraph.domain.schema import GraphModel
from memgraph.graph import edge_plan
from memgraph.graph.session import Graph, Row
from memgraph.graph.transaction import Transaction

ENDS = ("Prompt", "USES_MODEL", "Model")
DENSE = 60
"""From 50 relationships on Neo4j locks them by group instead of the whole node."""
LOCK = "MERGE (t:Tenant {tenant_id: $tenant_id}) SET t.write_id = 1"


def link(model: GraphModel, tx: neo4j.Transaction, tenant: str, prompts: list[str]) -> Row:
    """Link prompts to the model that all of them use."""
    spec = model.edges[ENDS]
    statement = edge_plan.merge_edges(
        spec, model.nodes[spec.start], model.nodes[spec.end], frozenset(), ()
    )
    rows = [
        {"i": i, "start_prompt_id": prompt, "end_model_id": "m"} for i, prompt in enumerate(prompts)
    ]
    return Transaction(tx, tenant, 1).matched(statement, rows, "uses_model")


def test_who_links_to_the_same_model_does_not_wait(
    graph: Graph, model: GraphModel, tenant: str
) -> None:
    graph.write(lambda tx: link(model, tx, tenant, [f"p{n}" for n in range(DENSE)]))
    linked, done = threading.Event(), threading.Event()

    def hold(tx: neo4j.Transaction) -> None:
        link(model, tx, tenant, ["mine"])
        linked.set()
        assert done.wait(120)

    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(graph.write, hold)
        try:
            assert linked.wait(60)
            # It would end here, with the time it has, if it had to wait for the other.
            patient = graph.bounded(timeout_s=60, stream_timeout_s=60)
            patient.write(lambda tx: link(model, tx, tenant, ["other"]))
            assert not holder.done()
        finally:
            done.set()
        holder.result(60)
    found = graph.read(
        "MATCH (:Model {tenant_id: $tenant_id, model_id: 'm'})"
        "<-[r:USES_MODEL]-(:Prompt {tenant_id: $tenant_id}) RETURN count(r) AS n",
        tenant_id=tenant,
    )
    assert found == [{"n": DENSE + 2}]


def test_one_edge_made_by_many_at_once_is_one(graph: Graph, model: GraphModel, tenant: str) -> None:
    together = threading.Barrier(4)

    def write() -> None:
        together.wait(60)
        graph.write(lambda tx: link(model, tx, tenant, ["p"]))

    for _ in range(5):
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(write) for _ in range(4)]:
                done.result(120)
        found = graph.read(
            "MATCH (:Prompt {tenant_id: $tenant_id, prompt_id: 'p'})"
            "-[r:USES_MODEL]->(:Model {tenant_id: $tenant_id}) RETURN count(r) AS n",
            tenant_id=tenant,
        )
        assert found == [{"n": 1}]
        graph.write(lambda tx: tx.run(_UNLINK, tenant_id=tenant).consume())


_UNLINK = """\
MATCH (:Prompt {tenant_id: $tenant_id, prompt_id: 'p'})-[r:USES_MODEL]->()
DELETE r"""


def test_a_deadlock_ends_with_both_done(graph: Graph, tenant: str) -> None:
    attempts = {"a": 0, "b": 0}
    together = threading.Barrier(2)

    def write(first: str, second: str) -> None:
        def work(tx: neo4j.Transaction) -> None:
            attempts[first] += 1
            tx.run(LOCK, tenant_id=f"{tenant}-{first}").consume()
            if attempts[first] == 1:
                together.wait(60)
            tx.run(LOCK, tenant_id=f"{tenant}-{second}").consume()

        graph.write(work)

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(write, "a", "b"), pool.submit(write, "b", "a")]:
            done.result(120)
    assert sorted(attempts.values()) == [1, 2]
