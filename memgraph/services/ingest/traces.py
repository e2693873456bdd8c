"""The door of OpenTelemetry: bodies are kept at once, traces are put together when they settle.

A body that was acknowledged is in the inbox. From there a trace goes through the
pipeline as a whole, every time something new came of it. What is stored already
stays as it is: a trace that says more or other later is a duplicate, no conflict.

Two things are waited for with patience, because facts are never changed: spans above
those that are there, which say whose they are, and calls that only a history of a
later call tells of so far, because they tell better.
"""

from __future__ import annotations

import threading
import zlib
from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import structlog

from memgraph.domain import events as ev
from memgraph.domain.errors import InvalidInput, MemgraphError
from memgraph.domain.mutations import Key, Outcome
from memgraph.domain.values import PiiPolicy
from memgraph.graph.traces import Finished, Fragment, Taken, TraceInbox
from memgraph.services.enrichment.items import Item, MayWrite, anything
from memgraph.services.ingest.formats.otlp import (
    LogRecord,
    Span,
    assemble,
    decode_logs,
    decode_traces,
    is_recalled,
    pack,
    prefer,
    unpack_log,
    unpack_span,
)
from memgraph.services.ingest.formats.records import Problem, Record
from memgraph.services.ingest.graph_rows import to_mutation
from memgraph.services.ingest.pipeline import Pipeline
from memgraph.settings import OtlpSettings

DOOR = "otlp"
STAGE = "assemble"
TOGETHER = 50
"""Traces that are taken at once."""
MOST_EVENTS = 500
"""Events in one transaction."""
PATIENCE_TIMES = 10
"""A trace of which something comes all the time is waited for so many times as long."""

_ENTRIES = frozenset({2, 5})
"""Kinds of spans that begin a service's part (SERVER, CONSUMER): those above are not ours."""
_LONGEST_PAUSE_S = 30.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a body: how many of its items were refused, and why the first was."""

    rejected: int = 0
    message: str = ""


@dataclass(slots=True)
class _Trace:
    """A trace on its way from the inbox."""

    taken: Taken
    spans: list[Span] = field(default_factory=list)
    logs: list[LogRecord] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether every span is there that another item names."""
        known = {span.span_id for span in self.spans}
        above = {s.parent_span_id for s in self.spans if s.kind not in _ENTRIES} - {None}
        return above | {log.span_id for log in self.logs if log.span_id} <= known


