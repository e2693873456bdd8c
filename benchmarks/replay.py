"""Replay real sessions to any volume: real messages, new ids and times.

A replay is one pass over all sessions of the source, so the trials of a task stay inside
it. Each replay puts its number before the ids of the sessions and of everything in them,
and moves their times by its day and a part of a day drawn per session. Models, agents,
users, applications and documents are the same in all replays. The opening prompt of each
session instantiates a template version that is drawn: the sessions say none, but reads
need templates of an ordinary size.

The same seed gives the same stream. Memory holds the source and one event.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby, islice
from pathlib import Path
from random import Random
from typing import Any

from memgraph.domain.mutations import Edge, Mutation, Ref
from memgraph.services.ingest import formats
from memgraph.services.ingest.formats.records import FormatOptions, Record
from memgraph.services.ingest.graph_rows import to_mutation

SESSIONS_FILE = "tau_bench_airline.json"
TEMPLATES_FILE = "prompt_versions.jsonl"

_ROOT = Path(__file__).parents[1]


def find_source() -> Path:
    """Return the folder of the full files: MEMGRAPH_TEST_DATA, beside the checkout, or excerpts."""
    given = os.environ.get("MEMGRAPH_TEST_DATA")
    folders = [Path(given)] if given else []
    folders += [_ROOT.parent / "shared" / "data", _ROOT / "tests" / "data"]
    return next(f for f in folders if (f / SESSIONS_FILE).is_file())


@dataclass(slots=True)
class _Event:
    """An event of a session, taken apart so that it can be moved."""

    payload: bytes
    mutation: Mutation
    opens: bool
    """It is the first prompt of its session."""


@dataclass(slots=True)
class _Session:
    id: str
    events: list[_Event]
    own: set[str] = field(default_factory=set)
    """Every key that belongs to the session."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a graph must hold: nodes by label, relationships by type."""

    nodes: dict[str, int]
    edges: dict[str, int]


