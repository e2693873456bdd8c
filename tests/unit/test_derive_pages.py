"""Generated pages say everything that they are made from, in Markdown that reads well."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from memgraph import metrics
from memgraph.api.application import operations
from memgraph.derive.__main__ import current_pages, drifted, main
from memgraph.derive.api_page import api_page
from memgraph.derive.drawing import GROUPS, OTHER, drawings, grouped
from memgraph.derive.json_schema import event_schemas
from memgraph.derive.markdown import anchor, limits_in_words, prose, table, type_in_words
from memgraph.domain import errors
from memgraph.domain.access import Role
from memgraph.domain.events import EVENT_CLASSES, EVENT_TYPES, read_event
from memgraph.domain.nodes import NODE_CLASSES
from memgraph.domain.schema import GraphModel, NodeSpec
from memgraph.graph.queries import load_queries
from memgraph.settings import Settings, variables

MODEL = GraphModel.of(NODE_CLASSES)
PAGES = current_pages()


def section(page: str, heading: str) -> str:
    """The text below a heading, up to the next one of its level or above."""
    level = heading.split()[0]
    text = page.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{len(level)}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]


@pytest.mark.parametrize("spec", MODEL.nodes.values(), ids=lambda s: s.label)
def test_every_label_is_described_with_all_its_properties(spec: NodeSpec) -> None:
    text = section(PAGES["data-model.md"], f"### {spec.label}")
    assert spec.description in text
    for declared in spec.properties:
        (row,) = re.findall(rf"^\| `{declared.name}` \|.*$", text, re.MULTILINE)
        assert declared.unit is None or f"| {declared.unit} |" in row
        assert all(f"`{m.value}`" in row for m in declared.enum or ())
    if any(p.enriched for p in spec.properties):
        assert "*Added by enrichment.*" in text


@pytest.mark.parametrize("type_", MODEL.edge_types)
def test_every_relationship_is_described_with_its_ends(type_: str) -> None:
    text = section(PAGES["data-model.md"], f"### {type_}")
    for edge in MODEL.edge_types[type_]:
        assert edge.description in text
        assert f"- [{edge.start}]({'#' + anchor(edge.start)}) to [{edge.end}]" in text
        assert all(f"| `{p.name}` |" in text for p in edge.properties)
        assert ("neither end" in text) is (edge.upstream is None)


def test_every_label_has_a_place_and_every_relationship_is_drawn_once() -> None:
    assert OTHER not in grouped(MODEL)
    assert {label for labels in GROUPS.values() for label in labels} == set(MODEL.nodes)
    drawn = [
        (start, type_, end)
        for text in drawings(MODEL).values()
        for start, types, end in re.findall(r'(\w+) -->\|"([^"]*)"\| (\w+)', text)
        for type_ in types.split("<br/>")
    ]
    assert sorted(drawn) == sorted(MODEL.edges)


def test_a_drawing_declares_each_node_once() -> None:
    for text in drawings(MODEL).values():
        lines = text.splitlines()
        assert lines[0] == "graph LR"
        declared = re.findall(r'^  (\w+)[\[(]+"\1"[\])]+$', text, re.MULTILINE)
        used = {
            n for a, b in re.findall(r"^  (\w+) -->.* (\w+)$", text, re.MULTILINE) for n in (a, b)
        }
        assert len(declared) == len(set(declared))
        assert used <= set(declared)


@pytest.mark.parametrize("variable", [name for name, _ in variables()])
def test_every_setting_is_listed(variable: str) -> None:
    (row,) = re.findall(rf"^\| `{variable}` \|.*$", PAGES["configuration.md"], re.MULTILINE)
    path = row.split("`")[3]
    assert variable == "MEMGRAPH_" + path.upper().replace(".", "__")


def test_the_file_of_defaults_is_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", PAGES["configuration.md"], re.DOTALL)
    for name, _ in variables():
        monkeypatch.delenv(name, raising=False)
    assert Settings(**tomllib.loads(text)) == Settings()


def test_the_configuration_page_says_nothing_of_this_machine() -> None:
    assert str(Path.home()) not in PAGES["configuration.md"]


@pytest.mark.parametrize("event_class", EVENT_CLASSES, ids=lambda c: c.__name__)
def test_every_event_has_an_example_that_is_accepted(event_class: type[BaseModel]) -> None:
    text = section(PAGES["events.md"], f"## {event_class.__name__.removesuffix('Event')}")
    (example,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert isinstance(read_event(example), event_class)
    schema = event_schemas()[event_class.__name__]
    fields = set(schema["properties"]) - {"type", "eventType"}
    assert all(f"\n| `{field}` |" in text for field in fields)


def test_every_event_type_is_on_the_page() -> None:
    assert all(f"`{tag}`" in PAGES["events.md"] for tag in EVENT_TYPES)


def test_every_query_is_on_the_page() -> None:
    for query in load_queries().values():
        text = section(PAGES["queries.md"], f"## {query.name}")
        assert all(prose(query.header[name]) in text for name in ("purpose", "parameters", "bound"))


@pytest.mark.parametrize("metric", metrics.ALL, ids=lambda m: m.short)
def test_every_metric_is_listed(metric: metrics.Metric) -> None:
    (row,) = re.findall(rf"^\| `{metric.name}` \|.*$", PAGES["metrics.md"], re.MULTILINE)
    assert prose(metric.meaning) in row
    assert all(f"`{label}`" in row for label in metric.labels)


def test_check_names_the_page_that_drifted(tmp_path: Path) -> None:
    runner = CliRunner()
    places = ["--directory", str(tmp_path), "--client", str(tmp_path)]
    assert runner.invoke(main, places).exit_code == 0
    assert drifted(tmp_path, PAGES) == []
    (tmp_path / "events.md").write_text("something else")
    checked = runner.invoke(main, ["--check", *places])
    assert checked.exit_code == 1
    assert checked.output == "drifted: events.md; `python -m memgraph.derive` writes them anew\n"
    assert (tmp_path / "events.md").read_text() == "something else"
    assert runner.invoke(main, places).output == "written: events.md\n"
    assert runner.invoke(main, ["--check", *places]).exit_code == 0


def test_a_table_leaves_out_what_is_empty_and_keeps_cells_apart() -> None:
    assert table(("A", "B", "C"), [("1", "", "a|b"), ("2", "", "<x>\n`<y>`")]) == (
        "| A | C |\n| --- | --- |\n| 1 | a\\|b |\n| 2 | &lt;x> `<y>` |"
    )
    assert table(("A",), []) == ""


def test_schemas_in_words() -> None:
    bounded = {"type": "string", "minLength": 1, "maxLength": 2000, "pattern": r"^a|b$"}
    listed = {"type": "array", "maxItems": 3, "items": bounded}
    assert limits_in_words(listed, {}) == "at most 3 items, each 1 to 2,000 characters, `^a|b$`"
    assert type_in_words(listed, {}) == "list of string"
    nullable = {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/Size"}]}
    root = json.loads('{"$defs": {"Size": {"type": "integer", "minimum": 0}}}')
    assert (type_in_words(nullable, root), limits_in_words(nullable, root)) == (
        "integer",
        "at least 0",
    )


def test_the_api_page_names_every_operation_and_problem() -> None:
    page = api_page("")
    for operation in operations():
        assert operation.summary
        assert operation.summary in page
    for error in (errors.NotFound, errors.RateLimited, errors.Conflict):
        assert f"| `{error.code}` | {error.http_status} " in page
    for role in Role:
        assert role.value in page
