"""From all known spans and log records of traces to events: pure, deterministic, idempotent."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events.conversation import SessionRef
from memgraph.services.ingest.formats.otlp import activities, building, identity
from memgraph.services.ingest.formats.otlp.calls import Call, calls_of, speaks
from memgraph.services.ingest.formats.otlp.history import History, PromptStep, ResponseStep
from memgraph.services.ingest.formats.otlp.neutral import (
    AgentRun,
    Document,
    EmbeddingCall,
    Handoff,
    LlmCall,
    Message,
    ToolRun,
)
from memgraph.services.ingest.formats.otlp.requests import Requests
from memgraph.services.ingest.formats.otlp.retrievals import Asked, documents_of
from memgraph.services.ingest.formats.otlp.spans import LogRecord, Span
from memgraph.services.ingest.formats.otlp.tellings import Tellings
from memgraph.services.ingest.formats.otlp.tree import Node, grow, tool_runs
from memgraph.services.ingest.formats.records import Problem, Record

_HANDOFF_TOOL = re.compile(r"(?:transfer|handoff|hand_off)_to_(?P<agent>.+)", re.IGNORECASE)


def assemble(spans: Iterable[Span], logs: Iterable[LogRecord] = ()) -> list[Record | Problem]:
    """List the events of each trace, by trace id; what was not sent is absent.

    The same spans give the same events, in whatever order and however often they come.
    What several traces tell of one message has one id; `tellings.prefer` says which counts.
    """
    told: dict[str, tuple[list[Span], list[LogRecord]]] = defaultdict(lambda: ([], []))
    for span in spans:
        told[span.trace_id][0].append(span)
    for log in logs:
        told[log.trace_id][1].append(log)
    return [item for i in sorted(told) for item in _Trace(i, *told[i]).events()]


class _Trace:
    """Assembles one trace. Used once."""

    def __init__(self, trace_id: str, spans: list[Span], logs: list[LogRecord]) -> None:
        self._trace_id = trace_id
        self._nodes = grow(spans, logs)
        self._calls = calls_of(self._nodes)
        self._only_session = _only(n.context.session_id for n in self._nodes)
        self._only_user = _only(n.context.user_id for n in self._nodes)
        self._tellings = Tellings()
        self._requests = Requests()
        self._equal: Counter[str] = Counter()
        self._documents: dict[str, list[Document]] = {}
        self._asked: dict[str, _Asking] = {}
        self._answers: list[tuple[Call, ResponseStep]] = []
        self._handoffs: set[tuple[str, str]] = set()

    def events(self) -> list[Record | Problem]:
        histories = [History(self._session_id(c.node), c.said.input) for c in self._calls]
        self._read_retrievals(histories)
        for call, history in zip(self._calls, histories, strict=True):
            self._recall(history, call.node, call.node.span.start_ns)
            self._call(call, history)
        for node in self._nodes:
            if isinstance(node.fact, AgentRun):
                history = History(self._session_id(node), _said(node.fact.messages))
                self._recall(history, node, node.span.end_ns)
        self._embed()
        self._run_tools()
        self._hand_over()
        self._report_errors()
        self._introduce_agents()
        return self._tellings.all()

    def _add(self, node: Node, make: Callable[[], Any]) -> None:
        self._tellings.add(make, node.span.position)

    def _session_id(self, node: Node) -> str:
        """Its own session, one above, the only one that the trace names, or the trace."""
        return node.context.session_id or self._only_session or self._trace_id

    def _session(self, node: Node) -> SessionRef:
        user_id = node.context.user_id or self._only_user
        return building.session_of(self._session_id(node), user_id, node.span.resource)

    def _read_retrievals(self, histories: list[History]) -> None:
        """Give each prompt the documents that were looked up for it."""
        asked = Asked(
            [
                (call.node, history.prompt.id)
                for call, history in zip(self._calls, histories, strict=True)
                if history.prompt is not None
            ]
        )
        for node, documents in documents_of(self._nodes):
            prompt_id = asked.prompt_of(node)
            if prompt_id is None:
                rule = "belongs to no prompt of its trace"
                self._tellings.refuse(node.span.position, InvalidInput("retrieval", rule))
            else:
                self._documents.setdefault(prompt_id, []).extend(documents)

    def _recall(self, history: History, node: Node, told_ns: int) -> None:
        """Tell of what a history holds and no call before it; whose part it was tells better."""
        for step in history.steps:
            when = building.recalled_at(told_ns, history.length - step.number)
            match step:
                case PromptStep():
                    if not self._tellings.knows("PromptEvent", step.id):
                        self._recall_prompt(step, node, when)
                case ResponseStep():
                    for asked in step.asked:
                        self._requests.ask(asked, None)
                    if not self._tellings.knows("ResponseEvent", step.id):
                        self._add(node, partial(building.recalled_response, step, when))
                case _:
                    self._requests.answer(step.asked, step.message, when, node)

    def _recall_prompt(self, step: PromptStep, node: Node, when: datetime) -> None:
        if step.message.text:
            documents = self._documents.get(step.id, [])
            session = self._session(node)
            self._add(node, partial(building.recalled_prompt, step, session, when, documents))
        elif step.message.images:
            rule = "is required beside images"
            self._tellings.refuse(node.span.position, InvalidInput("prompt.text", rule))

    def _call(self, call: Call, history: History) -> None:
        node, failure = call.node, call.failure
        answers = [m for m in call.said.output if speaks((m,))]
        if call.said.input or answers:
            self._ask(call, history)
            self._answer(call, history, answers)
        invocation_id = None
        # An invocation belongs to a model; one that names none is not stored.
        if call.said.model_requested or call.said.model_answered:
            invocation_id = identity.call_id(node.span, call.said)
            self._add(node, partial(activities.invocation, call, invocation_id))
        if failure and not call.said.input:
            self._add(node, partial(activities.error, node, failure, invocation_id))

    def _ask(self, call: Call, history: History) -> None:
        step = history.asks
        if step is None or not step.message.text:
            return
        agent_id = _key(call.node)
        self._asked.setdefault(step.id, _Asking(history.system, agent_id))
        session, documents = self._session(call.node), self._documents.get(step.id, [])
        make = partial(building.prompt, step, session, call, agent_id, history.system, documents)
        self._add(call.node, make)

    def _answer(self, call: Call, history: History, answers: list[Message]) -> None:
        node = call.node
        prompt_id = (
            history.prompt.id
            if history.prompt
            else identity.unsent_prompt_id(self._session_id(node), node.span.span_id)
        )
        metadata = self._besides(prompt_id, history, node)
        if not answers and call.failure:
            read = history.unread
            self._add(node, partial(building.failed_response, prompt_id, read, call, metadata))
        for number, message in enumerate(answers):
            step = history.answer(message, prompt_id, self._equal)
            self._answers.append((call, step))
            for asked in step.asked:
                self._requests.ask(asked, node.span.end_ns)
            make = partial(building.response, step, call, metadata, is_first=number == 0)
            self._add(node, make)

    def _besides(self, prompt_id: str, history: History, node: Node) -> dict[str, Any]:
        """What an answer was made with, where it differs from what its prompt says."""
        asking = self._asked.get(prompt_id)
        if asking is None:
            return {}
        said: dict[str, Any] = {}
        if history.system and history.system != asking.system:
            said["system"] = [m.text for m in history.system]
        if (key := _key(node)) and key != asking.agent_id:
            said["agent_id"] = key
        return said

    def _embed(self) -> None:
        for node in self._nodes:
            fact = node.fact
            if not isinstance(fact, EmbeddingCall):
                continue
            invocation_id = None
            if fact.model:
                invocation_id = identity.span_invocation_id(node.span)
                self._add(node, partial(activities.embedding, node, fact, invocation_id))
            if node.failure:
                self._add(node, partial(activities.error, node, node.failure, invocation_id))

    def _run_tools(self) -> None:
        for node, run in tool_runs(self._nodes):
            request, attempt = self._requests.take(run, node.span.start_ns)
            self._add(node, partial(activities.tool, node, run, request, attempt))
        for request in self._requests:
            if request.told is not None and not request.runs:
                self._add(
                    request.told.node, partial(activities.recalled_tool, request, request.told)
                )

    def _hand_over(self) -> None:
        for node in sorted(self._nodes, key=lambda n: (n.span.start_ns, n.span.span_id)):
            if isinstance(node.fact, Handoff):
                self._hand_over_to(node, node.fact)
        names = {key for node in self._nodes if (key := _key(node))}
        for call, step in self._answers:
            for asked in step.asked:
                match = _HANDOFF_TOOL.fullmatch(asked.request.name)
                if match and match["agent"] in names - {_key(call.node)}:
                    fact = Handoff(_key(call.node), match["agent"])
                    self._note_handoff(call.node, step.id, fact, call.node.span.end_ns)

    def _hand_over_to(self, node: Node, fact: Handoff) -> None:
        before = [s for c, s in self._answers if c.node.span.end_ns <= node.span.start_ns]
        asking = [s for s in before if any(_asks_for(a.request.name, fact) for a in s.asked)]
        step = next(reversed(asking or before), None)
        if fact.to_agent is None or step is None:
            rule = "must name its agent and follow an answer of a model"
            self._tellings.refuse(node.span.position, InvalidInput("handoff", rule))
        else:
            self._note_handoff(node, step.id, fact, node.span.start_ns)

    def _note_handoff(self, node: Node, response_id: str, fact: Handoff, at_ns: int) -> None:
        edge = (response_id, fact.to_agent or "")
        if edge not in self._handoffs:
            self._handoffs.add(edge)
            self._add(node, partial(activities.handoff, response_id, fact, at_ns))

    def _report_errors(self) -> None:
        """Tell of errors that no answer and no tool tells of, each where it arose."""
        failed_below: set[int] = set()
        for node in reversed(self._nodes):
            if node.failure is None and id(node) not in failed_below:
                continue
            if node.parent is not None:
                failed_below.add(id(node.parent))
            if node.failure and id(node) not in failed_below and not _tells_of_errors(node):
                self._add(node, partial(activities.error, node, node.failure, None))

    def _introduce_agents(self) -> None:
        seen: dict[str, tuple[int, str | None, Node]] = {}
        for node in self._nodes:
            key = _key(node)
            if key and node.agent:
                start_ns = node.span.start_ns
                known = seen.get(key, (start_ns, None, node))
                name = known[1] or node.agent.name
                seen[key] = (min(known[0], start_ns), name, known[2])
        for key, (first_ns, name, node) in seen.items():
            self._add(node, partial(activities.agent, self._trace_id, key, name, first_ns))


@dataclass(frozen=True, slots=True)
class _Asking:
    """With what a prompt was asked."""

    system: list[Message]
    agent_id: str | None


def _key(node: Node) -> str | None:
    agent = node.agent
    return (agent.agent_id or agent.name) if agent else None


def _asks_for(tool_name: str, fact: Handoff) -> bool:
    match = _HANDOFF_TOOL.fullmatch(tool_name)
    return match is not None and match["agent"] == fact.to_agent


def _tells_of_errors(node: Node) -> bool:
    return isinstance(node.fact, LlmCall | EmbeddingCall | ToolRun)


def _said(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Cut off results that no model read: a library's own notes on a structured answer."""
    last = max((n for n, m in enumerate(messages) if m.role != "tool"), default=-1)
    return messages[: last + 1]


def _only(values: Iterable[str | None]) -> str | None:
    """The value, if all that say one say the same."""
    said = {value for value in values if value}
    return said.pop() if len(said) == 1 else None
