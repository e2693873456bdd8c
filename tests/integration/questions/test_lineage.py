"""Question 1: where an answer came from, against a walk over the file of the demo."""

from __future__ import annotations

import pytest

from memgraph.domain.schema import GraphModel
from memgraph.graph.kinds import show_key
from memgraph.graph.reader import Reader
from memgraph.graph.traversal import Direction
from tests.support import demo
from tests.support.demo import Json, Node, Walk
from tests.support.questions import BEST, BOTH, newest

WIDE = {"fan_out": 1_000, "max_nodes": 10_000}


def kind_and_id(node: Node) -> tuple[str, str]:
    return node[0], show_key(node[1:])


def test_the_best_lineage_has_all_of_it(reader: Reader, model: GraphModel, tenant: str) -> None:
    found = reader.get_lineage(tenant, "response", BEST)
    response = demo.RESPONSES[BEST]
    asked = demo.PROMPTS[response["prompt_event_id"]]
    nodes = named(found, model)
    root = nodes["Response", BEST]
    assert root["id"] == found["root"]
    assert root["properties"]["text"] == response["response"]["text"][:500]
    assert root["properties"]["cost_usd"] == response["metrics"]["cost"]
    assert nodes["Prompt", asked["event_id"]]["session_id"] == "s-0033"
    used = asked["template"]
    parents = demo.TEMPLATES[used["id"], used["version"]]["template"]["parent"]
    assert ("PromptTemplate", used["id"], used["version"]) in nodes
    assert ("PromptTemplate", parents["id"], parents["version"]) in nodes
    relevance = {
        edge["end"]: edge["properties"]["relevance_score"]
        for edge in found["edges"]
        if edge["type"] == "REFERENCES"
        and edge["start"] == nodes["Prompt", asked["event_id"]]["id"]
    }
    assert relevance == {
        nodes["ContextDocument", d["id"]]["id"]: d["relevance_score"]
        for d in demo.documents_of(asked)
    }
    agent = nodes["Agent", asked["agent_id"]]["properties"]
    assert agent["name"] == newest(demo.AGENT_EVENTS[asked["agent_id"]], "agent", "name")
    assert ("Model", "tarn-3") in nodes
    assert ("ModelVersion", "tarn-3", "3.1") in nodes
    for id_ in response["informed_by"]:
        call = nodes["ToolInvocation", id_]["properties"]
        assert call["status"] == demo.CALLS[id_]["status"]
        assert call.get("error") == demo.CALLS[id_].get("error")
    earlier = {n["session_id"] for n in found["nodes"]} - {None}
    assert earlier == {"s-0033", "s-0029"}
    filled = [e for e in found["edges"] if e["type"] == "INSTANTIATES"]
    assert used["bindings"] in [e["properties"]["variable_bindings"] for e in filled]


def named(lineage: Json, model: GraphModel) -> dict[Node, Json]:
    """The nodes of a lineage by label and key."""
    found = {}
    for node in lineage["nodes"]:
        (label,) = node["labels"]
        key = (node["properties"][name] for name in model.nodes[label].key)
        found[label, *key] = node
    return found


def walked(lineage: Json, model: GraphModel) -> tuple[set[Node], set[demo.Edge]]:
    nodes = {node["id"]: name for name, node in named(lineage, model).items()}
    edges = {(nodes[e["start"]], e["type"], nodes[e["end"]]) for e in lineage["edges"]}
    assert len(edges) == len(lineage["edges"])
    return set(nodes.values()), edges


ROOTS: list[Node] = [
    ("Response", BEST),
    ("Prompt", "s-0033-p1"),
    ("Prompt", "s-0004-p1"),
    ("ToolInvocation", "tool-s-0033-p2-r1-1"),
    ("PromptTemplate", "tpl-support-base", "1.0.0"),
    ("PromptTemplate", "tpl-triage", "2.0.0"),
    ("ContextDocument", "doc-returns-policy-2024#3"),
    ("Score", "s-0033-p2-r3-quality"),
    ("Agent", "agent-desk"),
    ("Model", "tarn-3"),
    ("ModelVersion", "auster-mini", "2026-09-01"),
    ("Error", "err-0020-4"),
    ("Invocation", "inv-s-0033-p2-r3"),
    ("Session", "s-0033"),
    ("User", "u-1377"),
]


@pytest.mark.parametrize("depth", [1, 2, 6, 12])
@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("root", ROOTS, ids="-".join)
def test_a_lineage_is_what_a_walk_over_the_file_finds(
    reader: Reader, model: GraphModel, tenant: str, root: Node, direction: Direction, depth: int
) -> None:
    walk = Walk(root, direction, depth)
    kind, id_ = kind_and_id(root)
    found = reader.get_lineage(
        tenant, model.nodes[kind].snake, id_, directions=(direction,), depth=depth, **WIDE
    )
    assert walked(found, model) == (walk.seen, walk.edges)
    assert found["cuts"] == (["depth"] if walk.goes_on else [])
    assert not any(edge["is_inferred"] for edge in found["edges"])


@pytest.mark.parametrize("root", ROOTS, ids="-".join)
def test_both_directions_are_the_two_together(
    reader: Reader, model: GraphModel, tenant: str, root: Node
) -> None:
    up, down = Walk(root, "up", 6), Walk(root, "down", 6)
    kind, id_ = kind_and_id(root)
    found = reader.get_lineage(tenant, model.nodes[kind].snake, id_, directions=BOTH, **WIDE)
    nodes, edges = walked(found, model)
    assert nodes == up.seen | down.seen
    # Between two nodes of one side an edge is known only if it was followed.
    assert edges == up.edges | down.edges
    assert found["cuts"] == (["depth"] if up.goes_on or down.goes_on else [])


def test_a_lineage_is_cut_only_where_there_is_more(reader: Reader, tenant: str) -> None:
    def cuts(**bounds: int) -> tuple[list[str], int]:
        limits = {"depth": 12, **WIDE, **bounds}
        found = reader.get_lineage(tenant, "response", BEST, **limits)
        return found["cuts"], len(found["nodes"])

    walk = Walk(("Response", BEST), "up", 12)
    size = len(walk.seen)
    levels = next(d for d in range(12) if not Walk(("Response", BEST), "up", d).goes_on)
    assert cuts(depth=levels) == ([], size)
    assert cuts(depth=levels - 1)[0] == ["depth"]
    assert cuts(fan_out=walk.widest) == ([], size)
    assert cuts(fan_out=walk.widest - 1)[0] == ["fan_out"]
    assert cuts(max_nodes=size) == ([], size)
    assert cuts(max_nodes=size - 1) == (["nodes"], size - 1)
    assert cuts(max_nodes=1) == (["nodes"], 1)
