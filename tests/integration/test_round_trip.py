"""What the writer wrote is read back the same: by a plain query, and by neomodel itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from neomodel import RelationshipFrom, RelationshipTo, db
from neomodel.sync_.relationship_manager import RelationshipManager

from memgraph.derive.factories import make_node, make_properties
from memgraph.domain import nodes
from memgraph.domain.mutations import Change, Edge, Mutation, Outcome
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

# As the tests' model has them: neomodel classes know nothing of promoted metadata.
MODEL = GraphModel.of(NODE_CLASSES)
BOOKKEEPING = {"write_id", "fact_hash", "clocks"}
OCCURRED_AT = datetime(2026, 3, 4, 5, 6, 7, 89_012, tzinfo=UTC)

every_node = pytest.mark.parametrize("spec", MODEL.nodes.values(), ids=lambda s: s.label)
every_edge = pytest.mark.parametrize("edge", MODEL.edges.values(), ids=lambda e: "-".join(e.ends))
seeds = pytest.mark.parametrize("seed", range(3))


@pytest.fixture(scope="module", autouse=True)
def connected(server: Neo4jSettings) -> Iterator[None]:
    """Neomodel on the same server."""
    driver = open_driver(server)
    db.set_connection(driver=driver)
    yield
    db.close_connection()
    driver.close()


def class_of(label: str) -> type[GraphNode]:
    found: type[GraphNode] = getattr(nodes, label)
    return found


def key_of(spec: NodeSpec, properties: dict[str, Any]) -> dict[str, Any]:
    return {name: properties[name] for name in spec.identity}


def merge(graph: Graph, spec: NodeSpec, node: dict[str, Any]) -> None:
    """Write one node by the statement and the mapper that every class gets."""
    row = {plan.ROW_INDEX: 0, **plan.RowMapper(spec)(node)}
    statement = plan.merge_new(spec, frozenset(row) - {plan.ROW_INDEX})
    tenant_id = node["tenant_id"]
    known = graph.write(
        lambda tx: Transaction(tx, tenant_id, random_int63()).rows(statement, [row])
    )
    assert known == []


def read(graph: Graph, spec: NodeSpec, node: dict[str, Any]) -> dict[str, Any]:
    """Read one node by its key with plain Cypher; the writer's bookkeeping is left out."""
    where = ", ".join(f"{name}: ${name}" for name in spec.identity)
    rows = graph.read(
        f"MATCH (n:{spec.label} {{{where}}}) RETURN properties(n) AS properties, labels(n) AS labels",
        **key_of(spec, node),
    )
    assert [row["labels"] for row in rows] == [[spec.label]]
    return without_bookkeeping(plan.decode(spec, rows[0]["properties"]))


def without_bookkeeping(properties: dict[str, Any]) -> dict[str, Any]:
    return {n: v for n, v in properties.items() if v is not None and n not in BOOKKEEPING}


def said_by_neomodel(spec: NodeSpec | EdgeSpec, found: Any) -> dict[str, Any]:
    return without_bookkeeping({p.name: getattr(found, p.name) for p in spec.properties})


# Nodes


@every_node
@seeds
def test_a_merged_node_is_read_back(graph: Graph, tenant: str, spec: NodeSpec, seed: int) -> None:
    node = make_node(spec, seed, tenant_id=tenant)
    merge(graph, spec, node)
    assert read(graph, spec, node) == node
    found = class_of(spec.label).nodes.get(**key_of(spec, node))
    assert type(found) is class_of(spec.label)
    assert said_by_neomodel(spec, found) == node


@every_node
def test_a_bare_node_is_read_back(graph: Graph, tenant: str, spec: NodeSpec) -> None:
    node = make_node(spec, 1, tenant_id=tenant, full=False)
    merge(graph, spec, node)
    assert read(graph, spec, node) == node
    found = class_of(spec.label).nodes.get(**key_of(spec, node))
    assert said_by_neomodel(spec, found) == node


@pytest.mark.parametrize(
    "spec", [s for s in MODEL.nodes.values() if s.lifecycle is not Lifecycle.RECORD], ids=str
)
@seeds
def test_what_the_writer_wrote_is_read_back(
    graph: Graph, writer: Writer, model: GraphModel, tenant: str, spec: NodeSpec, seed: int
) -> None:
    spec = model.nodes[spec.label]
    node = make_node(spec, seed, tenant_id=tenant)
    mutation = mutation_of(spec, node)
    assert writer.write(tenant, [mutation]).outcomes == [Outcome.STORED]
    assert writer.write(tenant, [mutation]).outcomes == [Outcome.DUPLICATE]
    assert read(graph, spec, node) == node
    plain = MODEL.nodes[spec.label]
    found = class_of(spec.label).nodes.get(**key_of(spec, node))
    expected = {name: value for name, value in node.items() if name in plain.by_name}
    assert said_by_neomodel(plain, found) == expected


def mutation_of(spec: NodeSpec, node: dict[str, Any]) -> Mutation:
    """The mutation that asks for ``node``. What lives gets its times from the event."""
    ref = (spec.label, tuple(node[name] for name in spec.key))
    own = {n: v for n, v in node.items() if n not in spec.identity}
    if spec.lifecycle is Lifecycle.FACT:
        return Mutation("event", OCCURRED_AT, fact=ref, fact_properties=own)
    node |= {"created_at": OCCURRED_AT, "updated_at": OCCURRED_AT}
    said = {n: v for n, v in own.items() if n not in ("created_at", "updated_at")}
    return Mutation("event", OCCURRED_AT, changes=[Change(ref, said)])


