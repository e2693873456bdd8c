"""What may be selected: every rule of conditions, edges and order, without a server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph.bootstrap import build_model
from memgraph.domain.errors import InvalidInput
from memgraph.domain.schema import NodeSpec
from memgraph.domain.selection import (
    MAX_CONDITIONS,
    MAX_VALUE_CHARS,
    METADATA,
    Condition,
    Operator,
    Related,
    Selection,
    Sort,
    Way,
    check,
    operators_of,
    sortable,
)
from memgraph.domain.values import MAX_INTEGER, MAX_ITEMS
from memgraph.graph.kinds import find_spec
from memgraph.graph.planner import choose
from memgraph.settings import Settings

MODEL = build_model(Settings())
CONTENT = [spec for spec in MODEL.nodes.values() if spec.is_content]


def find(kind: str) -> NodeSpec:
    return find_spec(MODEL, kind)


def checked(kind: str, *where: Condition, **more: Any) -> Any:
    return check(MODEL, Selection(kind, where, **more), find)


def refused(kind: str, *where: Condition, **more: Any) -> str:
    with pytest.raises(InvalidInput) as caught:
        checked(kind, *where, **more)
    return caught.value.field


GOOD: dict[str, st.SearchStrategy[Any]] = {
    "string": st.text(st.characters(exclude_categories=["Cs"]), max_size=50),
    "integer": st.integers(-MAX_INTEGER, MAX_INTEGER),
    "float": st.floats(allow_nan=False, allow_infinity=False) | st.integers(-1_000, 1_000),
    "boolean": st.booleans(),
    "datetime": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=5), inside),
    max_leaves=5,
)


@given(
    spec=st.sampled_from(CONTENT),
    field=st.text(max_size=20) | st.sampled_from([p.name for s in CONTENT for p in s.properties]),
    operator=st.sampled_from(Operator),
    value=ANYTHING,
)
def test_anything_is_checked_or_refused_by_its_place(
    spec: NodeSpec, field: str, operator: Operator, value: Any
) -> None:
    try:
        [test] = checked(spec.snake, Condition(field, operator, value)).tests
    except InvalidInput as error:
        assert error.field.startswith("where.0.")
    else:
        assert test.declared in spec.properties
        assert not test.declared.internal
        assert test.declared.name != "tenant_id"
        assert operator in operators_of(test.declared)


@given(data=st.data(), spec=st.sampled_from(CONTENT))
def test_a_value_of_the_type_is_taken(data: st.DataObject, spec: NodeSpec) -> None:
    plain = [p for p in spec.properties if p.type in GOOD and not p.internal and not p.enum]
    declared = data.draw(st.sampled_from([p for p in plain if p.name != "tenant_id"]))
    name = METADATA + declared.metadata_key if declared.metadata_key else declared.name
    value = data.draw(GOOD[declared.type])
    [test] = checked(spec.snake, Condition(name, Operator.EQ, value)).tests
    if declared.type == "datetime":
        assert test.value == datetime.fromisoformat(value)
    else:
        assert test.value == value
        assert type(test.value) is (float if declared.type == "float" else type(value))


@pytest.mark.parametrize(
    ("field", "operator", "value", "place"),
    [
        ("none", "eq", 1, "field"),
        ("tenant_id", "eq", "t", "field"),
        ("write_id", "eq", 1, "field"),
        ("fact_hash", "exists", True, "field"),
        ("metadata.unknown", "eq", "x", "field"),
        ("metadata", "eq", "x", "operator"),
        ("metadata", "contains", "x", "operator"),
        ("embedding", "in", [[1.0]], "operator"),
        ("tags", "eq", "x", "operator"),
        ("has_pii", "gt", True, "operator"),
        ("purpose", "lt", "chat", "operator"),
        ("user_id", "contains", "x", "operator"),
        ("purpose", "eq", "other things", "value"),
        ("purpose", "in", ["chat", "none"], "value.1"),
        ("user_id", "eq", 1, "value"),
        ("user_id", "eq", "x" * (MAX_VALUE_CHARS + 1), "value"),
        ("user_id", "eq", "\ud800", "value"),
        ("user_id", "in", [], "value"),
        ("user_id", "in", "ab", "value"),
        ("user_id", "in", ["x"] * (MAX_ITEMS + 1), "value"),
        ("token_count", "eq", True, "value"),
        ("token_count", "eq", 1.0, "value"),
        ("token_count", "eq", 2**63, "value"),
        ("temperature", "eq", float("nan"), "value"),
        ("temperature", "eq", "1", "value"),
        ("has_pii", "eq", 1, "value"),
        ("created_at", "gt", "2026-01-01T00:00:00", "value"),
        ("created_at", "gt", "yesterday", "value"),
        ("created_at", "gt", 0, "value"),
        ("created_at", "gt", "0001-01-01T00:00:00+14:00", "value"),
        ("text", "contains", " ... ", "value"),
        ("text", "exists", "yes", "value"),
    ],
)
def test_a_broken_rule_is_named(field: str, operator: str, value: Any, place: str) -> None:
    fine = Condition("user_id", Operator.EXISTS)
    condition = Condition(field, Operator(operator), value)
    assert refused("prompt", fine, condition) == f"where.1.{place}"


def test_a_promoted_key_is_named_as_in_the_metadata() -> None:
    [test] = checked("session", Condition("metadata.trial", Operator.EQ, "1")).tests
    assert test.declared.name == "metadata_trial"
    with pytest.raises(InvalidInput, match="MEMGRAPH_PROMOTED_METADATA"):
        checked("session", Condition("metadata.other", Operator.EQ, "1"))


def test_there_are_bounds() -> None:
    there = Condition("user_id", Operator.EXISTS)
    assert refused("prompt", *[there] * (MAX_CONDITIONS + 1)) == "where"
    words = Condition("text", Operator.CONTAINS, "a")
    assert refused("prompt", words, words) == "where.1.operator"
    session = Related("PART_OF", "session", "s")
    assert refused("prompt", related=(session,) * 9) == "related"


class TestOrder:
    def test_by_key_unless_asked(self) -> None:
        order = checked("prompt").order
        assert (order.declared.name, order.descending) == ("prompt_id", False)

    def test_only_what_an_index_holds(self) -> None:
        for spec in CONTENT:
            for field in sortable(spec):
                assert checked(spec.snake, sort=Sort(field, descending=True)).order.descending
        for field in ("text", "tags", "none", "tenant_id", "metadata.none"):
            assert refused("prompt", sort=Sort(field)) == "sort.field"
        assert refused("template", sort=Sort("version")) == "sort.field"

    def test_time_for_what_hangs_on_one_node(self) -> None:
        assert refused("tool", sort=Sort("created_at")) == "sort.field"
        parent = (Related("INVOKES", "response", "r"),)
        order = checked("tool", related=parent, sort=Sort("created_at")).order
        assert order.declared.name == "created_at"


class TestRelated:
    def test_the_direction_is_found(self) -> None:
        [out] = checked("prompt", related=(Related("PART_OF", "session", "s"),)).steps
        [into] = checked("session", related=(Related("PART_OF", "prompt", "p"),)).steps
        assert (out.way, into.way) == (Way.OUT, Way.IN)

    @pytest.mark.parametrize(
        ("related", "place"),
        [
            (Related("NONE", "session", "s"), "type"),
            (Related("PART_OF", "agent", "s"), "type"),
            (Related("PART_OF", "session", "s", Way.IN), "type"),
            (Related("PART_OF", "none", "s"), "kind"),
            (Related("FOLLOWS", "prompt", "s"), "direction"),
        ],
    )
    def test_what_cannot_be(self, related: Related, place: str) -> None:
        fine = Related("PART_OF", "session", "s")
        assert refused("prompt", related=(fine, related)) == f"related.1.{place}"


class TestPlanner:
    def chosen(self, kind: str, *where: Condition, ordered: bool = True, **more: Any) -> str:
        return choose(checked(kind, *where, **more), is_ordered=ordered).index

    def test_the_best_comes_first(self) -> None:
        user = Condition("user_id", Operator.EQ, "u")
        later = Condition("created_at", Operator.GT, "2026-01-01T00:00:00Z")
        text = Condition("text", Operator.CONTAINS, "word")
        key = Condition("prompt_id", Operator.IN, ["p"])
        session = (Related("PART_OF", "session", "s"),)
        assert self.chosen("prompt") == "prompt_prompt_id_unique"
        assert self.chosen("prompt", sort=Sort("created_at")) == "prompt_created_at_range"
        assert self.chosen("prompt", later, sort=Sort("model_id")) == "prompt_created_at_range"
        assert self.chosen("prompt", later, user) == "prompt_user_id_range"
        assert self.chosen("prompt", user, related=session) == "session_session_id_unique"
        assert self.chosen("prompt", key, related=session) == "prompt_prompt_id_unique"
        assert self.chosen("prompt", key, text) == "prompt_text_fulltext"

    def test_an_enumeration_serves_a_count(self) -> None:
        chat = Condition("purpose", Operator.EQ, "chat")
        by_time = Sort("created_at")
        assert self.chosen("session", chat, sort=by_time) == "session_created_at_range"
        assert self.chosen("session", chat, ordered=False) == "session_purpose_range"

    def test_what_no_index_answers(self) -> None:
        other = Condition("user_id", Operator.NE, "u")
        missing = Condition("user_id", Operator.EXISTS, False)
        assert self.chosen("prompt", other, missing) == "prompt_prompt_id_unique"

    def test_the_first_of_a_key(self) -> None:
        template = Condition("template_id", Operator.EQ, "t")
        assert choose(checked("template", template), is_ordered=True).method == "range"
        version = Condition("version", Operator.EQ, "1.0.0")
        assert choose(checked("template", template, version), is_ordered=True).method == "key"