class Replay:
    """The sessions of a folder, ready to be replayed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        options = FormatOptions(seed=seed)
        records = [_good(r) for r in formats.read(folder / SESSIONS_FILE, "chat", options)]
        self._shared: list[tuple[bytes, Mutation]] = []
        self._sessions: list[_Session] = []
        for _, group in groupby(records, key=lambda r: r.position.partition(",")[0]):
            self._add(list(group))
        self._templates: list[Ref] = []
        for record in map(_good, formats.read(folder / TEMPLATES_FILE, "prompts")):
            mutation = to_mutation(record.event)
            self._shared.append((record.payload, mutation))
            if mutation.fact is not None:
                self._templates.append(mutation.fact)
        self._keys: dict[str, list[str]] = {}

    def _add(self, records: list[Record]) -> None:
        scope = next(r.event.session.id for r in records if r.event.type == "session")
        session = _Session(scope, [])
        prompts = 0
        for record in records:
            mutation = to_mutation(record.event)
            if not mutation.event_id.startswith(scope):
                self._shared.append((record.payload, mutation))
                continue
            prompts += record.event.type == "prompt"
            opens = record.event.type == "prompt" and prompts == 1
            session.events.append(_Event(record.payload, mutation, opens))
            keys = [mutation.event_id, *(k for _, key in _refs(mutation) for k in key)]
            session.own.update(key for key in keys if key.startswith(scope))
        self._sessions.append(session)

    @property
    def sessions(self) -> int:
        """Sessions of the source."""
        return len(self._sessions)

    @property
    def events(self) -> int:
        """Events of one replay."""
        return sum(len(session.events) for session in self._sessions)

    def replays_for(self, nodes: int) -> int:
        """How many replays make at least so many nodes."""
        one, two = (sum(self.expected(n).nodes.values()) for n in (1, 2))
        return max(1, -(-(nodes - (one - (two - one))) // (two - one)))

    def mutations(self, replays: int, first: int = 0) -> Iterator[tuple[str, Mutation]]:
        """Yield (session id, mutation): what all replays share, then replay by replay."""
        for _, mutation in self._shared:
            yield mutation.event_id, mutation
        for number in range(first, first + replays):
            for session, moved in self._moves(number):
                for event in session.events:
                    yield moved.ids[session.id], moved.mutation(event)

    def payloads(self, replays: int, first: int = 0) -> Iterator[tuple[str, bytes]]:
        """Yield (session id, event as JSON), the same events as ``mutations``."""
        for payload, mutation in self._shared:
            yield mutation.event_id, payload
        for number in range(first, first + replays):
            for session, moved in self._moves(number):
                for event in session.events:
                    yield moved.ids[session.id], moved.payload(event)

    def draw_key(self, random: Random, label: str, replays: int) -> str:
        """Draw the first part of the key of a node of the stream."""
        if label not in self._keys:
            refs = {ref for m in self._all() for ref in _refs(m) if ref[0] == label}
            self._keys[label] = sorted({key[0] for _, key in refs})
        key = random.choice(self._keys[label])
        own = any(key in session.own for session in self._sessions)
        return f"{random.randrange(replays):06d}.{key}" if own else key

    def _all(self) -> Iterator[Mutation]:
        yield from (mutation for _, mutation in self._shared)
        for session in self._sessions:
            yield from (event.mutation for event in session.events)

    def expected(self, replays: int) -> Expected:
        """Count what the graph must hold after ``mutations(replays)``, Tenant aside."""
        own = set().union(*(s.own for s in self._sessions))
        mutations = list(self._all())
        nodes: Counter[str] = Counter()
        edges: Counter[str] = Counter()
        for label, key in {ref for m in mutations for ref in _refs(m)}:
            nodes[label] += 1 if own.isdisjoint(key) else replays
        triples = {(e.start, e.type, e.end) for m in mutations for e in edges_of(m)}
        for start, type_, end in triples:
            edges[type_] += 1 if own.isdisjoint((*start[1], *end[1])) else replays
        openings = replays * len(self._sessions)
        edges["FOLLOWS"] += nodes["Prompt"] - openings
        edges["INSTANTIATES"] += openings
        return Expected(dict(nodes), dict(edges))

    def _moves(self, number: int) -> Iterator[tuple[_Session, _Move]]:
        random = Random(f"{self.seed}:{number}")
        for session in self._sessions:
            delta = timedelta(days=number, seconds=random.randrange(86_400))
            ids = {key: f"{number:06d}.{key}" for key in session.own}
            yield session, _Move(session.id, ids, delta, random.choice(self._templates))


@dataclass(slots=True)
class _Move:
    """Where one session goes in one replay."""

    scope: str
    ids: dict[str, str]
    delta: timedelta
    template: Ref

    def payload(self, event: _Event) -> bytes:
        old = event.mutation.occurred_at
        scope, moved = self.scope.encode(), self.ids[self.scope].encode()
        head, _, rest = event.payload.replace(b'"' + scope, b'"' + moved).partition(_stamp(old))
        payload = head + _stamp(old + self.delta) + rest
        if event.opens:
            id_, version = (k.encode() for k in self.template[1])
            said = b',"template":{"id":"%b","version":"%b"}}' % (id_, version)
            payload = payload.removesuffix(b"}") + said
        return payload

    def mutation(self, event: _Event) -> Mutation:
        m = event.mutation
        moved = replace(
            m,
            event_id=self.ids[m.event_id],
            occurred_at=m.occurred_at + self.delta,
            fact=None if m.fact is None else self._ref(m.fact),
            fact_properties=self._properties(m.fact_properties),
            fact_edge=None if m.fact_edge is None else self._edge(m.fact_edge),
            changes=[
                replace(c, ref=self._ref(c.ref), properties=self._properties(c.properties))
                for c in m.changes
            ],
            mentions=[self._ref(ref) for ref in m.mentions],
            edges=[self._edge(edge) for edge in m.edges],
        )
        if m.place is not None:
            moved.place = replace(
                m.place,
                session_id=self.ids[m.place.session_id],
                prompt_id=self.ids[m.place.prompt_id],
                created_at=m.place.created_at + self.delta,
            )
        if event.opens and moved.fact is not None:
            said = {
                "template_version": self.template[1][1],
                "variable_bindings": None,
                "instantiated_at": moved.occurred_at,
            }
            moved.edges.append(Edge(moved.fact, "INSTANTIATES", self.template, said))
        return moved

    def _ref(self, ref: Ref) -> Ref:
        ids = self.ids
        return (ref[0], tuple([ids.get(key, key) for key in ref[1]]))

    def _edge(self, edge: Edge) -> Edge:
        properties = self._properties(edge.properties) if edge.properties else {}
        return Edge(self._ref(edge.start), edge.type, self._ref(edge.end), properties)

    def _properties(self, properties: dict[str, Any]) -> dict[str, Any]:
        moved = dict(properties)
        for name, value in properties.items():
            if isinstance(value, datetime):
                moved[name] = value + self.delta
            elif name == "handoff_id":
                moved[name] = self.ids[value]
        return moved


def turns(mutations: Iterator[tuple[str, Mutation]], count: int) -> Iterator[tuple[str, Mutation]]:
    """Thin sessions out to ``count`` turns: a prompt in its session and the last answer to it."""
    pairs = _pairs(mutations)
    for session_id, prompt, response in islice(pairs, count):
        session: Ref = ("Session", (session_id,))
        part_of = [e for e in prompt.edges if e.type == "PART_OF"]
        answers = [e for e in response.edges if e.type == "RESPONDS_TO"]
        yield session_id, replace(prompt, changes=[], mentions=[session], edges=part_of)
        yield session_id, replace(response, changes=[], mentions=[], edges=answers)


def _pairs(
    mutations: Iterator[tuple[str, Mutation]],
) -> Iterator[tuple[str, Mutation, Mutation]]:
    prompt: Mutation | None = None
    response: Mutation | None = None
    home = ""
    for session_id, m in mutations:
        label = m.fact[0] if m.fact else ""
        if label == "Response":
            response = m
        elif label == "Prompt" or session_id != home:
            if prompt is not None and response is not None:
                yield home, prompt, response
            home, response = session_id, None
            prompt = m if label == "Prompt" else None


def edges_of(m: Mutation) -> Iterator[Edge]:
    """Every edge that a mutation names, but for FOLLOWS."""
    if m.fact_edge is not None:
        yield m.fact_edge
    yield from m.edges


def _refs(m: Mutation) -> Iterator[Ref]:
    if m.fact is not None:
        yield m.fact
    for edge in edges_of(m):
        yield edge.start
        yield edge.end
    yield from m.mentions
    yield from (change.ref for change in m.changes)


def _stamp(at: datetime) -> bytes:
    text = at.isoformat().replace("+00:00", "Z")
    return f'"timestamp":"{text}"'.encode()


def _good(record: Any) -> Record:
    if not isinstance(record, Record):
        raise TypeError(f"{record.position}: {record.error.message}")
    return record
