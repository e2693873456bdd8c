from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from memgraph.domain.errors import InvalidInput, TemplateCycle
from memgraph.domain.templates import (
    MAX_CHECKED_CHARS,
    MAX_INHERITANCE,
    MAX_PATTERN_CHARS,
    MAX_VERSION_PART,
    Section,
    SemanticVersion,
    Template,
    TemplateKey,
    TemplateVersion,
    Variable,
    VariableSpec,
    VariableType,
    VersionLevel,
    check_acyclic,
    check_declared,
    extract_variables,
    find_cycle,
    normalise_placeholders,
    parse,
    render,
    resolve,
    text_diff_summary,
    validate_bindings,
)
from memgraph.domain.values import MAX_DEPTH, MAX_INTEGER, MAX_TEXT_CHARS

CANARY = "canary-7f3a"


def spec(name: str = "x", **rest: Any) -> VariableSpec:
    return VariableSpec(name=name, **rest)


names = st.from_regex(r"[A-Za-z_é](?:[A-Za-z0-9_.\- ]{0,8}[A-Za-z0-9_.\-])?", fullmatch=True)
MARKS = ["{{a}}", "{{ b c }}", "${a}", "${b c: d}", "{{#section s}}", "{{/section}}"]
# Few letters, so that braces, dollars and marks meet in every way.
soups = st.lists(
    st.sampled_from([*"{}$:a \n/#", "{{", "}}", "{{{{", "${", "b c", *MARKS]),
    max_size=14,
).map("".join)
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


class TestSemanticVersion:
    parts = st.integers(0, MAX_VERSION_PART)
    versions = st.builds(SemanticVersion, parts, parts, parts)

    @given(versions)
    def test_text_round_trip(self, version: SemanticVersion) -> None:
        assert SemanticVersion.parse(str(version)) == version

    @given(parts, parts, parts)
    def test_every_text_has_one_spelling(self, major: int, minor: int, patch: int) -> None:
        text = f"{major}.{minor}.{patch}"
        assert str(SemanticVersion.parse(text)) == text

    @given(versions, st.sampled_from(VersionLevel))
    def test_bump_strictly_increases(self, version: SemanticVersion, level: VersionLevel) -> None:
        if getattr(version, level) == MAX_VERSION_PART:
            with pytest.raises(InvalidInput, match="65535"):
                version.bump(level)
        else:
            assert version.bump(level) > version

    @given(versions, versions, versions)
    def test_order_is_total(
        self, a: SemanticVersion, b: SemanticVersion, c: SemanticVersion
    ) -> None:
        assert (a < b) + (a == b) + (a > b) == 1
        if a <= b <= c:
            assert a <= c
        key = (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch)
        assert (a < b) is key

    def test_bump_resets_what_comes_after(self) -> None:
        version = SemanticVersion(1, 2, 3)
        assert [str(version.bump(level)) for level in VersionLevel] == ["2.0.0", "1.3.0", "1.2.4"]

    @pytest.mark.parametrize(
        "text",
        [
            *("", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.03", "1.2.3\n", " 1.2.3", "-1.2.3"),
            *("+1.2.3", "1.2.65536", "1.2.100000", "\u0661.2.3", "1.2.3-alpha", "1_0.2.3"),
            *(CANARY, "9" * 10_000),
        ],
    )
    def test_parse_refuses_without_an_echo(self, text: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            SemanticVersion.parse(text)
        assert caught.value.field == "version"
        assert CANARY not in str(caught.value)
        assert len(str(caught.value)) < 100

    @pytest.mark.parametrize("parts", [(-1, 0, 0), (0, 65_536, 0), (0, 0, -1)])
    def test_parts_are_bounded(self, parts: tuple[int, int, int]) -> None:
        with pytest.raises(InvalidInput):
            SemanticVersion(*parts)


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


def version(
    text: str, *variables: VariableSpec, key: str = "t", parent: str | None = None
) -> TemplateVersion:
    return TemplateVersion(key, "1.0.0", text, variables, (parent, "1.0.0") if parent else None)


def keyed(*versions: TemplateVersion) -> dict[TemplateKey, TemplateVersion]:
    return {(v.template_id, v.version): v for v in versions}


ROOT = version(
    "Be kind.{{#section task}}Say {{x}}.{{/section}}{{#section tail}}Bye.{{/section}}",
    spec(),
    spec("y", default="1"),
    key="root",
)


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


class TestDiff:
    @pytest.mark.parametrize(
        ("old", "new", "summary"),
        [
            ("a\nb\n", "a\nb\n", "no change"),
            ("", "a\nb", "+2 -0 lines"),
            ("a\nb\nc\n", "a\nc\n", "+0 -1 lines"),
            ("a\nb\n", "a\nx\ny\n", "+2 -1 lines"),
            ("a\nb\n", "b\na\n", "lines moved"),
            ("a", "a\n", "+1 -1 lines"),
        ],
    )
    def test_summary(self, old: str, new: str, summary: str) -> None:
        assert text_diff_summary(old, new) == summary

    @given(soups, soups)
    def test_both_ways_are_mirror_images(self, old: str, new: str) -> None:
        forth, back = text_diff_summary(old, new), text_diff_summary(new, old)
        assert (forth == "no change") is (old == new)
        if found := re.fullmatch(r"\+(\d+) -(\d+) lines", forth):
            assert back == f"+{found[2]} -{found[1]} lines"
        else:
            assert back == forth

    def test_long_texts_end(self) -> None:
        assert text_diff_summary("a\n" * 500_000, "b\n" * 500_000) == "+500000 -500000 lines"
