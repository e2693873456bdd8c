from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import TemplateEvent, read_event
from memgraph.domain.templates import check_declared, parse, render
from memgraph.services.ingest import formats
from memgraph.services.ingest.formats import FormatOptions, Problem, Record, prompts
from memgraph.services.ingest.formats.prompts import template_id


def version(number: Any = 1, name: Any = "Linux Terminal", **others: Any) -> dict[str, Any]:
    return {
        "name": name,
        "version": number,
        "committed_at": "2024-02-29T01:30:00+03:00",
        "prompt": "Act as a terminal.",
        "contributor": "ada",
        **others,
    }


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read_records(*records: Any) -> list[Record | Problem]:
        path = tmp_path / "prompts.jsonl"
        path.write_text("".join(f"{json.dumps(r)}\n" for r in records))
        return list(prompts.read(path, FormatOptions()))

    return read_records


def events(items: list[Record | Problem]) -> list[TemplateEvent]:
    return [item.event for item in items if isinstance(item, Record)]


def test_a_line_is_a_template_version(read: Any) -> None:
    [item] = read(version(2, type="TEXT", for_devs="FALSE", note=None))
    event = item.event
    assert isinstance(event, TemplateEvent)
    assert (event.event_id, item.position) == ("linux-terminal@2.0.0", "line 1")
    assert event.timestamp == datetime(2024, 2, 28, 22, 30, tzinfo=UTC)
    body = event.template
    assert (body.id, body.version, body.name) == ("linux-terminal", "2.0.0", "Linux Terminal")
    assert (body.text, body.variables, body.author) == ("Act as a terminal.", None, "ada")
    assert (body.previous_version, body.origin) == (None, "registered")
    assert body.metadata == {"type": "TEXT", "for_devs": "FALSE"}
    assert read_event(item.payload) == event


def test_what_is_not_said_is_left_out(read: Any) -> None:
    for author in (None, ""):
        [event] = events(read(version(contributor=author)))
        assert (event.template.author, event.template.metadata) == (None, None)


@pytest.mark.parametrize(
    ("numbers", "previous"),
    [
        ([1, 2, 3], [None, "1.0.0", "2.0.0"]),
        ([2, 5], [None, "2.0.0"]),
        ([1, 1, 2, 2], [None, None, "1.0.0", "1.0.0"]),
        ([1, 3, 2], [None, "1.0.0", "1.0.0"]),
    ],
)
def test_a_version_follows_the_next_lower_one_so_far(
    read: Any, numbers: list[int], previous: list[str | None]
) -> None:
    lines = [line for n in numbers for line in (version(n), version(n, "Other"))]
    found = events(read(*lines))
    assert [e.template.previous_version for e in found if e.template.id == "other"] == previous
    assert [e.template.previous_version for e in found if e.template.id != "other"] == previous


def test_a_refused_version_is_followed_by_none(read: Any) -> None:
    _, problem, third = read(version(1), version(2, prompt=""), version(3))
    assert isinstance(problem, Problem)
    assert problem.position == "line 2"
    assert third.event.template.previous_version == "1.0.0"


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("Linux Terminal", "linux-terminal"),
        ("Translator of the Year in 2024", "translator-of-the-year-in-2024"),
        ("The Poet", "the-poet"),
        ("Linux terminal", "linux-terminal.6f5b05ae2a12"),
        ("linux-terminal", "linux-terminal.495e1dbe6031"),
        ("`position` Interviewer", "position-interviewer.0451a344aad7"),
        ("论文降重指南", "prompt.2aec295f8fa7"),
        ("-", "prompt."),
        ("A" + "a" * 300, "a" + "a" * 79 + "."),
    ],
)
def test_a_template_is_named_readably_where_that_is_exact(name: str, id_: str) -> None:
    assert template_id(name).startswith(id_)
    if "." not in id_:
        assert template_id(name) == id_