@dataclass(frozen=True, eq=False)
class Traces:
    """The traces of all tenants. Threads and processes may share it."""

    inbox: TraceInbox
    pipeline: Pipeline
    settings: OtlpSettings

    def keep_spans(self, tenant_id: str, body: bytes, media: str, may: MayWrite = anything) -> Kept:
        """Keep a body of /v1/traces. It is in the inbox when this returns.

        Raises InvalidInput and UnsupportedMedia for what is none, Overloaded and
        GraphUnavailable when it cannot be taken now.
        """
        return self._keep(tenant_id, body, media, decode_traces, may)

    def keep_logs(self, tenant_id: str, body: bytes, media: str, may: MayWrite = anything) -> Kept:
        """Keep a body of /v1/logs, as far as its records are events of a span.

        Records that carry events of ours are settled when this returns.
        """
        return self._keep(tenant_id, body, media, decode_logs, may)

    def count_waiting(self, tenant_id: str) -> int:
        """Traces that are not put together yet."""
        return self.inbox.count_waiting(tenant_id)

    def assemble_due(self, limit: int = TOGETHER) -> int:
        """Settle the traces that are due, up to ``limit`` of each tenant; how many those were.

        One round trip when none is due. Any number may run.
        """
        return sum(self.assemble_of(one, limit) for one in self.inbox.list_tenants())

    def assemble_of(self, tenant_id: str, limit: int = TOGETHER) -> int:
        """The same for one tenant. Raises GraphUnavailable and Overloaded; nothing is lost."""
        write_id, taken = self.inbox.take(tenant_id, limit)
        over = [one.trace_id for one in taken if one.is_assembled]
        if over:
            self.inbox.remove(tenant_id, write_id, over)
        self._settle(tenant_id, write_id, [one for one in taken if not one.is_assembled])
        return len(taken)

    def work(self, stop: threading.Event) -> None:
        """Go on until ``stop`` is set. What may come back is waited for, longer each time."""
        pause_s = self.settings.poll_s
        while not stop.is_set():
            try:
                done = self.assemble_due()
            except Exception as error:  # noqa: BLE001 - the outermost loop of its thread
                # Messages of foreign errors may quote what was sent.
                _log.warning("assembling waits", exception=type(error).__name__)
                stop.wait(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                continue
            pause_s = self.settings.poll_s
            if not done:
                stop.wait(pause_s)

    def _keep(
        self,
        tenant_id: str,
        body: bytes,
        media: str,
        decode: Callable[[bytes, str], list[Any]],
        may: MayWrite,
    ) -> Kept:
        pressure = self.pipeline.pressure
        with pressure.buffer.hold(len(body)):
            items = decode(body, media)
            problems = [item for item in items if isinstance(item, Problem)]
            told = [i for i in items if not isinstance(i, Problem) and _is_told(i)]
            events = [i for i in told if isinstance(i, LogRecord) and i.event is not None]
            others = [i for i in told if not (isinstance(i, LogRecord) and i.event is not None)]
            with pressure.writing(len(others)):
                self.inbox.keep(tenant_id, self._fragments(others))
            refused = self._take_events(tenant_id, events, may) if events else []
        rejected = sum(not _is_attribute(problem.error) for problem in problems)
        faults = [f"{p.position}: {p.error.message}" for p in problems]
        faults += [f"{item.position}: {item.reason}" for item in refused]
        return Kept(rejected + len(refused), faults[0]) if faults else Kept()

    def _take_events(
        self, tenant_id: str, records: Sequence[LogRecord], may: MayWrite
    ) -> list[Item]:
        """Settle events of ours; those that are not stored."""
        items = [Item(r.event or b"", f"event {n}") for n, r in enumerate(records, 1)]
        for at in range(0, len(items), MOST_EVENTS):
            self.pipeline.run(tenant_id, items[at : at + MOST_EVENTS], door=DOOR, may=may)
        return [item for item in items if item.outcome is Outcome.REJECTED]

    def _fragments(self, items: Iterable[Span | LogRecord]) -> Iterable[Fragment]:
        by_trace: dict[str, list[Span | LogRecord]] = defaultdict(list)
        for item in items:
            by_trace[item.trace_id].append(item)
        for trace_id, parts in by_trace.items():
            has_root = any(isinstance(p, Span) and p.parent_span_id is None for p in parts)
            wait_s = self.settings.root_settle_s if has_root else self.settings.settle_s
            yield Fragment(trace_id, _packed(parts), wait_s)

    def _settle(self, tenant_id: str, write_id: int, taken: Sequence[Taken]) -> None:
        """Put traces together. One that breaks us stays in the inbox and holds up no other."""
        if not taken:
            return
        try:
            self.inbox.finish(tenant_id, write_id, self._assemble(tenant_id, taken))
        except Exception as error:
            if isinstance(error, MemgraphError) and error.retryable:
                raise
            if len(taken) == 1:
                _log.error("a trace cannot be assembled", trace_id=taken[0].trace_id)
                return
            half = len(taken) // 2
            self._settle(tenant_id, write_id, taken[:half])
            self._settle(tenant_id, write_id, taken[half:])

    def _assemble(self, tenant_id: str, taken: Sequence[Taken]) -> list[Finished]:
        waiting: list[Finished] = []
        told: list[tuple[_Trace, Record | Problem]] = []
        ready = []
        for trace in self._read(tenant_id, taken):
            if self._is_patient(trace) and not trace.is_whole:
                waiting.append(self._later(trace))
                continue
            ready.append(trace)
            told += [(trace, item) for item in assemble(trace.spans, trace.logs)]
        held = self._run(tenant_id, told)
        keep_s = self._keep_s(tenant_id)
        done = [
            self._later(trace)
            if trace.taken.trace_id in held
            else Finished(trace.taken.trace_id, keep_s, is_assembled=True)
            for trace in ready
        ]
        return waiting + done

    def _keep_s(self, tenant_id: str) -> float:
        """How long spans are kept once their trace is put together.

        They cannot be redacted as they come: the ids of messages are made of their texts.
        """
        policy = self.pipeline.toolbox.pii_policy(tenant_id)
        is_private = policy in (PiiPolicy.REDACT, PiiPolicy.REFUSE)
        return 0.0 if is_private else self.settings.keep_s

    def _read(self, tenant_id: str, taken: Sequence[Taken]) -> list[_Trace]:
        kept = self.inbox.read(tenant_id, [one.trace_id for one in taken])
        traces = []
        for one in taken:
            trace = _Trace(one)
            for content in kept[one.trace_id]:
                _unpack(content, trace)
            traces.append(trace)
        return traces

    def _is_patient(self, trace: _Trace) -> bool:
        patience_s = self.settings.patience_s
        return trace.taken.quiet_s < patience_s and trace.taken.age_s < PATIENCE_TIMES * patience_s

    def _later(self, trace: _Trace) -> Finished:
        return Finished(trace.taken.trace_id, self.settings.patience_s, is_assembled=False)

    def _run(self, tenant_id: str, told: Sequence[tuple[_Trace, Record | Problem]]) -> set[str]:
        """Settle what traces tell; the ids of those of which something is held back."""
        best: dict[tuple[str, str], tuple[_Trace, Record]] = {}
        items: list[Item] = []
        held: set[str] = set()
        for trace, one in told:
            if isinstance(one, Record):
                key = (type(one.event).__name__, one.event.event_id)
                known = best.get(key)
                if known is None or prefer(known[1], one) is one:
                    best[key] = (trace, one)
            elif self._is_patient(trace):
                held.add(trace.taken.trace_id)
            else:
                items.append(_refused(trace, one))
        stored = self._stored(tenant_id, [r for _, r in best.values() if is_recalled(r.event)])
        for key, (trace, record) in best.items():
            item = Item(record.payload, record.position, record.event, is_retold=True)
            if key in stored:
                item.end(Outcome.DUPLICATE)
            elif is_recalled(record.event) and self._is_patient(trace):
                held.add(trace.taken.trace_id)
                continue
            items.append(item)
        for at in range(0, len(items), MOST_EVENTS):
            self.pipeline.run(tenant_id, items[at : at + MOST_EVENTS], door=DOOR, keep_invalid=True)
        return held

    def _stored(self, tenant_id: str, recalled: Iterable[Record]) -> set[tuple[str, str]]:
        """Which of these are stored already, whoever told of them."""
        facts: dict[str, dict[Key, tuple[str, str]]] = defaultdict(dict)
        calls: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for record in recalled:
            event = record.event
            name = (type(event).__name__, event.event_id)
            if isinstance(event, ev.ToolEvent):
                calls[event.invocation_id].append(name)
                continue
            fact = to_mutation(event).fact
            if fact is not None:
                facts[fact[0]][fact[1]] = name
        found: set[tuple[str, str]] = set()
        find_hashes = self.pipeline.toolbox.find_hashes
        for label, by_key in facts.items():
            found |= {by_key[key] for key in find_hashes(tenant_id, label, by_key)}
        if calls:
            for call in self.inbox.find_finished_calls(tenant_id, calls):
                found.update(calls[call])
        return found


def _is_told(item: Span | LogRecord) -> bool:
    """Whether it can say something: log records without the name of an event are mere lines."""
    return isinstance(item, Span) or bool(item.event_name)


def _is_attribute(error: InvalidInput) -> bool:
    """Whether an attribute was refused, and the item is kept without it."""
    return error.field.startswith("attributes.")


def _packed(parts: Iterable[Span | LogRecord]) -> str:
    """Items as text; the same items in another order give the same."""
    packed = sorted((isinstance(part, LogRecord), pack(part).decode()) for part in parts)
    return b64encode(zlib.compress(orjson.dumps(packed), 1)).decode()


def _unpack(content: str, trace: _Trace) -> None:
    for is_log, packed in orjson.loads(zlib.decompress(b64decode(content))):
        if is_log:
            trace.logs.append(unpack_log(packed.encode()))
        else:
            trace.spans.append(unpack_span(packed.encode()))


def _refused(trace: _Trace, problem: Problem) -> Item:
    """What is kept of a span that asks for what cannot be: the span, as a dead letter."""
    span = next((s for s in trace.spans if s.position == problem.position), None)
    payload = pack(span) if span is not None else problem.position.encode()
    item = Item(payload, problem.position, stage=STAGE)
    item.end(Outcome.REJECTED, problem.error.code, **problem.error.facts)
    return item
