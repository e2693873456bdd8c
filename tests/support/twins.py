"""Two tenants with the same ids and different words, and edges between them that must not be.

Every word that a sender chose carries the canary of its tenant, and so do the
ids that only one of them has. What a tenant is told must hold no other canary.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from memgraph.domain.events import read_event
from memgraph.domain.mutations import Ended, Letter, Totals
from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec
from memgraph.domain.selection import Related, Selection
from memgraph.domain.times import END_OF_TIME, BiTemporal
from memgraph.graph import digest, export
from memgraph.graph.credentials import CredentialStore
from memgraph.graph.dead_letters import DeadLetterStore
from memgraph.graph.kinds import find_spec, parse_key, show_key
from memgraph.graph.neighbours import NeighbourReader, segments_of
from memgraph.graph.nodes import NodeReader
from memgraph.graph.reader import Reader
from memgraph.graph.search import Searcher
from memgraph.graph.selector import Selector
from memgraph.graph.session import Graph
from memgraph.graph.writer import Writer
from memgraph.services.ingest.graph_rows import to_mutation
from tests.support import demo
from tests.support.events import at, small_story

Json = Any

WORDS = frozenset(
    {"text", "title", "content", "comment", "description", "handoff_reason", "context_summary"}
    | {"message", "error", "uri", "author", "changelog", "version_diff", "severity", "code"}
)
"""Fields whose text is the sender's own and no key, number or enumeration."""
FREE = frozenset({"metadata", "result", "parameters", "bindings", "config", "tags", "arguments"})
"""Fields with anything below them."""
NAMED = frozenset({"agent", "template"})
"""Parts whose ``name`` and ``role`` are for people."""


def told_by(canary: str, value: Json, name: str = "", part: str = "") -> Json:
    """The same event in the words of another tenant."""
    if isinstance(value, dict):
        inside = part if part in FREE else name
        return {k: told_by(canary, v, k, inside) for k, v in value.items()}
    if isinstance(value, list):
        return [told_by(canary, v, name, part) for v in value]
    is_word = (
        name in WORDS
        or name in FREE
        or part in FREE
        or (name in ("name", "role") and part in NAMED)
    )
    return f"{value} {canary}" if is_word and isinstance(value, str) else value


@dataclass
class Twin:
    """A tenant, and what marks its words."""

    tenant: str
    canary: str = field(default_factory=lambda: f"canary{uuid.uuid4().hex}")
    baseline: dict[str, Json] = field(default_factory=dict)
    """What it was told before anything led to the other one."""

    @property
    def only(self) -> str:
        """Id of a session, and more, that the other one does not have."""
        return f"only-{self.canary}"

    def events(self) -> Iterator[bytes]:
        for event in (*demo.EVENTS, *map(json.loads, small_story()), *_unsaid()):
            yield orjson.dumps(told_by(self.canary, event))
        yield from map(orjson.dumps, self._only_here())

    def _only_here(self) -> Iterator[Json]:
        only, text = self.only, f"said by {self.canary}"
        asked = {"prompt": {"text": text}, "agent_id": only, "model": {"id": only, "version": only}}
        called = {"tool_calls": [{"id": f"call-{only}", "function": {"name": only}}]}
        template = {"id": only, "version": "9.9.9", "name": only, "text": text}
        base = {"id": "tpl-support-base", "version": "1.0.0"}
        yield {
            **asked,
            "event_id": f"a-{only}",
            "timestamp": at(1),
            "session": {"id": only, "user_id": only, "application_id": only},
            "context": {"documents": [{"id": only, "title": text}]},
            "template": {"id": only, "version": "9.9.9"},
        }
        # In sessions, among templates and after errors that both have.
        yield {**asked, "event_id": f"b-{only}", "timestamp": at(2), "session": {"id": "s-0033"}}
        yield {
            "event_id": f"r-{only}",
            "timestamp": at(3),
            "prompt_event_id": "s-0033-p2",
            "response": {"text": text, **called},
            "model": {"id": "auster-mini"},
        }
        yield {
            "event_id": f"h-{only}",
            "type": "handoff",
            "timestamp": at(4),
            "response_id": "s-0033-p2-r3",
            "to_agent_id": only,
            "handoff_reason": text,
        }
        yield {
            "event_id": f"t-{only}",
            "type": "template",
            "timestamp": at(5),
            "template": {**template, "parent": base, "override_sections": [only]},
        }
        yield {
            "event_id": f"s-{only}",
            "type": "score",
            "timestamp": at(6),
            "name": only,
            "value": 0.5,
            "response_id": "s-0033-p2-r3",
        }
        yield {
            "event_id": f"e-{only}",
            "event_type": "llm.error.occurred",
            "timestamp": at(7),
            "payload": {"error_type": only, "triggered_by": "err-0020-4", "message": text},
        }


