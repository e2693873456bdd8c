"""What a variable may be, and what is bound to it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from memgraph.domain.errors import InvalidInput
from memgraph.domain.templates import (
    MAX_CHECKED_CHARS,
    MAX_PATTERN_CHARS,
    VariableSpec,
    VariableType,
    validate_bindings,
)
from memgraph.domain.values import MAX_DEPTH, MAX_INTEGER
from tests.support.templates import CANARY, spec


class TestVariableSpec:
    def test_plain_words(self) -> None:
        assert spec("Footballer Name").model_dump() == {
            "name": "Footballer Name",
            "type": "string",
            "default": None,
            "required": True,
            "pattern": None,
            "description": "",
        }

    def test_json_round_trip(self) -> None:
        for one in (spec(), spec("a", type="array", default=[1, {"b": None}], pattern=r"\[.*\]")):
            assert VariableSpec.model_validate_json(one.model_dump_json()) == one

    @pytest.mark.parametrize("default", ["", 0, False, [], {}])
    def test_a_default_makes_it_optional(self, default: Any) -> None:
        types = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}
        one = spec(type=types[type(default)], default=default, required=True)
        assert one.required is False
        assert validate_bindings([one], {}) == {"x": default}

    @pytest.mark.parametrize("name", ["x", "_", "a.b-c d", "名称", "points clés", "a" * 128])
    def test_good_names(self, name: str) -> None:
        assert spec(name).name == name

    @pytest.mark.parametrize(
        "name", ["", " x", "x ", "1x", "-x", "a:b", "a/b", "a\nb", "a\tb", "{x}", "a" * 129]
    )
    def test_bad_names(self, name: str) -> None:
        with pytest.raises(ValidationError, match="must be a name"):
            spec(name)

    @pytest.mark.parametrize(
        "broken",
        [
            {"name": 1},
            {"name": f"{CANARY}!"},
            {"type": CANARY},
            {"required": CANARY},
            {"unknown": CANARY},
            {"description": 1},
            {"default": object()},
            {"default": 1},
            {"type": "integer", "default": CANARY},
            {"type": "integer", "default": True},
            {"type": "integer", "default": MAX_INTEGER + 1},
            {"type": "number", "default": float("inf")},
            {"default": CANARY, "pattern": "[a-z]+"},
            {"default": CANARY * MAX_CHECKED_CHARS},
            {"type": "array", "default": [CANARY] * MAX_CHECKED_CHARS},
            {"pattern": f"({CANARY}"},
            {"pattern": f"{CANARY})|(?:b"},
            {"pattern": f"(?={CANARY})"},
            {"pattern": f"({CANARY})\\1"},
            {"pattern": f"(?:{CANARY}){{1000}}{{1000}}"},
            {"pattern": f"(?x){CANARY} # never closed"},
            {"pattern": CANARY + "a" * MAX_PATTERN_CHARS},
        ],
    )
    def test_refuses_without_an_echo(self, broken: dict[str, Any]) -> None:
        with pytest.raises(ValidationError) as caught:
            VariableSpec.model_validate({"name": "x", **broken})
        assert CANARY not in str(caught.value)

    def test_is_frozen(self) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            spec().name = "y"  # type: ignore[misc]


class TestBindings:
    values: Mapping[VariableType, Any] = {
        "string": "a",
        "number": 1.5,
        "integer": 1,
        "boolean": True,
        "array": [1],
        "object": {"a": 1},
    }

    def test_every_type_takes_its_own_values_only(self) -> None:
        assert set(self.values) == set(get_args(VariableType))
        for type_ in self.values:
            for other, value in self.values.items():
                fits = type_ == other or (type_, other) == ("number", "integer")
                if fits:
                    assert validate_bindings([spec(type=type_)], {"x": value}) == {"x": value}
                else:
                    with pytest.raises(InvalidInput, match=rf"variables\.x: .*{type_}"):
                        validate_bindings([spec(type=type_)], {"x": value})

    @pytest.mark.parametrize(
        ("spec_", "bindings", "rule"),
        [
            (spec(), {}, "is required"),
            (spec(), {"x": None}, "must be of type string"),
            (spec(required=False), {"x": CANARY, "y": CANARY}, "is not a variable"),
            (spec(type="integer"), {"x": CANARY}, "must be of type integer"),
            (spec(pattern="[a-z]+"), {"x": CANARY}, "does not match"),
            (spec(pattern="a"), {"x": "aa"}, "does not match"),
            (spec(pattern="a"), {"x": "a\n"}, "does not match"),
            (spec(pattern="^a$"), {"x": "a\n"}, "does not match"),
            (spec(pattern="a|b"), {"x": "ab"}, "does not match"),
            (spec(pattern=".*"), {"x": CANARY * MAX_CHECKED_CHARS}, "at most 10000"),
            (spec(type="integer", pattern=r"\d{4}"), {"x": 12345}, "does not match"),
            (spec(type="number"), {"x": float("nan")}, "must be JSON"),
            (spec(type="integer"), {"x": -MAX_INTEGER - 1}, "must be JSON"),
            (spec(type="array"), {"x": [[float("inf")]]}, "must be JSON"),
            (spec(type="array"), {"x": [object()]}, "must be JSON"),
            (spec(type="object"), {"x": {"a": {CANARY}}}, "must be JSON"),
            (spec(type="object"), {"x": {("a", "b"): 1}}, "must be JSON"),
        ],
    )
    def test_refuses_without_an_echo(
        self, spec_: VariableSpec, bindings: dict[str, Any], rule: str
    ) -> None:
        with pytest.raises(InvalidInput, match=rule) as caught:
            validate_bindings([spec_], bindings)
        assert caught.value.field.startswith("variables.")
        assert CANARY not in str(caught.value)
        assert CANARY not in repr(caught.value.facts)

    def test_depth_is_bounded_and_loops_end(self) -> None:
        deep: list[Any] = []
        for _ in range(MAX_DEPTH - 1):
            deep = [deep]
        assert validate_bindings([spec(type="array")], {"x": deep}) == {"x": deep}
        loop: list[Any] = []
        loop.append(loop)
        for value in ([deep], loop):
            with pytest.raises(InvalidInput, match="levels"):
                validate_bindings([spec(type="array")], {"x": value})

    def test_a_long_name_is_cut(self) -> None:
        with pytest.raises(InvalidInput) as caught:
            validate_bindings([], {"n" * 10_000: 1})
        assert len(caught.value.field) < 100

    def test_names_are_unique(self) -> None:
        with pytest.raises(InvalidInput, match="twice"):
            validate_bindings([spec(), spec()], {"x": "a"})

    def test_a_default_is_not_shared(self) -> None:
        one = spec(type="array", default=[])
        validate_bindings([one], {})["x"].append(1)
        assert validate_bindings([one], {}) == {"x": []}

    def test_pattern_matches_the_whole_value(self) -> None:
        one = spec(type="integer", pattern=r"19\d\d|20\d\d")
        assert validate_bindings([one], {"x": 1999}) == {"x": 1999}

    @pytest.mark.parametrize("pattern", ["(a+)+", "(a|a)*", "(a?)*b", ".*" * 200 + "b"])
    def test_patterns_that_would_backtrack_end(self, pattern: str) -> None:
        with pytest.raises(InvalidInput, match="does not match"):
            validate_bindings([spec(pattern=pattern)], {"x": "a" * (MAX_CHECKED_CHARS - 1) + "!"})

    @given(
        st.lists(st.sampled_from(["a", "[ab]", "(a|b)", "|", "a*", "b?", "."])).map("".join),
        st.text("ab\n", max_size=6),
    )
    def test_pattern_agrees_with_fullmatch(self, pattern: str, value: str) -> None:
        one = spec(pattern=pattern)
        if re.fullmatch(pattern, value):
            one.check(value)
        else:
            with pytest.raises(InvalidInput):
                one.check(value)
