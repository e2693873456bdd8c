"""How users name nodes: a kind such as ``tool-invocation``, and an id or ``ID@VERSION``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from memgraph.domain.errors import InvalidInput
from memgraph.domain.schema import GraphModel, NodeSpec, PropertySpec

TypedKey = tuple[str | datetime, ...]
"""The values of a key, times as such."""

_ALIASES = {
    "template": "prompt_template",
    "document": "context_document",
    "tool": "tool_invocation",
}


def kinds(model: GraphModel) -> tuple[str, ...]:
    """Every kind, with the short names."""
    own = sorted(s.snake for s in model.nodes.values() if s.is_content)
    return (*own, *_ALIASES)


def find_spec(model: GraphModel, kind: str) -> NodeSpec:
    """The class of a kind. Raises InvalidInput when there is none."""
    name = kind.lower().replace("-", "_")
    name = _ALIASES.get(name, name)
    for spec in model.nodes.values():
        if spec.snake == name and spec.is_content:
            return spec
    raise InvalidInput("kind", "must be one of " + ", ".join(kinds(model)))


def parse_key(spec: NodeSpec, id_: str) -> TypedKey:
    """The key that ``id_`` stands for, typed. Raises InvalidInput when a part is missing.

    Parts are split from the right: a version holds no ``@``, an id may.
    """
    parts = id_.rsplit("@", len(spec.key) - 1) if len(spec.key) > 1 else [id_]
    if len(parts) != len(spec.key) or not all(parts):
        raise InvalidInput("id", f"needs {'@'.join(name.upper() for name in spec.key)}")
    return tuple(_typed(spec.by_name[n], p) for n, p in zip(spec.key, parts, strict=True))


def show_key(key: Iterable[object]) -> str:
    """The inverse of `parse_key`."""
    return "@".join(p.isoformat() if isinstance(p, datetime) else str(p) for p in key)


def _typed(declared: PropertySpec, text: str) -> str | datetime:
    if declared.type != "datetime":
        return text
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise InvalidInput("id", f"{declared.name.upper()} is a time, such as 2026-01-31T00:00Z")
    return at
