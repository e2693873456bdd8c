"""Templates that inherit, and circles of them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph.domain.errors import InvalidInput, TemplateCycle
from memgraph.domain.templates import (
    MAX_INHERITANCE,
    check_acyclic,
    find_cycle,
    render,
    resolve,
)
from memgraph.domain.values import MAX_TEXT_CHARS
from tests.support.templates import CANARY, ROOT, keyed, spec, version


class TestInheritance:
    def test_a_root_stands_alone(self) -> None:
        resolved = resolve(keyed(ROOT), ("root", "1.0.0"))
        assert resolved.text == ROOT.text
        assert (resolved.depth, resolved.override_sections) == (0, ())

    def test_sections_and_variables_replace_those_of_the_same_name(self) -> None:
        child = version(
            "\n{{#section task}}Do {{z}}.{{/section}}\n",
            spec("z"),
            spec("x", default="X"),
            key="child",
            parent="root",
        )
        grandchild = version(
            "{{#section tail}}Tschüss.{{/section}}{{#section task}}{{y}}{{/section}}",
            key="grandchild",
            parent="child",
        )
        versions = keyed(ROOT, child, grandchild)
        resolved = resolve(versions, ("child", "1.0.0"))
        assert render(resolved.text, resolved.variables, {"z": "it"}) == "Be kind.Do it.Bye."
        assert [(v.name, v.required) for v in resolved.variables] == [
            ("x", False),
            ("y", False),
            ("z", True),
        ]
        assert (resolved.depth, resolved.override_sections) == (1, ("task",))
        resolved = resolve(versions, ("grandchild", "1.0.0"))
        assert render(resolved.text, resolved.variables, {"z": "it"}) == "Be kind.1Tschüss."
        assert (resolved.depth, resolved.override_sections) == (2, ("tail", "task"))

    @pytest.mark.parametrize("text", ["New {{x}}", "{{x}}", "a{{#section task}}b{{/section}}"])
    def test_any_other_text_replaces_the_whole(self, text: str) -> None:
        versions = keyed(ROOT, version(text, key="child", parent="root"))
        resolved = resolve(versions, ("child", "1.0.0"))
        assert (resolved.text, resolved.override_sections) == (text, ())

    def test_a_blank_text_changes_variables_only(self) -> None:
        versions = keyed(ROOT, version("\n", spec("x", default="1"), key="child", parent="root"))
        resolved = resolve(versions, ("child", "1.0.0"))
        assert resolved.text == ROOT.text
        assert resolved.variables[0].default == "1"

    def test_an_unknown_section_is_refused(self) -> None:
        child = version(f"{{{{#section no}}}}{CANARY}{{{{/section}}}}", key="c", parent="root")
        with pytest.raises(InvalidInput, match="section no") as caught:
            resolve(keyed(ROOT, child), ("c", "1.0.0"))
        assert CANARY not in str(caught.value)

    def test_unknown_versions_are_refused(self) -> None:
        with pytest.raises(InvalidInput, match=r"template_id: "):
            resolve({}, ("root", "1.0.0"))
        with pytest.raises(InvalidInput, match=r"parent: "):
            resolve(keyed(version("a", parent="gone")), ("t", "1.0.0"))

    def test_a_variable_declared_twice_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match="twice"):
            resolve(keyed(version("a", spec(), spec())), ("t", "1.0.0"))

    @pytest.mark.parametrize("length", [1, 2, 100])
    def test_a_cycle_is_refused(self, length: int) -> None:
        line = [version("a", key=str(i), parent=str((i + 1) % length)) for i in range(length)]
        line.append(version("a", key="tail", parent="0"))
        for start in ("0", "tail"):
            with pytest.raises(TemplateCycle):
                resolve(keyed(*line), (start, "1.0.0"))

    def test_depth_is_bounded(self) -> None:
        line = [version("a", key="0")]
        line += [version("", key=str(i), parent=str(i - 1)) for i in range(1, MAX_INHERITANCE + 2)]
        versions = keyed(*line)
        assert resolve(versions, (str(MAX_INHERITANCE), "1.0.0")).depth == MAX_INHERITANCE
        with pytest.raises(InvalidInput, match="32 levels") as caught:
            resolve(versions, (str(MAX_INHERITANCE + 1), "1.0.0"))
        assert not isinstance(caught.value, TemplateCycle)

    def test_the_result_is_bounded(self) -> None:
        half = "a" * (MAX_TEXT_CHARS - 100)
        root = version(half + "{{#section s}}{{/section}}", key="root")
        child = version(f"{{{{#section s}}}}{half}{{{{/section}}}}", key="c", parent="root")
        with pytest.raises(InvalidInput, match="at most 1000000"):
            resolve(keyed(root, child), ("c", "1.0.0"))


def _brute_force_cycles(parents: Mapping[int, int]) -> set[int]:
    on_cycle = set()
    for start in parents:
        key: int | None = start
        for _ in parents:
            key = parents.get(key) if key is not None else None
            if key == start:
                on_cycle.add(start)
    return on_cycle


class TestCycles:
    @given(st.dictionaries(st.integers(0, 12), st.integers(0, 12)))
    def test_agrees_with_brute_force(self, parents: dict[int, int]) -> None:
        expected = _brute_force_cycles(parents)
        found = find_cycle(parents)
        assert bool(found) is bool(expected)
        if found:
            assert set(found) <= expected
            assert len(set(found)) == len(found)
            assert [parents[k] for k in found] == [*found[1:], found[0]]
            with pytest.raises(TemplateCycle, match=f"cycle of {len(found)} "):
                check_acyclic(parents)
        else:
            check_acyclic(parents)

    def test_long_lines_and_cycles_need_no_stack(self) -> None:
        size = 200_000
        line = {i: i + 1 for i in range(size)}
        check_acyclic(line)
        check_acyclic(dict(reversed(line.items())))
        assert len(find_cycle(line | {size: 0})) == size + 1

    def test_the_error_shows_no_key(self) -> None:
        with pytest.raises(TemplateCycle) as caught:
            check_acyclic({CANARY: CANARY})
        assert CANARY not in str(caught.value)