@every_node
def test_neomodel_finds_a_node_by_any_way(graph: Graph, tenant: str, spec: NodeSpec) -> None:
    node = make_node(spec, 4, tenant_id=tenant)
    merge(graph, spec, node)
    found = class_of(spec.label).nodes.filter(tenant_id=tenant).order_by("created_at").all()
    statement = f"MATCH (n:{spec.label} {{tenant_id: $tenant_id}}) RETURN n"
    resolved = db.cypher_query(statement, {"tenant_id": tenant}, resolve_objects=True)[0]
    assert [type(row[0]) for row in resolved] == [class_of(spec.label)]
    assert found == [row[0] for row in resolved]


@every_node
def test_neomodel_resolves_placeholders(graph: Graph, tenant: str, spec: NodeSpec) -> None:
    key = key_of(spec, make_node(spec, 5, tenant_id=tenant))
    given = ", ".join(f"{name}: ${name}" for name in key)
    graph.run(f"CREATE (:{spec.label}:{PLACEHOLDER} {{{given}}})", **key)
    assert said_by_neomodel(spec, class_of(spec.label).nodes.get(**key)) == key
    statement = f"MATCH (n:{PLACEHOLDER} {{tenant_id: $tenant_id}}) RETURN n"
    rows, _ = db.cypher_query(statement, {"tenant_id": tenant}, resolve_objects=True)
    assert [type(row[0]) for row in rows] == [class_of(spec.label)]


# Relationships


@every_edge
@seeds
def test_a_written_relationship_is_read_back(
    graph: Graph, writer: Writer, tenant: str, edge: EdgeSpec, seed: int
) -> None:
    start, end, properties = write_edge(graph, writer, tenant, edge, seed)
    rows = graph.read(
        f"MATCH (a:{edge.start} {{tenant_id: $tenant_id}})-[r:{edge.type}]->(b:{edge.end})"
        " RETURN properties(r) AS properties",
        tenant_id=tenant,
    )
    assert [without_bookkeeping(plan.decode(edge, r["properties"])) for r in rows] == [properties]
    one = class_of(edge.start).nodes.get(**key_of(MODEL.nodes[edge.start], start))
    other = class_of(edge.end).nodes.get(**key_of(MODEL.nodes[edge.end], end))
    for here, there, manager in managers(edge, one, other):
        assert manager.all() == [there], manager
        assert manager.is_connected(there)
        assert said_by_neomodel(edge, manager.relationship(there)) == properties
        assert here != there


@every_edge
def test_neomodel_resolves_a_relationship_and_its_ends(
    graph: Graph, writer: Writer, tenant: str, edge: EdgeSpec
) -> None:
    start, end, properties = write_edge(graph, writer, tenant, edge, 4)
    statement = f"MATCH (a:{edge.start})-[r:{edge.type}]->(b:{edge.end})"
    rows, _ = db.cypher_query(
        f"{statement} WHERE a.tenant_id = $tenant_id RETURN a, r, b",
        {"tenant_id": tenant},
        resolve_objects=True,
    )
    ((one, relationship, other),) = rows
    assert said_by_neomodel(MODEL.nodes[edge.start], one) == start
    assert said_by_neomodel(MODEL.nodes[edge.end], other) == end
    assert said_by_neomodel(edge, relationship) == properties
    assert relationship.type_name == edge.type


def write_edge(
    graph: Graph, writer: Writer, tenant: str, edge: EdgeSpec, seed: int
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Two nodes by the generic statement and the relationship by the writer."""
    start_spec, end_spec = MODEL.nodes[edge.start], MODEL.nodes[edge.end]
    start = make_node(start_spec, seed, tenant_id=tenant)
    end = make_node(end_spec, seed + 1000, tenant_id=tenant)
    merge(graph, start_spec, start)
    merge(graph, end_spec, end)
    properties = make_properties(edge, seed)
    asked = Edge(ref(start_spec, start), edge.type, ref(end_spec, end), properties)
    mutation = Mutation("event", OCCURRED_AT)
    if edge.is_fact:
        mutation.fact_edge = asked
    else:
        mutation.edges.append(asked)
    writer.write(tenant, [mutation])
    if (edge.type, end.get("status")) == ("INVOKES", "pending"):
        return start, end, properties
    if edge.type == "INVOKES":
        # The writer repeats on the edge how the call ended.
        properties["success"] = end["status"] == "success"
    return start, end, properties


def ref(spec: NodeSpec, node: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    return spec.label, tuple(node[name] for name in spec.key)


def managers(
    edge: EdgeSpec, one: GraphNode, other: GraphNode
) -> Iterator[tuple[GraphNode, GraphNode, RelationshipManager]]:
    """The managers of both classes for a relationship, each with the node it begins at."""
    ends = ((one, other, RelationshipTo, edge.end), (other, one, RelationshipFrom, edge.start))
    for here, there, direction, label in ends:
        relationships = type(here).defined_properties(aliases=False, properties=False)
        for name, declared in relationships.items():
            model = declared.definition["model"]
            target = declared._raw_class.rpartition(".")[2]
            if (type(declared), model.type_name, target) == (direction, edge.type, label):
                yield here, there, getattr(here, name)
