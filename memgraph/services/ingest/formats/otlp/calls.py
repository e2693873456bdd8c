"""Which LLM spans are calls: of two spans of one call one is kept, and completed by the other."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from memgraph.services.ingest.formats.otlp.neutral import (
    AgentRun,
    Failure,
    LlmCall,
    Message,
    ToolRun,
)
from memgraph.services.ingest.formats.otlp.tree import Node


@dataclass(slots=True, eq=False)
class Call:
    """One call of a model: where it stood, what was said, how it failed."""

    node: Node
    said: LlmCall
    failure: Failure | None

    @property
    def has_text(self) -> bool:
        return speaks(self.said.input) or speaks(self.said.output)


def speaks(messages: tuple[Message, ...]) -> bool:
    """Say whether any message holds anything."""
    return any(m.text or m.requests or m.images or m.result is not None for m in messages)


def calls_of(nodes: list[Node]) -> list[Call]:
    """List the calls of a trace by time; each call once."""
    calls = {id(n): Call(n, n.fact, n.failure) for n in nodes if isinstance(n.fact, LlmCall)}
    inside: dict[int, list[Call]] = {}
    found: list[Call] = []
    # From the leaves up: what is left of the inner spans meets the one around them.
    for node in reversed(nodes):
        call = calls.get(id(node))
        if call is None:
            continue
        inner = inside.pop(id(node), [])
        kept = _settled(call, inner) if inner else [call]
        outer = _call_around(node)
        if outer is not None:
            inside.setdefault(id(outer), []).extend(kept)
        else:
            found.extend(kept)
    found.sort(key=_by_time)
    for call in found:
        _ask_the_run(call, found)
    return _once_per_answer(found)


def _by_time(call: Call) -> tuple[int, str]:
    return (call.node.span.start_ns, call.node.span.span_id)


def _call_around(node: Node) -> Node | None:
    """The LLM span that encloses this one, not by way of a tool or an agent."""
    for above in node.above():
        if isinstance(above.fact, LlmCall):
            return above
        if isinstance(above.fact, ToolRun | AgentRun):
            return None
    return None


def _settled(outer: Call, inner: list[Call]) -> list[Call]:
    """Say which remain of a span and those inside it."""
    if len(inner) > 1:
        if not outer.has_text or any(c.has_text for c in inner):
            # It sums up several calls and is none.
            return inner
        good = [c for c in inner if c.failure is None] or inner
        return [_merged(outer, max(good, key=lambda c: c.node.span.start_ns), outer.failure)]
    other = inner[0]
    if _richness(outer) > _richness(other):
        return [_merged(outer, other, outer.failure)]
    return [_merged(other, outer, outer.failure)]


def _richness(call: Call) -> tuple[bool, bool, bool]:
    said = call.said
    return speaks(said.output), speaks(said.input), said.prompt_tokens is not None


def _merged(kept: Call, other: Call, failure: Failure | None) -> Call:
    """Complete one telling of a call by another one."""
    filled: dict[str, Any] = {}
    for each in fields(LlmCall):
        own = getattr(kept.said, each.name)
        filled[each.name] = getattr(other.said, each.name) if own in (None, (), {}) else own
    # The other span may be the one that says where it belongs.
    own, others = kept.node.context, other.node.context
    kept.node.context = replace(
        own,
        session_id=own.session_id or others.session_id,
        user_id=own.user_id or others.user_id,
    )
    return Call(kept.node, LlmCall(**filled), failure)


def _ask_the_run(call: Call, calls: list[Call]) -> None:
    """Give a failed call without messages those of its agent's run, if it was its last call.

    Some libraries say what was asked with the answer only, and the run keeps it all the same.
    """
    run = call.node.run
    if speaks(call.said.input) or run is None or not isinstance(run.fact, AgentRun):
        return
    messages = run.fact.messages
    last = [c for c in calls if c.node.run is run][-1]
    if last is call and call.failure and messages and messages[-1].role in ("user", "tool"):
        call.said = replace(call.said, input=messages)


def _once_per_answer(calls: list[Call]) -> list[Call]:
    """Drop the poorer of two tellings of one call that stand beside each other."""
    kept: list[Call] = []
    for call in calls:
        twin = next((k for k in kept if _tell_the_same(k, call)), None)
        if twin is None:
            kept.append(call)
        elif _richness(twin) < _richness(call):
            kept[kept.index(twin)] = _merged(call, twin, call.failure)
        else:
            kept[kept.index(twin)] = _merged(twin, call, twin.failure)
    return sorted(kept, key=_by_time)


def _tell_the_same(one: Call, other: Call) -> bool:
    """Say whether both have the answer id of their provider and ran at the same time.

    The id alone does not tell: some servers give the same to all answers.
    """
    if one.said.answer_id is None or one.said.answer_id != other.said.answer_id:
        return False
    a, b = one.node.span, other.node.span
    return a.start_ns <= b.end_ns and b.start_ns <= a.end_ns
