"""Adding a property is one line in one file; adding a class is one class. All else follows."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path

import pytest

from memgraph.derive.drawing import OTHER, grouped
from memgraph.derive.factories import make_node
from memgraph.derive.json_schema import node_schemas
from memgraph.derive.pages import data_model
from memgraph.domain.mutations import Mutation
from memgraph.domain.nodes import NODE_CLASSES, context
from memgraph.domain.schema import GraphModel, GraphNode, NodeSpec
from memgraph.graph import plan
from memgraph.graph.ddl import create_statement, desired_items
from memgraph.ids import now

LINE = '    page_count = IntegerProperty(unit="pages", index=True, help_text="Length in print.")\n'
AFTER = '    title = StringProperty(help_text="What people call it.")\n'


@pytest.fixture
def node_class(tmp_path: Path) -> type[GraphNode]:
    """The class of context documents under another name, with one more line."""
    source = inspect.getsource(context)
    assert source.count(AFTER) == 1
    source = source.replace("class ContextDocument", "class PagedDocument")
    path = tmp_path / "paged.py"
    path.write_text(source.replace(AFTER, AFTER + LINE))
    spec = importlib.util.spec_from_file_location("paged", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    added: type[GraphNode] = module.PagedDocument
    return added


@pytest.fixture
def model(node_class: type[GraphNode]) -> GraphModel:
    return GraphModel.of([*NODE_CLASSES, node_class])


@pytest.fixture
def spec(model: GraphModel) -> NodeSpec:
    return model.nodes["PagedDocument"]


def test_the_class_has_one_property_more(model: GraphModel, spec: NodeSpec) -> None:
    known = {p.name for p in model.nodes["ContextDocument"].properties}
    assert {p.name for p in spec.properties} - known == {"page_count"}


def test_the_mapper_checks_it(spec: NodeSpec) -> None:
    mapper = plan.RowMapper(spec)
    assert mapper({"page_count": 12}) == {"page_count": 12}
    with pytest.raises(TypeError, match=r"PagedDocument\.page_count: integer expected"):
        mapper({"page_count": "12"})


def test_the_statements_set_it(spec: NodeSpec) -> None:
    present = frozenset({"context_id", "created_at", "page_count"})
    for statement in (plan.merge_new, plan.fill_placeholders, plan.update_living):
        assert "n.page_count = row.page_count" in statement(spec, present)


def test_the_server_gets_its_index(model: GraphModel) -> None:
    items = {item.name: item for item in desired_items(model)}
    item = items["paged_document_page_count_range"]
    assert item.properties == ("tenant_id", "page_count")
    assert "n.page_count" in create_statement(item)


def test_the_json_schema_has_it(model: GraphModel) -> None:
    assert node_schemas(model)["PagedDocument"]["properties"]["page_count"] == {
        "description": "Length in print. Unit: pages.",
        "type": "integer",
        "format": "int64",
    }


def test_the_page_shows_it(model: GraphModel) -> None:
    page = data_model(model)
    assert "| `page_count` | integer | pages |  | range | Length in print. |" in page
    assert 'PagedDocument("PagedDocument")' in page
    assert grouped(model)[OTHER] == ("PagedDocument",)


def test_the_factory_makes_it(spec: NodeSpec) -> None:
    assert isinstance(make_node(spec, 1)["page_count"], int)


def test_it_is_part_of_what_tells_two_facts_apart() -> None:
    facts = [
        Mutation("e", now(), fact=("PagedDocument", ("d",)), fact_properties={"page_count": n})
        for n in (1, 2)
    ]
    assert facts[0].fact_hash() != facts[1].fact_hash()