@given(st.lists(st.text("aAbB -.é1", min_size=1, max_size=6) | st.text(min_size=1), unique=True))
def test_different_names_never_meet(names: list[str]) -> None:
    assert len({template_id(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    ("prompt", "text", "variables"),
    [
        (
            "Act as ${role:a guide} in ${city}.",
            "Act as {{role}} in {{city}}.",
            {"role": "a guide", "city": None},
        ),
        ("Fill {{ name }}.", "Fill {{ name }}.", {"name": None}),
        ("style={{ width: 1 }}", "style={{{{ width: 1 }}", {}),
        ("{{#section a}}x", "{{{{#section a}}x", {}),
        ("${b:1} {{/section}}", "${b:1} {{{{/section}}", {}),
        ("{like this} ${not ok!}", "{like this} ${not ok!}", {}),
    ],
)
def test_text_is_written_in_the_grammar_or_kept_literally(
    read: Any, prompt: str, text: str, variables: dict[str, Any]
) -> None:
    [event] = events(read(version(prompt=prompt)))
    body = event.template
    assert body.text == text
    assert {v.name: v.default for v in body.variables or ()} == variables
    changed = {"original_text_sha256": sha256(prompt.encode()).hexdigest()}
    assert body.metadata == (changed if text != prompt else None)


@given(st.text("{}$# :/sectionab\n", max_size=40))
def test_no_text_is_refused(prompt: str) -> None:
    text, variables = prompts._in_grammar(prompt)
    check_declared(parse(text), variables)
    if not variables:
        assert render(text, (), {}) == prompt or "{{{{" in prompt or "/section" in prompt


@pytest.mark.parametrize(
    ("record", "field", "rule"),
    [
        (version("1"), "version", "Input should be a valid integer"),
        (version(True), "version", "Input should be a valid integer"),
        (version(-1), "version", "Input should be greater than or equal to 0"),
        (version(65_536), "version", "Input should be less than or equal to 65535"),
        (version(name=""), "name", "String should have at least 1 character"),
        (version(name="a\0"), "name", "holds a character or form"),
        (version(name="x" * 1_001), "name", "String should have at most 1000"),
        (version(prompt=""), "prompt", "String should have at least 1 character"),
        (version(prompt="a\0"), "prompt", "holds a character or form"),
        (version(prompt=None), "prompt", "Input should be a valid string"),
        (version(committed_at="yesterday"), "committed_at", "Input should be a valid datetime"),
        (version(committed_at="2024-01-01T00:00:00"), "committed_at", "Input should have timezone"),
        (version(committed_at="1999-01-01T00:00:00Z"), "committed_at", "must not be before"),
        (version(contributor=5), "contributor", "Input should be a valid string"),
        (version(extra="\0"), "metadata", "must not hold a NUL"),
        ({"name": "x", "version": 1, "committed_at": "2024-01-01T00:00:00Z"}, "prompt", "is requ"),
        ([1], "record", "must be a JSON object"),
    ],
)
def test_a_line_with_a_fault_is_refused_alone(
    read: Any, record: Any, field: str, rule: str
) -> None:
    before, problem, after = read(version(1, "A"), record, version(1, "B"))
    assert isinstance(before, Record)
    assert isinstance(after, Record)
    assert (problem.position, problem.error.field) == ("line 2", field)
    assert problem.error.rule.startswith(rule)


def test_bytes_that_are_no_json_are_refused_alone(tmp_path: Path) -> None:
    good = json.dumps(version()).encode()
    bad = [b'{"name": "x', b"\xff", b"[" * 100_000, b'{"name": "\\ud800"}', b'{"a": "\0"}']
    path = tmp_path / "prompts.jsonl"
    path.write_bytes(b"\n".join([good, *bad, good]))
    items = list(formats.read(path))
    assert [type(item) for item in items] == [Record, *[Problem] * len(bad), Record]
    for number, problem in enumerate(items[1:-1], 2):
        assert isinstance(problem, Problem)
        assert problem.position == f"line {number}"
        assert isinstance(problem.error, InvalidInput)
        assert problem.error.field == "record"
