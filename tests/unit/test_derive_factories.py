"""Factories make what the mapper accepts, and the mapper's inverse gives it back."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memgraph.derive.factories import (
    DOCUMENTS,
    INTEGERS,
    TEXTS,
    make_key,
    make_node,
    make_properties,
)
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec, PropertySpec
from memgraph.domain.values import MAX_INTEGER, MAX_KEY_CHARS
from memgraph.graph.plan import RowMapper, decode

MODEL = GraphModel.of(NODE_CLASSES, {"Session": ("task_id",)})
SPECS: list[NodeSpec | EdgeSpec] = [*MODEL.nodes.values(), *MODEL.edges.values()]

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
integers = st.integers(-MAX_INTEGER - 1, MAX_INTEGER)
floats = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.booleans() | integers | floats | text
documents = st.recursive(
    scalars | st.none(), lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=8
).filter(lambda value: value is not None)
VALUES = {
    "string": text,
    "integer": integers,
    "float": floats,
    "boolean": st.booleans(),
    "datetime": st.datetimes(timezones=st.just(UTC)),
    "json": documents,
    "strings": st.lists(text, max_size=4),
    "floats": st.lists(floats, max_size=4),
}


def values_of(declared: PropertySpec) -> st.SearchStrategy[Any]:
    if declared.enum is not None:
        return st.sampled_from([member.value for member in declared.enum])
    return VALUES[declared.type]


@st.composite
def instances(draw: st.DrawFn) -> tuple[NodeSpec | EdgeSpec, dict[str, Any]]:
    """Any class with any of its properties, set or not."""
    spec = draw(st.sampled_from(SPECS))
    fields = [p for p in spec.properties if p.metadata_key is None]
    return spec, draw(st.fixed_dictionaries({}, optional={p.name: values_of(p) for p in fields}))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(instances())
def test_decoding_a_row_gives_back_what_was_mapped(instance: tuple[Any, dict[str, Any]]) -> None:
    spec, properties = instance
    read = decode(spec, RowMapper(spec)(properties))
    promoted = {p.name for p in spec.properties if p.metadata_key}
    assert {n: v for n, v in read.items() if n not in promoted} == properties


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: getattr(s, "label", None) or s.ends[1])
def test_the_mapper_takes_what_a_factory_makes(spec: NodeSpec | EdgeSpec) -> None:
    for seed in range(10):
        properties = make_properties(spec, seed)
        assert decode(spec, RowMapper(spec)(properties)) == properties


@pytest.mark.parametrize("spec", MODEL.nodes.values(), ids=lambda s: s.label)
def test_a_full_node_has_every_property_but_the_writers(spec: NodeSpec) -> None:
    assert set(make_node(spec, 1)) == {p.name for p in spec.properties if not p.internal}


@pytest.mark.parametrize("spec", MODEL.nodes.values(), ids=lambda s: s.label)
def test_a_bare_node_has_what_is_required(spec: NodeSpec) -> None:
    required = {p.name for p in spec.properties if p.required} | set(spec.identity)
    assert set(make_node(spec, 1, full=False)) == required


@pytest.mark.parametrize("spec", MODEL.nodes.values(), ids=lambda s: s.label)
def test_keys_differ_and_fit_the_limits(spec: NodeSpec) -> None:
    keys = {make_key(spec, seed) for seed in range(100)}
    assert len(keys) == (100 if spec.key else 1)
    assert all(len(part) <= MAX_KEY_CHARS for key in keys for part in key if isinstance(part, str))


def test_the_same_seed_gives_the_same_node() -> None:
    spec = MODEL.nodes["Prompt"]
    assert make_node(spec, 7) == make_node(spec, 7) != make_node(spec, 8)


def test_values_are_varied_enough_to_find_faults() -> None:
    prompts = [make_node(MODEL.nodes["Prompt"], seed) for seed in range(200)]
    assert {p["text"] for p in prompts} == set(TEXTS)
    assert {p["token_count"] for p in prompts} == set(INTEGERS)
    assert [] in [p["tags"] for p in prompts]
    assert all(p["created_at"].utcoffset() == timedelta(0) for p in prompts)
    assert any(p["created_at"].microsecond % 1000 for p in prompts)
    assert all(d in [p["metadata"] for p in prompts] for d in DOCUMENTS)


def test_promoted_metadata_is_in_both_places() -> None:
    session = make_node(MODEL.nodes["Session"], 5)
    assert session["metadata_task_id"] == session["metadata"]["task_id"]
