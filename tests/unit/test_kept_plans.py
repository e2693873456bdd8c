"""Which statements of the writer keep the plan that an empty graph suggested."""

from __future__ import annotations

import pytest

from memgraph.domain.schema import GraphModel
from memgraph.graph import deletion, splice, writer
from memgraph.graph.transaction import KEEP_PLAN, kept
from tests.support.statements import all_statements

ALWAYS_THE_SAME = (
    "merge_new ",
    "merge_edges ",
    "merge_fact_edges ",
    "update_living ",
    "fill_placeholders ",
)


def test_what_names_all_its_nodes_by_key_keeps_its_plan(model: GraphModel) -> None:
    found = [t for n, t in all_statements(model).items() if n.startswith(ALWAYS_THE_SAME)]
    assert len(found) > len(model.nodes)
    assert [text for text in found if not kept(text).startswith(KEEP_PLAN)] == []


@pytest.mark.parametrize(
    "statement",
    [
        writer.SET_SUCCESS,
        splice.READ_NEIGHBOURS,
        splice.UNLINK,
        splice.SET_GAPS,
        deletion.FIND_PROMPTS,
        deletion.FIND_RESPONSES,
    ],
)
def test_what_goes_on_to_other_nodes_is_planned_anew(statement: str) -> None:
    assert kept(statement) == statement


@pytest.mark.parametrize(
    ("pattern", "is_kept"),
    [
        ("MATCH (a:Prompt {prompt_id: row.id})", True),
        ("MATCH (a:Prompt {prompt_id: row.id}) SET a.at = datetime()", True),
        ("MATCH (a:Prompt {prompt_id: row.id})-[r]->(:Session)", False),
        ("MATCH (a:Prompt {prompt_id: row.id})<-[r]-(b:Response)", False),
        ("MATCH (a:Prompt {prompt_id: row.id})-[r]->()", False),
        ("MATCH (a:Prompt {prompt_id: row.id})-[r]->(b:Session {tenant_id: $tenant_id})", False),
        ("MATCH ()-[r]->(a:Prompt {prompt_id: row.id})", False),
    ],
)
def test_a_node_without_key_is_seen(pattern: str, is_kept: bool) -> None:
    assert kept(pattern).startswith(KEEP_PLAN) is is_kept
