"""No statement runs for ever where bounds are set, and what the server cannot do is said."""

from __future__ import annotations

import threading
import time

import neo4j
import pytest
from neo4j.exceptions import Neo4jError

from memgraph.domain.errors import OutOfMemory, Overloaded
from memgraph.graph.session import Graph, is_transient

ENDLESS = "UNWIND range(1, 1000000000000) AS x WITH x WHERE x < 0 RETURN count(x) AS n"


@pytest.fixture
def bounded(graph: Graph) -> Graph:
    return graph.bounded(timeout_s=0.2, stream_timeout_s=0.2)


def test_a_read_ends_in_time(bounded: Graph) -> None:
    began = time.monotonic()
    with pytest.raises(Overloaded):
        bounded.read(ENDLESS)
    assert time.monotonic() - began < 60


def test_a_stream_ends_in_time(bounded: Graph) -> None:
    with pytest.raises(Overloaded):
        list(bounded.stream(ENDLESS))


def test_a_write_that_waits_for_a_lock_ends_in_time(
    graph: Graph, bounded: Graph, tenant: str
) -> None:
    statement = "MERGE (t:Tenant {tenant_id: $tenant_id}) SET t.write_id = 1"
    held, done = threading.Event(), threading.Event()

    def hold(tx: neo4j.Transaction) -> None:
        tx.run(statement, tenant_id=tenant).consume()
        held.set()
        assert done.wait(120)

    holder = threading.Thread(target=graph.write, args=(hold,))
    holder.start()
    try:
        assert held.wait(60)
        with pytest.raises(Overloaded):
            bounded.write(lambda tx: tx.run(statement, tenant_id=tenant).consume())
    finally:
        done.set()
        holder.join()
    patient = graph.bounded(timeout_s=60, stream_timeout_s=60)
    patient.write(lambda tx: tx.run(statement, tenant_id=tenant).consume())


def test_the_graph_itself_has_no_bounds(graph: Graph, bounded: Graph) -> None:
    assert (graph.timeout_s, bounded.timeout_s) == (None, 0.2)
    assert bounded.permits is graph.permits


@pytest.mark.parametrize(
    "status",
    [
        "Neo.TransientError.General.MemoryPoolOutOfMemoryError",
        "Neo.TransientError.General.OutOfMemoryError",
        "Neo.TransientError.General.TransactionOutOfMemoryError",
    ],
)
def test_out_of_memory_is_asked_once(graph: Graph, status: str) -> None:
    error = Neo4jError._hydrate_neo4j(code=status, message="too much")
    asked = []

    def work(_: neo4j.Transaction) -> None:
        asked.append(1)
        raise error

    assert not is_transient(error)
    with pytest.raises(OutOfMemory):
        graph.write(work)
    assert asked == [1]
