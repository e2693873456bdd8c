"""Tenants are told of apart, and what waits is counted."""

from __future__ import annotations

from memgraph.graph.outbox import Outbox, read_waiting
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.services.relay import Relay
from memgraph.settings import OutboxSettings
from tests.support.relaying import mutations, prompt, response
from tests.support.sinks import InMemorySink, OwnLease


def test_tenants_are_never_mixed(
    writer: Writer, graph: Graph, tenant: str, sink: InMemorySink
) -> None:
    """The same ids in two tenants, with all others between them left alone."""
    tenants = [f"{tenant}-{n}" for n in range(3)]
    for each in tenants:
        writer.write(each, mutations([prompt("p"), response("r", "p")]))

    class Ours(Outbox):
        def find_tenant(self, after: str) -> str | None:
            while (found := super().find_tenant(after)) is not None and found not in tenants:
                after = found
            return found

    relay = Relay(Ours(graph), [sink], OwnLease(), OutboxSettings())
    relay.drain()
    assert [t for t, _ in sink.taken] == [t for t in sorted(tenants) for _ in range(2)]
    assert all(b["tenant_id"] == t for b, (t, _) in zip(sink.bodies, sink.taken, strict=True))
    assert len(sink.first_ids) == 6


def test_what_waits_is_counted(graph: Graph, writer: Writer, tenant: str) -> None:
    def figures() -> dict[str, int]:
        return {row["name"]: row["n"] for row in read_waiting(graph) if row["kind"] == "outbox"}

    writer.write(tenant, mutations([prompt("p")]))
    graph.run(
        "MATCH (o:Outbox {tenant_id: $tenant_id}) "
        "SET o.created_at = datetime() - duration('P400D')",
        tenant_id=tenant,
    )
    found = figures()
    assert found["waiting"] >= 1
    assert found["oldest_s"] >= 400 * 86_400
    Outbox(graph).remove(tenant, 1)