def _unsaid() -> Iterator[Json]:
    """An answer to what a tool found, whose sender does not say so: lineage infers it."""
    called = {"tool_calls": [{"id": "unsaid-t", "function": {"name": "x"}}]}
    yield {
        "event_id": "unsaid-p",
        "timestamp": at(1),
        "prompt": {"text": "q"},
        "session": {"id": "s1"},
    }
    for id_, second, response in (("r1", 2, called), ("r2", 300, {"text": "a"})):
        yield {
            "event_id": f"unsaid-{id_}",
            "timestamp": at(second),
            "prompt_event_id": "unsaid-p",
            "response": response,
        }


RECORDS = """\
MERGE (rollup:Rollup {tenant_id: $tenant_id, scope: 'all', grain: 'day', bucket: $at})
MERGE (anomaly:Anomaly {tenant_id: $tenant_id, anomaly_id: 'anomaly'})
MERGE (archive:Archive {tenant_id: $tenant_id, archive_id: 'archive'})
MERGE (policy:RetentionPolicy {tenant_id: $tenant_id, policy_id: 'policy'})
SET anomaly.kind = $canary, archive.location = $canary, policy.level = 'gdpr',
    rollup.created_at = $at, anomaly.created_at = $at, archive.created_at = $at,
    policy.created_at = $at"""


def write(writer: Writer, graph: Graph, model: GraphModel, twin: Twin) -> None:
    """Put in everything a tenant can have."""
    events = list(twin.events())
    for i in range(0, len(events), 500):
        batch = [to_mutation(read_event(e), e) for e in events[i : i + 500]]
        assert not writer.write(twin.tenant, batch, source="test").refusals
    at_once = demo.at(demo.EVENTS[0])
    graph.run(RECORDS, tenant_id=twin.tenant, canary=twin.canary, at=at_once)
    key = {"key_id": "key", "name": twin.canary, "created_at": at_once}
    CredentialStore(graph, model).create_api_key(twin.tenant, key)
    letter = Letter("conflict", "write", twin.canary.encode())
    ended = Ended(Totals(dead_lettered=1), [letter])
    writer.write(twin.tenant, [], source="door", ended=ended)
    graph.run(
        "MATCH (d:DeadLetter {tenant_id: $tenant_id}) SET d.dead_letter_id = 'letter'",
        tenant_id=twin.tenant,
    )
    graph.run("CALL db.index.fulltext.awaitEventuallyConsistentIndexRefresh()")


def plant(graph: Graph, model: GraphModel, one: Twin, other: Twin) -> int:
    """Lay edges of every type between the tenants, by twins and by strangers; say how many."""
    laid = 0
    for spec in model.edges.values():
        start, end = model.nodes[spec.start], model.nodes[spec.end]
        for mine, theirs in ((one, other), (other, one)):
            names = {"mine": mine.tenant, "theirs": theirs.tenant, "canary": theirs.canary}
            for statement in (_to_twins(spec, start, end), _to_one(spec), _from_one(spec)):
                laid += graph.run(statement, **names)[0]["laid"]
    return laid


_LAID = "SET r.handoff_reason = $canary, r.override_sections = [$canary]\nRETURN count(r) AS laid"


def _to_twins(spec: EdgeSpec, start: NodeSpec, end: NodeSpec) -> str:
    """Beside every edge of ours, one to the twin of its end."""
    keys = "".join(f", {name}: b.{name}" for name in end.key)
    return (
        f"MATCH (a:{start.label} {{tenant_id: $mine}})-[:{spec.type}]->(b:{end.label})\n"
        f"WHERE b.tenant_id = $mine\n"
        f"MATCH (c:{end.label} {{tenant_id: $theirs{keys}}})\n"
        f"WITH DISTINCT a, c CREATE (a)-[r:{spec.type}]->(c)\n{_LAID}"
    )


