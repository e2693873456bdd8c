"""How users name nodes: a kind such as ``tool-invocation`` and an id, ``ID@VERSION`` for versions."""

from __future__ import annotations

from memgraph.domain.errors import InvalidInput
from memgraph.domain.mutations import Key
from memgraph.domain.schema import GraphModel, NodeSpec

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


def parse_key(spec: NodeSpec, id_: str) -> Key:
    """The key that ``id_`` stands for. Raises InvalidInput when a version is missing."""
    if len(spec.key) == 1:
        return (id_,)
    head, separator, version = id_.rpartition("@")
    if not separator or not head or not version:
        raise InvalidInput("id", f"needs {'@'.join(name.upper() for name in spec.key)}")
    return (head, version)


def show_key(key: Key) -> str:
    """The inverse of `parse_key`."""
    return "@".join(key)
