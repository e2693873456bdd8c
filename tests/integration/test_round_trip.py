"""What the writer wrote is read back the same: by a plain query, and by neomodel itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from neomodel import RelationshipFrom, RelationshipTo, db

from memgraph.derive.factories import make_node, make_properties
from memgraph.domain import nodes
from memgraph.domain.mutations import Change, Edge, Mutation, Outcome, Ref
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import PLACEHOLDER, EdgeSpec, GraphModel, GraphNode, NodeSpec
from memgraph.domain.values import Lifecycle
from memgraph.graph import plan
from memgraph.graph.driver import open_driver
from memgraph.graph.session import Graph
from memgraph.graph.transaction import Transaction
from memgraph.graph.writer import Writer
from memgraph.ids import random_int63
from memgraph.settings import Neo4jSettings

MODEL = GraphModel.of(NODE_CLASSES)
"""As neomodel has it: its classes know nothing of promoted metadata."""
EVENT_NODES = [s for s in MODEL.nodes.values() if s.lifecycle is not Lifecycle.RECORD]
SEEDS = range(4)
OCCURRED_AT = datetime(2026, 3, 4, 5, 6, 7, 89_012, tzinfo=UTC)
BOOKKEEPING = {"write_id", "fact_hash", "clocks", "recorded_at"}

Properties = dict[str, Any]

every_node = pytest.mark.parametrize("spec", MODEL.nodes.values(), ids=lambda s: s.label)
every_edge = pytest.mark.parametrize("edge", MODEL.edges.values(), ids=lambda e: "-".join(e.ends))


@pytest.fixture(scope="module", autouse=True)
def _connected(server: Neo4jSettings) -> Iterator[None]:
    """Neomodel on the same server."""
    driver = open_driver(server)
    db.set_connection(driver=driver)
    yield
    db.close_connection()
    driver.close()


def instances(spec: NodeSpec, tenant: str) -> Iterator[Properties]:
    """A bare node and several full ones, each in a tenant of its own: one class has no key."""
    yield make_node(spec, 0, tenant_id=f"{tenant}-bare", full=False)
    yield from (make_node(spec, seed, tenant_id=f"{tenant}-{seed}") for seed in SEEDS)


def class_of(label: str) -> type[GraphNode]:
    found: type[GraphNode] = getattr(nodes, label)
    return found


def identity(spec: NodeSpec, node: Properties) -> Properties:
    return {name: node[name] for name in spec.identity}


def ref(spec: NodeSpec, node: Properties) -> Ref:
    return spec.label, tuple(node[name] for name in spec.key)


def merge(graph: Graph, spec: NodeSpec, node: Properties) -> None:
    """Write one node by the statement and the mapper that every class gets."""
    row = {plan.ROW_INDEX: 0, **plan.RowMapper(spec)(node)}
    statement = plan.merge_new(spec, frozenset(spec.by_name))

    def work(tx: Any) -> list[Any]:
        return Transaction(tx, node["tenant_id"], random_int63()).rows(statement, [row])

    assert graph.write(work) == []


def read(graph: Graph, spec: NodeSpec, node: Properties) -> Properties:
    """Read one node by its key with plain Cypher."""
    where = ", ".join(f"{name}: ${name}" for name in spec.identity)
    (row,) = graph.read(
        f"MATCH (n:{spec.label} {{{where}}}) RETURN labels(n) AS labels, properties(n) AS node",
        **identity(spec, node),
    )
    assert row["labels"] == [spec.label]
    assert row["node"].keys() <= {*spec.by_name, *BOOKKEEPING}
    return content(plan.decode(spec, row["node"]))


def content(properties: Properties) -> Properties:
    """What is set, but for the writer's bookkeeping."""
    return {n: v for n, v in properties.items() if v is not None and n not in BOOKKEEPING}


def read_by_neomodel(spec: NodeSpec, node: Properties) -> Properties:
    """Read one node by its key as users of the classes do."""
    found = class_of(spec.label).nodes.get(**identity(spec, node))
    assert type(found) is class_of(spec.label)
    return seen(spec, found)


def seen(spec: NodeSpec | EdgeSpec, found: Any) -> Properties:
    """What neomodel's object says."""
    return content({p.name: getattr(found, p.name) for p in spec.properties})


# Nodes


@every_node
def test_merged_nodes_are_read_back(graph: Graph, tenant: str, spec: NodeSpec) -> None:
    for node in instances(spec, tenant):
        merge(graph, spec, node)
        assert read(graph, spec, node) == node
        assert read_by_neomodel(spec, node) == node


