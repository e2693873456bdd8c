"""Shape a lineage for people and programs: a tree to read, DOT and GraphML to draw."""

from __future__ import annotations

import re
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from memgraph.domain.schema import GraphModel
from memgraph.graph.kinds import show_key
from memgraph.graph.traversal import Direction

Row = dict[str, Any]

DIRECTIONS: dict[str, tuple[Direction, ...]] = {
    "up": ("up",),
    "down": ("down",),
    "both": ("up", "down"),
}
"""What people may ask for, and the walks that answer it."""

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(slots=True)
class Branch:
    """A node of the tree with the edge that led to it; ``is_repeat`` when shown elsewhere."""

    node: Row
    edge: Row | None = None
    is_forward: bool = True
    """The edge runs from parent to child."""
    is_repeat: bool = False
    children: list[Branch] = field(default_factory=list)


def tree_of(lineage: Row) -> Branch:
    """A breadth-first spanning tree from the root; what is met again is a repeat, a leaf."""
    nodes = {node["id"]: node for node in lineage["nodes"]}
    steps: dict[str, list[tuple[Row, str, bool]]] = defaultdict(list)
    for edge in lineage["edges"]:
        forward = edge["from"] == edge["start"]
        steps[edge["from"]].append((edge, edge["end" if forward else "start"], forward))

    def order(step: tuple[Row, str, bool]) -> tuple[Any, ...]:
        edge, other, _ = step
        rank = edge["properties"].get("rank", edge["properties"].get("invocation_order"))
        return (edge["type"], rank or 0, str(nodes[other]["properties"].get("created_at")), other)

    root = Branch(nodes[lineage["root"]])
    shown = {lineage["root"]}
    queue = deque([root])
    while queue:
        branch = queue.popleft()
        for edge, other, forward in sorted(steps[branch.node["id"]], key=order):
            child = Branch(nodes[other], edge, forward, is_repeat=other in shown)
            branch.children.append(child)
            if not child.is_repeat:
                shown.add(other)
                queue.append(child)
    return root


def label_of(node: Row, model: GraphModel) -> str:
    """The class of a node."""
    label: str = next(label for label in node["labels"] if label in model.nodes)
    return label


def key_of(node: Row, model: GraphModel) -> str:
    """The id that commands take."""
    return show_key(node["properties"][name] for name in model.nodes[label_of(node, model)].key)


def caption_of(node: Row, model: GraphModel) -> str:
    """What people call a node, on one line; empty when that is its key."""
    spec = model.nodes[label_of(node, model)]
    value = node["properties"].get(spec.caption)
    return "" if spec.caption in spec.key or value is None else " ".join(str(value).split())


def to_dot(lineage: Row, model: GraphModel) -> str:
    """Graphviz DOT."""
    lines = ["digraph lineage {", "  rankdir=LR;", "  node [shape=box];"]
    names = {node["id"]: f"n{i}" for i, node in enumerate(lineage["nodes"])}
    for node in lineage["nodes"]:
        text = f"{label_of(node, model)}\\n{_dot(key_of(node, model))}"
        lines.append(f'  {names[node["id"]]} [label="{text}"];')
    for edge in lineage["edges"]:
        style = " style=dashed" if edge["is_inferred"] else ""
        lines.append(
            f'  {names[edge["start"]]} -> {names[edge["end"]]} [label="{edge["type"]}"{style}];'
        )
    return "\n".join([*lines, "}"]) + "\n"


def _dot(text: str) -> str:
    return _CONTROL.sub("?", text).replace("\\", "\\\\").replace('"', '\\"')


def to_graphml(lineage: Row, model: GraphModel) -> str:
    """GraphML with label, key and caption of nodes and the type of edges."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
        *(
            f'  <key id="{name}" for="{owner}" attr.name="{name}" attr.type="string"/>'
            for name, owner in (
                ("label", "node"),
                ("key", "node"),
                ("caption", "node"),
                ("type", "edge"),
                ("inferred", "edge"),
            )
        ),
        '  <graph edgedefault="directed">',
    ]
    for node in lineage["nodes"]:
        data = {
            "label": label_of(node, model),
            "key": key_of(node, model),
            "caption": caption_of(node, model),
        }
        lines.append(f"    <node id={quoteattr(node['id'])}>{_data(data)}</node>")
    for edge in lineage["edges"]:
        data = {"type": edge["type"], "inferred": str(edge["is_inferred"]).lower()}
        ends = f"source={quoteattr(edge['start'])} target={quoteattr(edge['end'])}"
        lines.append(f"    <edge {ends}>{_data(data)}</edge>")
    return "\n".join([*lines, "  </graph>", "</graphml>"]) + "\n"


def _data(values: dict[str, str]) -> str:
    return "".join(
        f'<data key="{key}">{escape(_NOT_XML.sub("?", value))}</data>'
        for key, value in values.items()
    )
