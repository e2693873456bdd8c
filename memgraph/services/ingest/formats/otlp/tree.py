"""The spans of one trace as a tree, each read by its convention, with what it has from above."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from memgraph.services.ingest.formats.otlp.conventions import convention_of
from memgraph.services.ingest.formats.otlp.neutral import (
    AgentRun,
    Chain,
    Context,
    Fact,
    Failure,
    ToolRun,
)
from memgraph.services.ingest.formats.otlp.spans import LogRecord, Span, SpanEvent, pack

_TRACEBACK = "Traceback (most recent call last)"
_EXCEPTION = "exception"


@dataclass(slots=True, eq=False)
class Node:
    """A span in its tree, with what it has from above."""

    span: Span
    fact: Fact
    context: Context
    parent: Node | None = None
    depth: int = 0
    step: Node | None = None
    """The nearest span above that is no mere chain."""
    run: Node | None = None
    """The nearest run of an agent, itself included."""
    agent: AgentRun | None = None
    """The agent that it works for."""

    def above(self) -> Iterator[Node]:
        """Walk towards the root, without itself."""
        node = self.parent
        while node is not None:
            yield node
            node = node.parent

    @property
    def failure(self) -> Failure | None:
        return failure_of(self.span) if self.span.failed else None


def grow(spans: Iterable[Span], logs: Iterable[LogRecord]) -> list[Node]:
    """List the nodes of one trace, parents before children, else by time."""
    known = {span.span_id: span for span in sorted(spans, key=_fullest)}
    heard = _by_span(logs)
    nodes = {i: _read(_with_logs(span, heard.get(i, []))) for i, span in known.items()}
    for node in nodes.values():
        node.parent = nodes.get(node.span.parent_span_id or "")
    _cut_circles(nodes.values())
    listed = sorted(nodes.values(), key=lambda n: (n.depth, n.span.start_ns, n.span.span_id))
    for node in listed:
        _inherit(node)
    _name_agents(listed)
    return listed


def failure_of(span: Span) -> Failure:
    """Say how a span failed: by its last exception, else by its status."""
    raised = [e.attributes for e in span.events if e.name == _EXCEPTION]
    told = raised[-1] if raised else {}
    kind = told.get("exception.type") or span.attributes.get("error.type")
    message = told.get("exception.message") or span.status_message.partition(_TRACEBACK)[0]
    return Failure(str(kind) if kind else None, str(message).strip() if message else None)


def _fullest(span: Span) -> tuple[int, bytes]:
    """Of two spans with one id the later in this order counts: the fuller, then any."""
    return (len(span.attributes) + len(span.events), pack(span))


def _by_span(logs: Iterable[LogRecord]) -> dict[str, list[LogRecord]]:
    found: dict[str, dict[bytes, LogRecord]] = {}
    for log in logs:
        found.setdefault(log.span_id, {})[pack(log)] = log
    return {i: sorted(each.values(), key=_by_time) for i, each in found.items()}


def _by_time(log: LogRecord) -> tuple[int, bytes]:
    return (log.time_ns, pack(log))


def _with_logs(span: Span, logs: list[LogRecord]) -> Span:
    """Give a span its log records as events, each with its body under ``body``."""
    if not logs:
        return span
    heard = (
        SpanEvent(log.event_name, log.time_ns, {**log.attributes, "body": log.body}) for log in logs
    )
    return replace(span, events=(*span.events, *heard))


def _read(span: Span) -> Node:
    convention = convention_of(span)
    return Node(span, convention.read(span), convention.read_context(span))


def _cut_circles(nodes: Iterable[Node]) -> None:
    """Give every node its depth; a span that is above itself is made a root."""
    settled: set[str] = set()
    for node in nodes:
        path: dict[str, Node] = {}
        walk: Node | None = node
        while walk and walk.span.span_id not in settled and walk.span.span_id not in path:
            path[walk.span.span_id] = walk
            walk = walk.parent
        if walk is not None and walk.span.span_id in path:
            walk.parent = None
        for each in reversed(path.values()):
            each.depth = each.parent.depth + 1 if each.parent else 0
            settled.add(each.span.span_id)


def _inherit(node: Node) -> None:
    above, own = node.parent, node.context
    if isinstance(node.fact, AgentRun):
        node.run = node
    elif above is not None:
        node.run = above.run
    if above is not None:
        node.step = above.step if isinstance(above.fact, Chain) else above
        node.context = replace(
            own,
            session_id=own.session_id or above.context.session_id,
            user_id=own.user_id or above.context.user_id,
        )


def _name_agents(nodes: list[Node]) -> None:
    """Settle which agent each node works for.

    A run without a name is named by its span, unless agents with names work below it: then
    it is what holds them together, and no agent.
    """
    holders: set[int] = set()
    for node in reversed(nodes):
        named = isinstance(node.fact, AgentRun) and node.fact.name
        if node.parent is not None and (named or id(node) in holders):
            holders.add(id(node.parent))
    for node in nodes:
        if isinstance(node.fact, AgentRun):
            fact = node.fact
            if not fact.name and not fact.agent_id and id(node) not in holders:
                fact = node.fact = replace(fact, name=node.span.name or None)
            node.agent = fact if fact.name or fact.agent_id else None
        if node.agent is None and node.context.agent:
            node.agent = AgentRun(name=node.context.agent)
        # The run above knows more of its agent than its name.
        if node.parent is not None and node.parent.agent is not None:
            above = node.parent.agent
            if node.agent is None or (not isinstance(node.fact, AgentRun) and _same(node, above)):
                node.agent = above


def _same(node: Node, other: AgentRun) -> bool:
    return node.agent is not None and node.agent.name == other.name


def tool_runs(nodes: list[Node]) -> Iterator[tuple[Node, ToolRun]]:
    """Yield the runs of tools by time; of two spans of one run the outer, completed."""
    runs = {id(n): (n, n.fact) for n in nodes if isinstance(n.fact, ToolRun)}
    for node in reversed(nodes):
        known = runs.get(id(node))
        outer = _run_around(node, known[1].name) if known else None
        if known and outer is not None:
            del runs[id(node)]
            runs[id(outer)] = (outer, _completed(runs[id(outer)][1], known[1]))
    yield from sorted(runs.values(), key=lambda r: (r[0].span.start_ns, r[0].span.span_id))


def _run_around(node: Node, name: str | None) -> Node | None:
    """The span that tells of the same run of a tool."""
    step = node.step
    return step if step and isinstance(step.fact, ToolRun) and step.fact.name == name else None


def _completed(run: ToolRun, other: ToolRun) -> ToolRun:
    return ToolRun(
        name=run.name,
        call_id=run.call_id or other.call_id,
        arguments=other.arguments if run.arguments is None else run.arguments,
        result=other.result if run.result is None else run.result,
    )