@pytest.mark.parametrize("plain", EVENT_NODES, ids=lambda s: s.label)
def test_nodes_of_events_are_read_back(
    graph: Graph, writer: Writer, model: GraphModel, tenant: str, plain: NodeSpec
) -> None:
    spec = model.nodes[plain.label]
    for node in instances(spec, tenant):
        mutation = mutation_of(spec, node)
        assert writer.write(node["tenant_id"], [mutation]).outcomes == [Outcome.STORED]
        assert writer.write(node["tenant_id"], [mutation]).outcomes == [Outcome.DUPLICATE]
        assert read(graph, spec, node) == node
        known = {name: value for name, value in node.items() if name in plain.by_name}
        assert read_by_neomodel(plain, node) == known


def mutation_of(spec: NodeSpec, node: Properties) -> Mutation:
    """The mutation that asks for ``node``. What lives gets its times from the event."""
    own = {n: v for n, v in node.items() if n not in spec.identity}
    if spec.lifecycle is Lifecycle.FACT:
        return Mutation("event", OCCURRED_AT, fact=ref(spec, node), fact_properties=own)
    times = {"created_at": OCCURRED_AT, "updated_at": OCCURRED_AT}
    node.update(times)
    said = {n: v for n, v in own.items() if n not in times}
    return Mutation("event", OCCURRED_AT, changes=[Change(ref(spec, node), said)])


@every_node
def test_neomodel_knows_placeholders_by_their_class(
    graph: Graph, tenant: str, spec: NodeSpec
) -> None:
    key = identity(spec, make_node(spec, 5, tenant_id=tenant))
    given = ", ".join(f"{name}: ${name}" for name in key)
    graph.run(f"CREATE (:{spec.label}:{PLACEHOLDER} {{{given}}})", **key)
    assert read_by_neomodel(spec, key) == key
    statement = f"MATCH (n:{PLACEHOLDER} {{tenant_id: $tenant_id}}) RETURN n"
    ((found,),) = db.cypher_query(statement, {"tenant_id": tenant}, resolve_objects=True)[0]
    assert type(found) is class_of(spec.label)


# Relationships


@every_edge
def test_relationships_are_read_back(
    graph: Graph, writer: Writer, tenant: str, edge: EdgeSpec
) -> None:
    for seed in SEEDS:
        tenant_id = f"{tenant}-{seed}"
        start, end, properties = write_edge(graph, writer, tenant_id, edge, seed)
        pattern = f"(a:{edge.start} {{tenant_id: $tenant_id}})-[r:{edge.type}]->(b:{edge.end})"
        statement = f"MATCH {pattern} RETURN properties(r) AS edge"
        (row,) = graph.read(statement, tenant_id=tenant_id)
        assert row["edge"].keys() <= edge.by_name.keys()
        assert content(plan.decode(edge, row["edge"])) == properties
        ((one, relationship, other),) = db.cypher_query(
            f"MATCH {pattern} RETURN a, r, b", {"tenant_id": tenant_id}, resolve_objects=True
        )[0]
        assert seen(MODEL.nodes[edge.start], one) == start
        assert seen(edge, relationship) == properties
        assert seen(MODEL.nodes[edge.end], other) == end
        for manager, there in managers(edge, one, other):
            assert manager.all() == [there]
            assert seen(edge, manager.relationship(there)) == properties


def write_edge(
    graph: Graph, writer: Writer, tenant_id: str, edge: EdgeSpec, seed: int
) -> tuple[Properties, Properties, Properties]:
    """Write two nodes by the generic statement and the relationship by the writer."""
    start_spec, end_spec = MODEL.nodes[edge.start], MODEL.nodes[edge.end]
    start = make_node(start_spec, seed, tenant_id=tenant_id)
    end = make_node(end_spec, seed + 1000, tenant_id=tenant_id)
    merge(graph, start_spec, start)
    merge(graph, end_spec, end)
    properties = make_properties(edge, seed)
    asked = Edge(ref(start_spec, start), edge.type, ref(end_spec, end), properties)
    mutation = Mutation("event", OCCURRED_AT)
    if edge.is_fact:
        mutation.fact_edge = asked
    else:
        mutation.edges.append(asked)
    writer.write(tenant_id, [mutation])
    if edge.type == "INVOKES" and end["status"] != "pending":
        # The writer repeats on the edge how the call ended.
        properties = {**properties, "success": end["status"] == "success"}
    return start, end, properties


def managers(edge: EdgeSpec, one: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    """The managers of both classes for a relationship, each with the node at its far end."""
    for here, there, direction in ((one, other, RelationshipTo), (other, one, RelationshipFrom)):
        relationships = type(here).defined_properties(aliases=False, properties=False)
        for name, declared in relationships.items():
            type_name = declared.definition["model"].type_name
            far = declared._raw_class.rpartition(".")[2]
            if (type(declared), type_name, far) == (direction, edge.type, type(there).__name__):
                yield getattr(here, name), there
