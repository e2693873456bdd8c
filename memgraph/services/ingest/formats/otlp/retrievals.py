"""Retrievals of a trace: which span tells of one, and for which prompt it was made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from memgraph.services.ingest.formats.otlp.neutral import Document, Retrieval
from memgraph.services.ingest.formats.otlp.tree import Node


def documents_of(nodes: list[Node]) -> Iterator[tuple[Node, tuple[Document, ...]]]:
    """Yield each retrieval with its documents; of two spans of one, the outer if it has any."""
    for node in sorted(nodes, key=lambda n: (n.span.start_ns, n.depth, n.span.span_id)):
        fact = node.fact
        if isinstance(fact, Retrieval) and fact.documents and not _is_told_above(node):
            yield node, fact.documents


def _is_told_above(node: Node) -> bool:
    step = node.step
    while step is not None and isinstance(step.fact, Retrieval):
        if step.fact.documents:
            return True
        step = step.step
    return False


def prompt_of(node: Node, asked: Sequence[tuple[Node, str]]) -> str | None:
    """Choose the prompt of the call that shares most with a retrieval, by time the next one.

    ``asked`` are calls by time, each with its prompt. None when there is none.
    """
    above = {id(a): a.depth for a in node.above()}
    shared = [
        max((above[id(a)] for a in call.above() if id(a) in above), default=-1) for call, _ in asked
    ]
    nearest = [pair for pair, depth in zip(asked, shared, strict=True) if depth == max(shared)]
    after = [pair for pair in nearest if pair[0].span.start_ns >= node.span.start_ns]
    if not nearest:
        return None
    return after[0][1] if after else nearest[-1][1]
