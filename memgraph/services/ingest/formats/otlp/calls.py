"""Which LLM spans are calls: of two spans of one call one is kept, and completed by the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
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
    for call in {id(c.node.run): c for c in found}.values():
        _ask_the_run(call)
    return _once_per_answer(found)


def _by_time(call: Call) -> tuple[int, str]:
    return (call.node.span.start_ns, call.node.span.span_id)


def _call_around(node: Node) -> Node | None:
    """The LLM span that encloses this one, not by way of a tool or an agent."""
    step = node.step
    while step is not None and not isinstance(step.fact, LlmCall | ToolRun | AgentRun):
        step = step.step
    return step if step and isinstance(step.fact, LlmCall) else None


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


def _ask_the_run(call: Call) -> None:
    """Give the last call of an agent's run the run's messages, if it failed without any.

    Some libraries say what was asked with the answer only, and the run keeps it all the same.
    """
    run = call.node.run
    if speaks(call.said.input) or run is None or not isinstance(run.fact, AgentRun):
        return
    messages = run.fact.messages
    if call.failure and messages and messages[-1].role in ("user", "tool"):
        call.said = replace(call.said, input=messages)


def _once_per_answer(calls: list[Call]) -> list[Call]:
    """Drop the poorer of two tellings of one call that stand beside each other."""
    kept: list[Call] = []
    latest: dict[str, int] = {}
    for call in calls:
        answer_id = call.said.answer_id
        at = latest.get(answer_id) if answer_id else None
        # The id alone does not tell: some servers give the same to all answers.
        if at is not None and call.node.span.start_ns <= kept[at].node.span.end_ns:
            poorer, richer = sorted((kept[at], call), key=_richness)
            kept[at] = _merged(richer, poorer, richer.failure)
            continue
        if answer_id:
            latest[answer_id] = len(kept)
        kept.append(call)
    return sorted(_once_per_failure(kept), key=_by_time)


def _once_per_failure(calls: list[Call]) -> Iterator[Call]:
    """Drop a failed call without a word that another one beside it, at that time, tells of.

    The SDK of Anthropic makes spans of its own; those of OpenLLMetry are not above them.
    """
    wordy = defaultdict[tuple[int, str | None], list[Call]](list)
    for call in calls:
        if call.failure and call.has_text:
            wordy[_place(call)].append(call)
    for call in calls:
        is_bare = call.failure is not None and not call.has_text
        if not (is_bare and any(_overlap(call, other) for other in wordy.get(_place(call), ()))):
            yield call


def _place(call: Call) -> tuple[int, str | None]:
    return id(call.node.parent), call.said.model_requested


def _overlap(one: Call, other: Call) -> bool:
    first, second = one.node.span, other.node.span
    return first.start_ns <= second.end_ns and second.start_ns <= first.end_ns
