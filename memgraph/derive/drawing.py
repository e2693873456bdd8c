"""The graph drawn with Mermaid, in parts that people can take in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from memgraph.domain.schema import EdgeSpec, GraphModel
from memgraph.domain.values import Lifecycle

GROUPS: dict[str, tuple[str, ...]] = {
    "Conversations": (
        "Session",
        "Prompt",
        "Response",
        "ToolInvocation",
        "Agent",
        "AgentConfiguration",
        "ContextDocument",
        "User",
        "Application",
    ),
    "Templates": ("PromptTemplate",),
    "Models": ("Model", "ModelVersion", "ModelPrice", "Schema"),
    "Telemetry": ("Invocation", "PerformanceMetric", "Error", "Score"),
    "Operations": (
        "Rollup",
        "Anomaly",
        "JobRun",
        "Outbox",
        "DeadLetter",
        "IngestSource",
        "TraceAssembly",
        "TraceFragment",
    ),
    "Governance": ("Tenant", "Archive", "RetentionPolicy", "AuditEvent", "ApiKey"),
}
"""Labels that are read together, from the core outwards."""
OTHER = "Other"

_SHAPES = {
    Lifecycle.FACT: '{0}["{0}"]',
    Lifecycle.LIVING: '{0}("{0}")',
    Lifecycle.RECORD: '{0}[["{0}"]]',
}


def grouped(model: GraphModel) -> dict[str, tuple[str, ...]]:
    """The labels of a model by group; one that no group names is in the last."""
    groups = {name: tuple(x for x in labels if x in model.nodes) for name, labels in GROUPS.items()}
    named = {label for labels in groups.values() for label in labels}
    groups[OTHER] = tuple(label for label in model.nodes if label not in named)
    return {name: labels for name, labels in groups.items() if labels}


def drawings(model: GraphModel) -> dict[str, str]:
    """A Mermaid graph per group. A relationship is drawn once: with its outermost end."""
    groups = grouped(model)
    level = {label: i for i, labels in enumerate(groups.values()) for label in labels}
    return {
        name: _drawing(model, labels, (e for e in _known(model) if i == _outermost(e, level)))
        for i, (name, labels) in enumerate(groups.items())
    }


def _known(model: GraphModel) -> Iterator[EdgeSpec]:
    """Edges with both ends in the model; a part of the classes may name more."""
    return (e for e in model.edges.values() if e.start in model.nodes and e.end in model.nodes)


def _outermost(edge: EdgeSpec, level: dict[str, int]) -> int:
    return max(level[edge.start], level[edge.end])


def _drawing(model: GraphModel, labels: tuple[str, ...], edges: Iterable[EdgeSpec]) -> str:
    arrows: dict[tuple[str, str], list[str]] = {}
    for edge in edges:
        arrows.setdefault((edge.start, edge.end), []).append(edge.type)
    near = dict.fromkeys(labels)
    far = dict.fromkeys(label for ends in arrows for label in ends if label not in near)
    lines = ["graph LR"]
    lines += [f"  {_SHAPES[model.nodes[label].lifecycle].format(label)}" for label in [*near, *far]]
    for (start, end), types in arrows.items():
        lines.append(f'  {start} -->|"{"<br/>".join(types)}"| {end}')
    if far:
        lines += ["  classDef far stroke-dasharray:4 4", f"  class {','.join(far)} far"]
    return "\n".join(lines)
