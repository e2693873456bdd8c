"""What the classes ask for, as schema items and statements, and how servers are compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel
from memgraph.graph.ddl import (
    Kind,
    SchemaDifference,
    SchemaItem,
    compare,
    create_statement,
    desired_items,
    drop_statement,
    generate,
)

MODEL = GraphModel.of(NODE_CLASSES, {"Session": ("task_id", "odd `key`")})
ITEMS = {item.name: item for item in desired_items(MODEL)}
UNIQUE = ITEMS["prompt_prompt_id_unique"]
RANGE = ITEMS["prompt_created_at_range"]
FULLTEXT = ITEMS["prompt_text_fulltext"]
VECTOR = ITEMS["prompt_embedding_vector"]
PROMOTED = ITEMS["session_metadata_task_id_range"]


def test_every_class_has_a_uniqueness_constraint_on_tenant_and_key() -> None:
    constraints = {i.label: i.properties for i in ITEMS.values() if i.kind is Kind.UNIQUE}
    assert constraints == {spec.label: spec.identity for spec in MODEL.nodes.values()}


def test_every_indexed_property_has_an_index_that_the_tenant_leads() -> None:
    ranges = {(i.label, i.properties) for i in ITEMS.values() if i.kind is Kind.RANGE}
    declared = {
        (spec.label, ("tenant_id", p.name))
        for spec in MODEL.nodes.values()
        for p in spec.properties
        if p.index
    }
    markers = {("Placeholder", ("tenant_id",)), ("Tombstone", ("tenant_id",))}
    assert ranges == declared | markers


@pytest.mark.parametrize(
    "name",
    [
        "tenant_tenant_id_unique",
        "prompt_template_template_id_version_unique",
        "rollup_scope_grain_bucket_unique",
        "placeholder_tenant_id_range",
        "tombstone_tenant_id_range",
    ],
)
def test_names_follow_the_convention(name: str) -> None:
    assert name in ITEMS


def test_two_items_of_one_name_are_refused() -> None:
    prompt, template = MODEL.nodes["Prompt"], MODEL.nodes["PromptTemplate"]
    indexed = replace(prompt.by_name["model_id"], name="template_name")
    nodes = {"Prompt": replace(prompt, properties=(indexed,)), "PromptTemplate": template}
    with pytest.raises(TypeError, match="prompt_template_name_range"):
        desired_items(GraphModel(nodes))


@pytest.mark.parametrize(
    ("item", "statement"),
    [
        (
            UNIQUE,
            "CREATE CONSTRAINT prompt_prompt_id_unique IF NOT EXISTS\n"
            "FOR (n:Prompt) REQUIRE (n.tenant_id, n.prompt_id) IS UNIQUE",
        ),
        (
            RANGE,
            "CREATE RANGE INDEX prompt_created_at_range IF NOT EXISTS\n"
            "FOR (n:Prompt) ON (n.tenant_id, n.created_at)",
        ),
        (
            FULLTEXT,
            "CREATE FULLTEXT INDEX prompt_text_fulltext IF NOT EXISTS\n"
            "FOR (n:Prompt) ON EACH [n.text]\n"
            "OPTIONS {indexConfig: {`fulltext.eventually_consistent`: true}}",
        ),
        (
            VECTOR,
            "CYPHER 25 CREATE VECTOR INDEX prompt_embedding_vector IF NOT EXISTS\n"
            "FOR (n:Prompt) ON (n.embedding) WITH [n.tenant_id]\n"
            "OPTIONS {indexConfig: {`vector.dimensions`: 256, "
            "`vector.similarity_function`: 'COSINE', `vector.quantization.enabled`: false}}",
        ),
        (
            ITEMS["session_metadata_odd `key`_range"],
            "CREATE RANGE INDEX `session_metadata_odd ``key``_range` IF NOT EXISTS\n"
            "FOR (n:Session) ON (n.tenant_id, n.`metadata_odd ``key```)",
        ),
    ],
    ids=lambda value: value.name if isinstance(value, SchemaItem) else "",
)
def test_statements_that_create(item: SchemaItem, statement: str) -> None:
    assert create_statement(item) == statement


def test_a_kind_that_no_class_asks_for_cannot_be_created() -> None:
    with pytest.raises(TypeError, match="no class asks for"):
        create_statement(SchemaItem("t", Kind.TEXT, "Prompt", ("text",)))


def test_statements_that_drop() -> None:
    assert drop_statement(UNIQUE) == "DROP CONSTRAINT prompt_prompt_id_unique IF EXISTS"
    assert drop_statement(VECTOR) == "DROP INDEX prompt_embedding_vector IF EXISTS"


def test_a_server_that_has_everything_differs_in_nothing() -> None:
    defaults = {**VECTOR.options, "vector.hnsw.m": 16}
    found = [*ITEMS.values(), SchemaItem("theirs", Kind.TEXT, "Other", ("name",))]
    found = [replace(i, options=defaults) if i is VECTOR else i for i in found]
    result = compare(ITEMS.values(), found)
    assert not result
    assert result.lines() == []
    assert list(result.steps()) == []


def test_missing_extra_and_changed_items_are_told_apart() -> None:
    quantized = replace(VECTOR, options={**VECTOR.options, "vector.quantization.enabled": True})
    other_key = replace(UNIQUE, properties=("prompt_id",))
    extra = SchemaItem("prompt_text_text", Kind.TEXT, "Prompt", ("text",))
    shared = SchemaItem("both", Kind.FULLTEXT, "Other|Prompt", ("text",))
    result = compare([UNIQUE, RANGE, VECTOR], [quantized, other_key, extra, shared])
    assert result
    assert result.missing == (RANGE,)
    assert result.extra == (extra, shared)
    assert [(c.found, c.wanted) for c in result.changed] == [
        (other_key, UNIQUE),
        (quantized, VECTOR),
    ]
    assert [statement.split(" IF")[0] for _, statement in result.steps()] == [
        "DROP CONSTRAINT prompt_prompt_id_unique",
        "DROP INDEX prompt_embedding_vector",
        "DROP INDEX prompt_text_text",
        "DROP INDEX both",
        "CREATE CONSTRAINT prompt_prompt_id_unique",
        "CYPHER 25 CREATE VECTOR INDEX prompt_embedding_vector",
        "CREATE RANGE INDEX prompt_created_at_range",
    ]


def test_lines_name_each_item_for_people() -> None:
    found = replace(UNIQUE, properties=("prompt_id",))
    extra = SchemaItem("old", Kind.POINT, "Prompt", ("place",))
    assert compare([UNIQUE, RANGE], [found, extra]).lines() == [
        "missing: range prompt_created_at_range on Prompt(tenant_id, created_at)",
        "changed: unique prompt_prompt_id_unique on Prompt(prompt_id); "
        "wanted: unique prompt_prompt_id_unique on Prompt(tenant_id, prompt_id)",
        "extra: point old on Prompt(place)",
    ]


def test_the_part_of_promoted_metadata_is_separate() -> None:
    gone = replace(PROMOTED, name="session_metadata_old_range")
    whole = compare([UNIQUE, PROMOTED], [gone, replace(FULLTEXT, label="Session")])
    promoted, rest = whole.part(promoted=True), whole.part(promoted=False)
    assert (promoted.missing, promoted.extra) == ((PROMOTED,), (gone,))
    assert (rest.missing, len(rest.extra)) == ((UNIQUE,), 1)


def test_a_generated_file_groups_by_label_and_leaves_promoted_metadata_out() -> None:
    text = generate(SchemaDifference(missing=(UNIQUE, RANGE, PROMOTED, VECTOR)))
    assert text.startswith("// ")
    assert text.count("// Prompt\n") == 1
    assert "metadata" not in text
    assert text.endswith("`vector.quantization.enabled`: false}};\n")


def test_vectors_of_another_length_follow_the_settings() -> None:
    longer = GraphModel.of(NODE_CLASSES, dimensions=384)
    assert longer.nodes["Prompt"].by_name["embedding"].vector == 384
    [wanted] = [i for i in desired_items(longer) if i.kind is Kind.VECTOR]
    change = compare([wanted], [VECTOR])
    assert [
        item.options["vector.dimensions"] for item, _ in change.part(promoted=True).steps()
    ] == [
        256,
        384,
    ]
    assert not change.part(promoted=False)


def test_a_vector_index_that_differs_otherwise_is_left_to_migrations() -> None:
    found = replace(VECTOR, options={**VECTOR.options, "vector.quantization.enabled": True})
    change = compare([VECTOR], [found])
    assert not change.part(promoted=True)
    assert change.part(promoted=False) == change
