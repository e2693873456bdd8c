"""How mappers say what they want: facts, mentions and edges of a mutation."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from memgraph.domain.mutations import Edge, Mutation, Ref


def text_sha256(text: str) -> str:
    """SHA-256 of the UTF-8 text, hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def mention(m: Mutation, label: str, *key: str) -> Ref:
    """Name something that lives, so that it comes to be."""
    ref = (label, key)
    m.mentions.append(ref)
    return ref


def edge(m: Mutation, start: Ref, type_: str, end: Ref, **properties: Any) -> None:
    """Ask for an edge."""
    m.edges.append(Edge(start, type_, end, properties))


def fact(m: Mutation, ref: Ref, at: datetime, **properties: Any) -> Ref:
    """Say which node the event is."""
    m.fact = ref
    m.fact_properties = {"created_at": at, **properties}
    return ref
