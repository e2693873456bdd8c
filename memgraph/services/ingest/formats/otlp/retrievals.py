"""Retrievals of a trace: which span tells of one, and for which prompt it was made."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

from memgraph.services.ingest.formats.otlp.neutral import Document, Retrieval
from memgraph.services.ingest.formats.otlp.tree import Node

_REACH = 64
"""Levels above a span that are compared; deeper trees are of no program."""


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


class Asked:
    """The calls of a trace by the spans they are under, to find the prompt of a retrieval."""

    def __init__(self, calls: Sequence[tuple[Node, str]]) -> None:
        """Take calls in their order in time, each with the id of its prompt."""
        self._all = _Calls()
        self._under: dict[int, _Calls] = defaultdict(_Calls)
        for node, prompt_id in calls:
            self._all.add(node, prompt_id)
            for above in islice(node.above(), _REACH):
                self._under[id(above)].add(node, prompt_id)

    def prompt_of(self, retrieval: Node) -> str | None:
        """Choose the call that shares most with a retrieval, by time the next one, else the last.

        None when the trace has no call.
        """
        above = (id(node) for node in islice(retrieval.above(), _REACH))
        nearest = next((self._under[i] for i in above if i in self._under), self._all)
        return nearest.next_after(retrieval.span.start_ns)


class _Calls:
    """Calls in their order in time."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._prompts: list[str] = []

    def add(self, node: Node, prompt_id: str) -> None:
        self._starts.append(node.span.start_ns)
        self._prompts.append(prompt_id)

    def next_after(self, ns: int) -> str | None:
        at = bisect_left(self._starts, ns)
        return self._prompts[min(at, len(self._prompts) - 1)] if self._prompts else None