def _to_one(spec: EdgeSpec) -> str:
    """Many of ours lead to one of theirs."""
    return (
        f"MATCH (c:{spec.end} {{tenant_id: $theirs}}) WITH c ORDER BY elementId(c) LIMIT 1\n"
        f"MATCH (a:{spec.start} {{tenant_id: $mine}}) WITH a, c LIMIT 300\n"
        f"CREATE (a)-[r:{spec.type}]->(c)\n{_LAID}"
    )


def _from_one(spec: EdgeSpec) -> str:
    """One of theirs leads to many of ours."""
    return (
        f"MATCH (c:{spec.start} {{tenant_id: $theirs}}) WITH c ORDER BY elementId(c) LIMIT 1\n"
        f"MATCH (a:{spec.end} {{tenant_id: $mine}}) WITH a, c LIMIT 300\n"
        f"CREATE (c)-[r:{spec.type}]->(a)\n{_LAID}"
    )


class Asker:
    """Ask everything that can be asked in a tenant's name."""

    def __init__(self, graph: Graph, model: GraphModel, twin: Twin) -> None:
        self.graph = graph
        self.model = model
        self.twin = twin
        self.reader = Reader(graph, model)
        self.nodes = NodeReader(graph, model)
        self.keys = CredentialStore(graph, model)
        self.letters = DeadLetterStore(graph, model)
        self.ids = {
            spec.snake: [show_key(row["key"]) for row in self._keys(spec)]
            for spec in model.nodes.values()
            if spec.is_content
        }

    def _keys(self, spec: NodeSpec) -> list[dict[str, Any]]:
        keys = ", ".join(f"n.{name}" for name in spec.key)
        return self.graph.read(
            f"MATCH (n:{spec.label}&!Placeholder {{tenant_id: $tenant_id}}) "
            f"RETURN [{keys}] AS key ORDER BY key",
            tenant_id=self.twin.tenant,
        )

    def everything(self, folder: Path) -> dict[str, Json]:
        """Every method of the reader with every id, digest and export."""
        calls = [
            *(("thread", id_) for id_ in self.ids["session"]),
            *(("lineage", kind, id_) for kind, ids in self.ids.items() for id_ in ids),
            *(("node", kind, id_) for kind, ids in self.ids.items() for id_ in ids),
            *(("deep", kind, ids[0]) for kind, ids in self.ids.items()),
            *(("impact", kind, id_) for kind, id_ in self.impacts()),
            *(("error", id_) for id_ in self.ids["error"]),
            *(("genealogy", id_) for id_ in self.templates()),
            *(("select", kind) for kind in self.ids),
            *(("tied", kind, id_) for kind, ids in self.ids.items() for id_ in ids[:20]),
            *(("found", kind) for kind in ("prompt", "response")),
            ("related", "s-0033"),
            *(("versions", id_) for id_ in self.templates()),
            *(("line", id_) for id_ in self.ids["prompt_template"]),
            *(("prices", id_) for id_ in self.ids["model"]),
            *(("metrics", id_) for id_ in self.ids["agent"]),
            *(("summary", id_) for id_ in self.ids["session"]),
            *(("price_facts", id_) for id_ in self.ids["model"]),
            *(("configurations", id_) for id_ in self.ids["agent"]),
            *(("texts",), ("sources",), ("letters",), ("letter", "letter")),
            *(("failures",), ("network",), ("count",), ("digest",), ("key",), ("keys",)),
        ]
        with ThreadPoolExecutor(4) as pool:
            answers = dict(zip(map(" ".join, calls), pool.map(self._call, calls), strict=True))
        for format_ in ("jsonl", "graphml"):
            target = folder / f"graph.{format_}"
            export.export(self.graph, self.model, self.twin.tenant, target, format_)
            lines = target.read_text().splitlines()
            answers[f"export {format_}"] = [line for line in lines if "exported_at" not in line]
        return answers

    def _call(self, call: tuple[str, ...]) -> Json:
        return self.ask(*call)

    def _selected(self, selection: Selection) -> Json:
        selector = Selector(self.graph, self.model)
        checked = selector.check(selection)
        pages = [node for nodes in selector.stream(self.twin.tenant, checked) for node in nodes]
        counted = selector.count(self.twin.tenant, checked)
        return [pages, counted.value, counted.relation]

    def impacts(self) -> Iterator[tuple[str, str]]:
        yield from (("model", id_) for id_ in self.ids["model"])
        yield from (("model", id_) for id_ in self.ids["model_version"])
        yield from (("template", id_) for id_ in self.templates())
        yield from (("template", id_) for id_ in self.ids["prompt_template"])
        yield from (("document", id_) for id_ in self.ids["context_document"])
        named = {c["tool_name"] for c in demo.CALLS.values()} | {"x", self.twin.only}
        yield from (("tool", name) for name in sorted(named))

    def templates(self) -> list[str]:
        return sorted({id_.rpartition("@")[0] for id_ in self.ids["prompt_template"]})

    def ask(self, question: str, *words: str) -> Json:
        reader, tenant = self.reader, self.twin.tenant
        match question, *words:
            case "thread", id_:
                return reader.get_thread(tenant, id_)
            case "lineage", kind, id_:
                bounds = {"depth": 2, "fan_out": 1_000, "max_nodes": 10_000}
                return reader.get_lineage(tenant, kind, id_, directions=("up", "down"), **bounds)
            case "node", kind, id_:
                spec = find_spec(self.model, kind)
                return self.nodes.get(tenant, spec.label, parse_key(spec, id_))
            case "key", *_:
                return self.keys.find_api_key(tenant, "key")
            case "keys", *_:
                return self.keys.list_api_keys(tenant)
            case "deep", kind, id_:
                return reader.get_lineage(tenant, kind, id_, directions=("up", "down"), depth=12)
            case "impact", kind, id_:
                return reader.get_impact(tenant, kind, id_)
            case "error", id_:
                return reader.get_error_path(tenant, id_)
            case "genealogy", id_:
                return reader.list_genealogy(tenant, id_)
            case "versions", id_:
                return reader.list_template_versions(tenant, id_)
            case "texts", *_:
                return reader.list_template_texts(tenant)
            case "letters", *_:
                return self.letters.list_letters(
                    tenant, source=None, reason=None, after="", limit=100
                )
            case "letter", id_:
                return self.letters.read(tenant, [id_])
            case "sources", *_:
                return reader.list_sources(tenant)
            case "line", id_:
                return reader.list_template_line(tenant, *id_.rsplit("@", 1))
            case "price_facts", id_:
                return reader.list_model_prices(tenant, id_, END_OF_TIME)
            case "configurations", id_:
                return reader.list_agent_configurations(tenant, id_, BiTemporal(END_OF_TIME))
            case "prices", id_:
                return reader.list_model_versions(tenant, id_)
            case "metrics", id_:
                return reader.get_agent_metrics(tenant, id_)
            case "summary", id_:
                return reader.get_session_summary(tenant, id_)
            case "select", kind:
                return self._selected(Selection(kind))
            case "related", id_:
                return self._selected(
                    Selection("prompt", related=(Related("PART_OF", "session", id_),))
                )
            case "tied", kind, id_:
                spec = find_spec(self.model, kind)
                every = segments_of(self.model, spec)
                if not every:
                    return []
                page = NeighbourReader(self.graph).page(
                    tenant, spec, parse_key(spec, id_), every, limit=10_000
                )
                return page.items
            case "found", kind:
                spec = find_spec(self.model, kind)
                # How much a word counts depends on all texts of the server.
                hits = Searcher(self.graph).by_text(tenant, spec, "the", (), limit=10_000)
                return [hit.node for hit in hits]
            case "failures", *_:
                return reader.list_tool_failures(tenant)
            case "network", *_:
                return reader.list_agent_network(tenant)
            case "count", *_:
                return reader.count(tenant)
            case "digest", *_:
                return digest.digest(self.graph, self.model, tenant).value
        raise AssertionError(question)


def canonical(answer: Json) -> bytes:
    """Equal for answers that differ only in the order of lists, and of what was summed up."""
    return orjson.dumps(_sorted(answer), option=orjson.OPT_SORT_KEYS)


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        return {k: _sorted(v) for k, v in value.items()}
    if isinstance(value, list):
        return sorted(
            (_sorted(v) for v in value), key=lambda v: orjson.dumps(v, option=orjson.OPT_SORT_KEYS)
        )
    return round(value, 9) if isinstance(value, float) else value
