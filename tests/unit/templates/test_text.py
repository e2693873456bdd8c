"""The text of a template: read, shown again, filled in."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph.domain.errors import InvalidInput
from memgraph.domain.templates import (
    MAX_CHECKED_CHARS,
    Section,
    Template,
    Variable,
    VariableType,
    check_declared,
    extract_variables,
    normalise_placeholders,
    parse,
    render,
)
from memgraph.domain.values import MAX_TEXT_CHARS
from tests.support.templates import CANARY, names, soups, spec

plain = st.text("{}$ab:# \n", min_size=1, max_size=6)


def _merged(parts: list[Any]) -> tuple[Any, ...]:
    out: list[Any] = []
    for part in parts:
        if out and isinstance(part, str) and isinstance(out[-1], str):
            out[-1] += part
        else:
            out.append(part)
    return tuple(out)


leaves = st.one_of(plain, names.map(Variable))


bodies = st.lists(leaves, max_size=5).map(_merged)


@st.composite
def parsed(draw: st.DrawFn) -> Template:
    sections = [
        Section(name, draw(bodies)) for name in draw(st.lists(names, max_size=3, unique=True))
    ]
    parts = draw(st.permutations([*draw(st.lists(leaves, max_size=6)), *sections]))
    return Template(_merged(parts))


class TestText:
    def test_grammar(self) -> None:
        text = "Hi {{ name }},{{#section  task }}do {{a b}}{{/section}} {{{{x}} {{{y}}} {z} ${w} }}"
        template = parse(text)
        assert template.parts == (
            "Hi ",
            Variable("name"),
            ",",
            Section("task", ("do ", Variable("a b"))),
            " {{x}} {",
            Variable("y"),
            "} {z} ${w} }}",
        )
        assert template.variables == ("name", "a b", "y")
        assert list(template.sections) == ["task"]

    @given(parsed())
    def test_what_is_written_is_read_again(self, template: Template) -> None:
        assert parse(str(template)) == template

    @given(soups)
    def test_a_text_is_read_or_refused_and_writing_settles_it(self, text: str) -> None:
        try:
            template = parse(text)
        except InvalidInput as error:
            assert error.field == "template_text"
        else:
            assert parse(str(template)) == template
            assert str(parse(str(template))) == str(template)

    @pytest.mark.parametrize(
        ("text", "rule", "at"),
        [
            (f"ab{{{{ {CANARY}! }}}}", "opening braces", 2),
            ("{{ a", "opening braces", 0),
            ("{{a\n}}", "opening braces", 0),
            ("{{}}", "opening braces", 0),
            ("{{#section}}", "opening braces", 0),
            ("{{#sectiona}}", "opening braces", 0),
            ("{{{", "opening braces", 1),
            ("{{#section a}}{{#section b}}", "inside another", 14),
            ("{{#section a}}{{/section}}{{#section a}}{{/section}}", "second time", 26),
            ("a{{/section}}", "not open", 1),
            (f"{{{{#section {CANARY}}}}}", "ends inside", 24),
            (CANARY * MAX_TEXT_CHARS, "at most 1000000", None),
        ],
    )
    def test_refuses_with_the_place_and_no_echo(self, text: str, rule: str, at: int | None) -> None:
        with pytest.raises(InvalidInput, match=rule) as caught:
            parse(text)
        assert caught.value.field == "template_text"
        assert caught.value.facts.get("at") == at
        assert CANARY not in str(caught.value)

    @pytest.mark.parametrize(
        "piece", ["{{{{", "{{a}}", "{", "$", "${", "${a", "{{a ", "{{a b ", "{{" + " " * 99, "}}"]
    )
    def test_long_hostile_texts_end(self, piece: str) -> None:
        text = piece * (MAX_TEXT_CHARS // len(piece))
        try:
            parse(text)
        except InvalidInput as error:
            assert error.rule.startswith("has opening braces")
        parse(normalise_placeholders(text[: MAX_TEXT_CHARS // 2]))
        assert len(extract_variables(text)) <= 1


class TestRender:
    @given(parsed(), st.data())
    def test_all_bindings_leave_no_variable(self, template: Template, data: st.DataObject) -> None:
        values = {n: data.draw(st.text("{}$ab", max_size=5)) for n in template.variables}
        rendered = render(str(template), [spec(n) for n in values], values)

        def expected(parts: tuple[Any, ...]) -> str:
            return "".join(
                p
                if isinstance(p, str)
                else values[p.name]
                if isinstance(p, Variable)
                else expected(p.parts)
                for p in parts
            )

        assert rendered == expected(template.parts)

    @given(st.lists(st.text("ab$} ", min_size=1) | names.map(Variable)))
    def test_harmless_values_leave_no_mark(self, parts: list[str | Variable]) -> None:
        template = Template(tuple(parts))
        values = dict.fromkeys(template.variables, "v")
        rendered = render(str(template), [spec(n) for n in values], values)
        assert "{" not in rendered
        assert rendered.count("v") == sum(isinstance(p, Variable) for p in parts)

    def test_a_value_is_not_expanded_again(self) -> None:
        values = {"a": "{{b}}", "b": "{{a}}"}
        assert render("{{a}} {{b}}", [spec("a"), spec("b")], values) == "{{b}} {{a}}"

    def test_values_that_are_no_strings_are_json(self) -> None:
        kinds: list[tuple[VariableType, Any]] = [
            ("number", 1.5),
            ("integer", 3),
            ("boolean", True),
            ("array", [None, "é"]),
            ("object", {"a": False}),
        ]
        variables = [spec(t, type=t) for t, _ in kinds]
        text = " ".join(f"{{{{{t}}}}}" for t, _ in kinds)
        assert render(text, variables, dict(kinds)) == '1.5 3 true [null, "é"] {"a": false}'

    def test_defaults_and_optional_variables(self) -> None:
        variables = (v for v in [spec("a", default="A"), spec("b", required=False)])
        assert render("[{{a}}{{b}}]", variables, {}) == "[A]"

    def test_a_variable_of_the_text_is_declared(self) -> None:
        with pytest.raises(InvalidInput, match=r"variables\.a: is used by the text"):
            render("{{#section s}}{{a}}{{/section}}", [], {})
        check_declared(parse("{{a}}"), [spec("a"), spec("unused")])

    def test_the_result_is_bounded(self) -> None:
        values = {"x": CANARY * 1_000}
        with pytest.raises(InvalidInput, match="more than 1000000") as caught:
            render("{{x}}" * 100_000, [spec()], values)
        assert CANARY not in str(caught.value)


class TestPlaceholders:
    @given(st.lists(st.tuples(names, st.none() | st.text("ab ,:é\n", max_size=8), st.booleans())))
    def test_finds_exactly_what_was_put_in(
        self, placed: list[tuple[str, str | None, bool]]
    ) -> None:
        text, expected = "start", dict[str, str | None]()
        for name, default, curly in placed:
            if default is None:
                text += f" {{{{ {name} }}}} and" if curly else f" ${{{name}}} and"
            else:
                text += f" ${{{name}:{default}}} and"
                default = default.strip()
            if expected.get(name) is None:
                expected[name] = default
        found = extract_variables(text)
        assert {v.name: v.default for v in found} == expected
        assert [v.name for v in found] == list(expected)
        assert all(v.required is (v.default is None) for v in found)

    @given(soups)
    def test_a_normalised_text_has_the_same_variables_and_stays(self, text: str) -> None:
        normal = normalise_placeholders(text)
        assert normalise_placeholders(normal) == normal
        found = tuple(v.name for v in extract_variables(text))
        assert tuple(v.name for v in extract_variables(normal)) == found
        if "section" not in text:
            assert parse(normal).variables == found

    @given(st.text("{}$a:/ ", max_size=12).filter(lambda text: "{{{{" not in text))
    def test_what_is_no_placeholder_is_kept_letter_by_letter(self, text: str) -> None:
        name = "(a(?:[a ]*a)?)"
        marks = re.compile(rf"\{{\{{ *{name} *\}}\}}|\$\{{ *{name} *(?::[^{{}}]*)?\}}")
        variables = extract_variables(text)
        rendered = render(
            normalise_placeholders(text), variables, {v.name: f"<{v.name}>" for v in variables}
        )
        assert rendered == marks.sub(lambda found: f"<{found[1] or found[2]}>", text)

    @pytest.mark.parametrize(
        ("text", "normal"),
        [
            ("${Company Type: Big Company}", "{{Company Type}}"),
            ("${ a }", "{{a}}"),
            ("${a:}", "{{a}}"),
            ("{${a}}", "{{{a}}}"),
            ("$${a}", "${{a}}"),
            ("${Product/Service}", "${Product/Service}"),
            ("${}", "${}"),
            ("{{ $json['a'] }}", "{{{{ $json['a'] }}"),
            ("{{#17.name#}}", "{{{{#17.name#}}"),
            ("{{{{a}}", "{{{{a}}"),
            (f"${{a:{'b' * MAX_CHECKED_CHARS}}}", f"${{a:{'b' * MAX_CHECKED_CHARS}}}"),
        ],
    )
    def test_normalised(self, text: str, normal: str) -> None:
        assert normalise_placeholders(text) == normal
        parse(normal)

    def test_the_first_default_counts(self) -> None:
        (found,) = extract_variables("${a} ${a:1} ${a:2} {{a}}")
        assert (found.default, found.required) == ("1", False)

    def test_an_empty_default_is_one(self) -> None:
        (found,) = extract_variables("${a:}")
        assert (found.default, found.required) == ("", False)
