"""Shapes of a lineage: the tree meets every node once, DOT and GraphML stay well-formed."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph.bootstrap import build_model
from memgraph.services.lineage import (
    Branch,
    caption_of,
    key_of,
    label_of,
    to_dot,
    to_graphml,
    tree_of,
)
from memgraph.settings import Settings

MODEL = build_model(Settings())
XML = "{http://graphml.graphdrawing.org/xmlns}"

texts = st.text(st.characters(exclude_categories=["Cs"]))
keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)

Row = dict[str, Any]


def node(id_: str, label: str = "Prompt", **properties: Any) -> Row:
    spec = MODEL.nodes[label]
    named = dict.fromkeys(spec.key, id_)
    return {"id": id_, "labels": [label], "properties": {**named, **properties}}


def edge(from_: str, type_: str, to: str, *, forward: bool = True, **properties: Any) -> Row:
    start, end = (from_, to) if forward else (to, from_)
    return {
        "from": from_,
        "type": type_,
        "start": start,
        "end": end,
        "properties": properties,
        "is_inferred": False,
    }


def lineage(nodes: list[Row], edges: list[Row]) -> Row:
    return {"root": nodes[0]["id"], "nodes": nodes, "edges": edges, "cuts": []}


def told(branch: Branch) -> Any:
    """The tree as nested lists of ids; what is repeated is marked."""
    name = branch.node["id"] + ("*" if branch.is_repeat else "")
    return [name, *map(told, branch.children)] if branch.children else name


def test_a_tree_says_each_node_once_and_repeats_as_leaves() -> None:
    found = lineage(
        [node(i) for i in "abcd"],
        [edge("a", "X", "b"), edge("a", "X", "c"), edge("b", "X", "d"), edge("c", "X", "d")],
    )
    assert told(tree_of(found)) == ["a", ["b", "d"], ["c", "d*"]]


def test_a_cycle_ends() -> None:
    found = lineage([node(i) for i in "ab"], [edge("a", "X", "b"), edge("b", "X", "a")])
    assert told(tree_of(found)) == ["a", ["b", "a*"]]


def test_what_is_nearer_is_shown_first() -> None:
    found = lineage(
        [node(i) for i in "abc"],
        [edge("a", "X", "b"), edge("b", "X", "c"), edge("a", "Y", "c")],
    )
    assert told(tree_of(found)) == ["a", ["b", "c*"], "c"]


def test_an_edge_is_shown_the_way_it_runs() -> None:
    found = lineage(
        [node("a"), node("b"), node("c")],
        [edge("a", "X", "b"), edge("a", "Y", "c", forward=False)],
    )
    assert [(b.node["id"], b.is_forward) for b in tree_of(found).children] == [
        ("b", True),
        ("c", False),
    ]


def test_branches_are_in_the_order_of_type_rank_and_time() -> None:
    def at(day: int) -> datetime:
        return datetime(2026, 1, day, tzinfo=UTC)

    found = lineage(
        [
            node("a"),
            *(node(i, created_at=at(d)) for i, d in zip("bcdefg", range(9, 3, -1), strict=True)),
        ],
        [
            edge("a", "Z", "b"),
            edge("a", "REFERENCES", "c", rank=1),
            edge("a", "REFERENCES", "d", rank=0),
            edge("a", "INVOKES", "e", invocation_order=1),
            edge("a", "INVOKES", "f", invocation_order=None),
            edge("a", "INVOKES", "g"),
        ],
    )
    assert told(tree_of(found)) == ["a", "g", "f", "e", "d", "c", "b"]


def test_names_of_nodes() -> None:
    template = node("x", "PromptTemplate", template_id="t", version="1.0.0", name=" A\n name ")
    assert label_of(template, MODEL) == "PromptTemplate"
    assert key_of(template, MODEL) == "t@1.0.0"
    assert caption_of(template, MODEL) == "A name"
    assert caption_of(node("m", "Model"), MODEL) == ""
    assert caption_of(node("p", "Prompt"), MODEL) == ""
    at = datetime(2026, 1, 31, tzinfo=UTC)
    rollup = node("x", "Rollup", scope="all", grain="day", bucket=at)
    assert key_of(rollup, MODEL) == "all@day@2026-01-31T00:00:00+00:00"


@st.composite
def lineages(draw: st.DrawFn) -> Row:
    """Graphs of any form whose words may be anything."""
    size = draw(st.integers(1, 6))
    nodes = [node(f"4:x:{i}", prompt_id=draw(keys), text=draw(texts)) for i in range(size)]
    ids = st.sampled_from([n["id"] for n in nodes])
    pairs = draw(st.lists(st.tuples(ids, ids), max_size=8, unique=True))
    edges = [edge(a, "FOLLOWS", b, forward=draw(st.booleans())) for a, b in pairs]
    return lineage(nodes, edges)


@given(lineages())
def test_the_tree_holds_what_the_root_reaches(found: Row) -> None:
    reached, queue = {found["root"]}, [found["root"]]
    while queue:
        here = queue.pop()
        for step in found["edges"]:
            other = step["end"] if step["from"] == step["start"] else step["start"]
            if step["from"] == here and other not in reached:
                reached.add(other)
                queue.append(other)
    shown: list[str] = []
    branches = [tree_of(found)]
    while branches:
        branch = branches.pop()
        if not branch.is_repeat:
            shown.append(branch.node["id"])
        else:
            assert not branch.children
        branches.extend(branch.children)
    assert sorted(shown) == sorted(reached)


def readable(text: str) -> str:
    """What XML 1.0 can say of a text."""
    return "".join(
        c
        if c in "\t\n\r" or "\x20" <= c <= "\ud7ff" or "\ue000" <= c <= "\ufffd" or c > "\uffff"
        else "?"
        for c in text
    )


@given(lineages())
def test_graphml_is_well_formed_and_says_all(found: Row) -> None:
    graph = ElementTree.fromstring(to_graphml(found, MODEL).encode()).find(f"{XML}graph")
    assert graph is not None
    said = {
        element.get("id"): {d.get("key"): d.text or "" for d in element}
        for element in graph.findall(f"{XML}node")
    }
    assert said.keys() == {n["id"] for n in found["nodes"]}
    for one in found["nodes"]:
        # A parser reads a carriage return as a line end.
        key = re.sub("\r\n?", "\n", readable(one["properties"]["prompt_id"]))
        assert said[one["id"]]["key"] == key
        assert said[one["id"]]["label"] == "Prompt"
        assert said[one["id"]]["caption"] == readable(caption_of(one, MODEL))
    ends = [(e.get("source"), e.get("target")) for e in graph.findall(f"{XML}edge")]
    assert ends == [(e["start"], e["end"]) for e in found["edges"]]


_NODE = re.compile(r'  (n\d+) \[label="Prompt\\n((?:[^"\\]|\\.)*)"\];')
_EDGE = re.compile(r'  (n\d+) -> (n\d+) \[label="FOLLOWS"( style=dashed)?\];')


@given(lineages())
def test_dot_is_well_formed_and_says_all(found: Row) -> None:
    lines = to_dot(found, MODEL).split("\n")
    assert lines[:3] == ["digraph lineage {", "  rankdir=LR;", "  node [shape=box];"]
    assert lines[-2:] == ["}", ""]
    size = len(found["nodes"])
    for line, one in zip(lines[3 : 3 + size], found["nodes"], strict=True):
        match = _NODE.fullmatch(line)
        assert match
        key = one["properties"]["prompt_id"]
        assert re.sub(r"\\(.)", r"\1", match[2]) == re.sub("[\x00-\x1f\x7f-\x9f]", "?", key)
    names = {one["id"]: f"n{i}" for i, one in enumerate(found["nodes"])}
    for line, one in zip(lines[3 + size : -2], found["edges"], strict=True):
        match = _EDGE.fullmatch(line)
        assert match
        assert match.group(1, 2) == (names[one["start"]], names[one["end"]])


def test_what_is_inferred_is_dashed_and_told() -> None:
    one = {**edge("a", "INFORMED_BY", "b"), "is_inferred": True}
    found = lineage([node("a", "Response"), node("b", "ToolInvocation")], [one])
    assert 'n0 -> n1 [label="INFORMED_BY" style=dashed];' in to_dot(found, MODEL)
    assert '<data key="inferred">true</data>' in to_graphml(found, MODEL)


@pytest.mark.parametrize(
    "text", ["]]>", "<!--", "&amp;", "\x1b[31m", "\ufffe", "a\x00b", "</data>"]
)
def test_graphml_of_hostile_words(text: str) -> None:
    found = lineage([node("a", text=text, prompt_id=text)], [])
    assert ElementTree.fromstring(to_graphml(found, MODEL).encode()) is not None
