"""The questions of the graph, asked of the demo: the answers are those of plain JSON code."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from statistics import mean
from typing import Any

import orjson
import pytest

from memgraph.cli.stack import DEMO_FILE
from memgraph.domain.errors import InvalidInput, NotFound
from memgraph.domain.events import read_event
from memgraph.domain.schema import GraphModel
from memgraph.graph import counts
from memgraph.graph.kinds import show_key
from memgraph.graph.reader import IMPACT_KINDS, Reader
from memgraph.graph.session import Graph
from memgraph.graph.traversal import Direction
from memgraph.graph.writer import Writer
from memgraph.services.ingest import formats
from memgraph.services.ingest.graph_rows import to_mutation
from memgraph.services.ingest.service import Ingestion
from tests.support import demo
from tests.support.demo import Json, Node, Walk
from tests.support.events import at, event
from tests.support.pipelines import graph_pipeline
from tests.support.recording import RecordingGraph

BEST = "s-0033-p2-r3"
"""The response whose lineage the demo prints."""
UP: tuple[Direction, ...] = ("up",)
DOWN: tuple[Direction, ...] = ("down",)
BOTH: tuple[Direction, ...] = ("up", "down")
WIDE = {"fan_out": 1_000, "max_nodes": 10_000}


@pytest.fixture(scope="module")
def tenant(graph: Graph, model: GraphModel) -> str:
    """The demo, once for all tests."""
    tenant = f"tenant-{uuid.uuid4()}"
    ingestion = Ingestion(graph_pipeline(graph, model), tenant_id=tenant, source="demo")
    assert ingestion.run(formats.read(DEMO_FILE)).totals.stored == len(demo.EVENTS)
    return tenant


@pytest.fixture
def own(tenant: str) -> str:
    """A tenant for what one test writes."""
    return f"{tenant}-{uuid.uuid4()}"


def write(writer: Writer, tenant: str, *events: bytes) -> None:
    result = writer.write(tenant, [to_mutation(read_event(e), e) for e in events])
    assert not result.refusals


def prompt(id_: str, second: float, session: str = "s", **more: Any) -> bytes:
    return event(
        event_id=id_, timestamp=at(second), prompt={"text": id_}, session={"id": session}, **more
    )


def response(id_: str, second: float, prompt_id: str, *calls: str, **more: Any) -> bytes:
    called = [{"id": c, "function": {"name": "tool"}} for c in calls]
    return event(
        event_id=id_,
        timestamp=at(second),
        prompt_event_id=prompt_id,
        response={"tool_calls": called},
        **more,
    )


# Question 3: the conversation


def scores(found: Iterable[Json]) -> list[Json]:
    return [{n: s.get(n) for n in ("name", "value", "source", "comment")} for s in found]


def newest(events: list[Json], subject: str, name: str) -> Any:
    """The last thing that was said."""
    said = [e[subject][name] for e in demo.in_order(events) if name in e[subject]]
    return said[-1] if said else None


def expected_call(call: Json) -> Json:
    names = ("invocation_id", "tool_name", "parameters", "status", "error", "result")
    return {n: call.get(n) for n in (*names, "duration_ms", "retry_count")}


def expected_response(response: Json) -> Json:
    id_, body = response["event_id"], response["response"]
    usage, metrics, error = (response.get(n, {}) for n in ("usage", "metrics", "error"))
    handoffs = [h for h in demo.HANDOFFS if h["response_id"] == id_]
    return {
        "response_id": id_,
        "created_at": demo.at(response),
        "text": body.get("text"),
        "model_id": response["model"]["id"],
        "finish_reason": body.get("finish_reason"),
        **{n: usage.get(n) for n in ("prompt_tokens", "completion_tokens", "total_tokens")},
        "latency_ms": metrics.get("latency"),
        "ttft_ms": metrics.get("ttft"),
        "cost_usd": metrics.get("cost"),
        "error_type": error.get("type"),
        "error_message": error.get("message"),
        "tools": [expected_call(c) for c in demo.CALLS_OF.get(id_, ())],
        "informed_by": sorted(response.get("informed_by", ())),
        "handoffs": [
            {
                "agent_id": h["to_agent_id"],
                "name": newest(demo.AGENT_EVENTS[h["to_agent_id"]], "agent", "name"),
                **{n: h[n] for n in ("handoff_reason", "priority", "context_summary")},
            }
            for h in handoffs
        ],
        "scores": scores(demo.in_order(demo.SCORES_OF["response_id"].get(id_, ()))),
    }


def expected_follows(prompt: Json) -> Json | None:
    previous = demo.previous_of(prompt)
    if previous is None:
        return None
    before = demo.PROMPTS[previous]
    # Each time is cut to milliseconds before they are subtracted.
    gap_ms = int(demo.at(prompt).timestamp() * 1000) - int(demo.at(before).timestamp() * 1000)
    return {
        "prompt_id": previous,
        "session_id": before["session"]["id"],
        "stated": "previous_prompt_id" in prompt,
        "gap_ms": pytest.approx(gap_ms, abs=1),
    }


def expected_prompt(prompt: Json) -> Json:
    used = prompt.get("template")
    template = used and demo.TEMPLATES[used["id"], used["version"]]["template"]
    return {
        "prompt_id": prompt["event_id"],
        "created_at": demo.at(prompt),
        "text": prompt["prompt"]["text"],
        "token_count": prompt.get("token_count"),
        "tags": prompt.get("tags"),
        "follows": expected_follows(prompt),
        "agent": newest(demo.AGENT_EVENTS[prompt["agent_id"]], "agent", "name"),
        "template": template
        and {"template_id": used["id"], "version": used["version"], "name": template["name"]},
        "documents": [
            {"context_id": d["id"], "title": d["title"], "relevance_score": d["relevance_score"]}
            for d in demo.documents_of(prompt)
        ],
        "scores": scores(demo.in_order(demo.SCORES_OF["prompt_id"].get(prompt["event_id"], ()))),
        "responses": [expected_response(r) for r in demo.ANSWERS.get(prompt["event_id"], ())],
    }


def expected_thread(session_id: str) -> Json:
    said = demo.SESSION_EVENTS[session_id]
    prompts = demo.PROMPTS_OF[session_id]
    closed = [demo.at(e) for e in said if e["action"] == "closed"]
    sources = [e["session"] for e in (*said, *prompts)]
    session = {n: newest(said, "session", n) for n in ("title", "purpose", "tags", "metadata")}
    return {
        "session": {
            "session_id": session_id,
            **session,
            "is_active": not closed,
            "created_at": min(demo.at(e) for e in (*said, *prompts)),
            "closed_at": closed[0] if closed else None,
        },
        "users": sorted({s["user_id"] for s in sources if "user_id" in s}),
        "applications": sorted({s["application_id"] for s in sources if "application_id" in s}),
        "scores": scores(demo.in_order(demo.SCORES_OF["session_id"].get(session_id, ()))),
        "prompts": [expected_prompt(p) for p in prompts],
        "is_cut": False,
    }


@pytest.mark.parametrize("session_id", sorted(demo.PROMPTS_OF))
def test_a_thread_is_what_was_sent(reader: Reader, tenant: str, session_id: str) -> None:
    found = reader.get_thread(tenant, session_id)
    for prompt in found["prompts"]:
        assert prompt.pop("content_ref") is None
        assert isinstance(prompt.pop("has_pii"), bool)
        if demo.PROMPTS[prompt["prompt_id"]].get("token_count") is None:
            assert prompt["token_count"] > 0  # counted when it came in
            prompt["token_count"] = None
        for response in prompt["responses"]:
            assert response.pop("content_ref") is None
            assert response.pop("derived_properties") is None
            assert response.pop("tags") == demo.RESPONSES[response["response_id"]].get("tags")
    assert found == expected_thread(session_id)


def test_forks_and_continued_sessions_are_in_the_threads(reader: Reader, tenant: str) -> None:
    forks = reader.get_thread(tenant, "s-0004")["prompts"]
    followed = Counter(p["follows"]["prompt_id"] for p in forks if p["follows"])
    assert max(followed.values()) == 2
    first = reader.get_thread(tenant, "s-0033")["prompts"][0]
    assert first["follows"]["session_id"] == "s-0029"


def test_a_thread_is_cut_only_when_there_is_more(reader: Reader, tenant: str) -> None:
    whole = demo.PROMPTS_OF["s-0033"]
    exactly = reader.get_thread(tenant, "s-0033", limit=len(whole))
    assert (len(exactly["prompts"]), exactly["is_cut"]) == (len(whole), False)
    less = reader.get_thread(tenant, "s-0033", limit=len(whole) - 1)
    assert [p["prompt_id"] for p in less["prompts"]] == [p["event_id"] for p in whole[:-1]]
    assert less["is_cut"]


# Question 1: lineage


def kind_and_id(node: Node) -> tuple[str, str]:
    return node[0], show_key(node[1:])


def test_the_best_lineage_has_all_of_it(reader: Reader, model: GraphModel, tenant: str) -> None:
    found = reader.get_lineage(tenant, "response", BEST)
    response = demo.RESPONSES[BEST]
    asked = demo.PROMPTS[response["prompt_event_id"]]
    nodes = named(found, model)
    root = nodes["Response", BEST]
    assert root["id"] == found["root"]
    assert root["properties"]["text"] == response["response"]["text"][:500]
    assert root["properties"]["cost_usd"] == response["metrics"]["cost"]
    assert nodes["Prompt", asked["event_id"]]["session_id"] == "s-0033"
    used = asked["template"]
    parents = demo.TEMPLATES[used["id"], used["version"]]["template"]["parent"]
    assert ("PromptTemplate", used["id"], used["version"]) in nodes
    assert ("PromptTemplate", parents["id"], parents["version"]) in nodes
    relevance = {
        edge["end"]: edge["properties"]["relevance_score"]
        for edge in found["edges"]
        if edge["type"] == "REFERENCES"
        and edge["start"] == nodes["Prompt", asked["event_id"]]["id"]
    }
    assert relevance == {
        nodes["ContextDocument", d["id"]]["id"]: d["relevance_score"]
        for d in demo.documents_of(asked)
    }
    agent = nodes["Agent", asked["agent_id"]]["properties"]
    assert agent["name"] == newest(demo.AGENT_EVENTS[asked["agent_id"]], "agent", "name")
    assert ("Model", "tarn-3") in nodes
    assert ("ModelVersion", "tarn-3", "3.1") in nodes
    for id_ in response["informed_by"]:
        call = nodes["ToolInvocation", id_]["properties"]
        assert call["status"] == demo.CALLS[id_]["status"]
        assert call.get("error") == demo.CALLS[id_].get("error")
    earlier = {n["session_id"] for n in found["nodes"]} - {None}
    assert earlier == {"s-0033", "s-0029"}
    filled = [e for e in found["edges"] if e["type"] == "INSTANTIATES"]
    assert used["bindings"] in [e["properties"]["variable_bindings"] for e in filled]


def named(lineage: Json, model: GraphModel) -> dict[Node, Json]:
    """The nodes of a lineage by label and key."""
    found = {}
    for node in lineage["nodes"]:
        (label,) = node["labels"]
        key = (node["properties"][name] for name in model.nodes[label].key)
        found[label, *key] = node
    return found


def walked(lineage: Json, model: GraphModel) -> tuple[set[Node], set[demo.Edge]]:
    nodes = {node["id"]: name for name, node in named(lineage, model).items()}
    edges = {(nodes[e["start"]], e["type"], nodes[e["end"]]) for e in lineage["edges"]}
    assert len(edges) == len(lineage["edges"])
    return set(nodes.values()), edges


ROOTS: list[Node] = [
    ("Response", BEST),
    ("Prompt", "s-0033-p1"),
    ("Prompt", "s-0004-p1"),
    ("ToolInvocation", "tool-s-0033-p2-r1-1"),
    ("PromptTemplate", "tpl-support-base", "1.0.0"),
    ("PromptTemplate", "tpl-triage", "2.0.0"),
    ("ContextDocument", "doc-returns-policy-2024#3"),
    ("Score", "s-0033-p2-r3-quality"),
    ("Agent", "agent-desk"),
    ("Model", "tarn-3"),
    ("ModelVersion", "auster-mini", "2026-09-01"),
    ("Error", "err-0020-4"),
    ("Invocation", "inv-s-0033-p2-r3"),
    ("Session", "s-0033"),
    ("User", "u-1377"),
]


@pytest.mark.parametrize("depth", [1, 2, 6, 12])
@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("root", ROOTS, ids="-".join)
def test_a_lineage_is_what_a_walk_over_the_file_finds(
    reader: Reader, model: GraphModel, tenant: str, root: Node, direction: Direction, depth: int
) -> None:
    walk = Walk(root, direction, depth)
    kind, id_ = kind_and_id(root)
    found = reader.get_lineage(
        tenant, model.nodes[kind].snake, id_, directions=(direction,), depth=depth, **WIDE
    )
    assert walked(found, model) == (walk.seen, walk.edges)
    assert found["cuts"] == (["depth"] if walk.goes_on else [])
    assert not any(edge["is_inferred"] for edge in found["edges"])


@pytest.mark.parametrize("root", ROOTS, ids="-".join)
def test_both_directions_are_the_two_together(
    reader: Reader, model: GraphModel, tenant: str, root: Node
) -> None:
    up, down = Walk(root, "up", 6), Walk(root, "down", 6)
    kind, id_ = kind_and_id(root)
    found = reader.get_lineage(tenant, model.nodes[kind].snake, id_, directions=BOTH, **WIDE)
    nodes, edges = walked(found, model)
    assert nodes == up.seen | down.seen
    # Between two nodes of one side an edge is known only if it was followed.
    assert edges == up.edges | down.edges
    assert found["cuts"] == (["depth"] if up.goes_on or down.goes_on else [])


def test_a_lineage_is_cut_only_where_there_is_more(reader: Reader, tenant: str) -> None:
    def cuts(**bounds: int) -> tuple[list[str], int]:
        limits = {"depth": 12, **WIDE, **bounds}
        found = reader.get_lineage(tenant, "response", BEST, **limits)
        return found["cuts"], len(found["nodes"])

    walk = Walk(("Response", BEST), "up", 12)
    size = len(walk.seen)
    levels = next(d for d in range(12) if not Walk(("Response", BEST), "up", d).goes_on)
    assert cuts(depth=levels) == ([], size)
    assert cuts(depth=levels - 1)[0] == ["depth"]
    assert cuts(fan_out=walk.widest) == ([], size)
    assert cuts(fan_out=walk.widest - 1)[0] == ["fan_out"]
    assert cuts(max_nodes=size) == ([], size)
    assert cuts(max_nodes=size - 1) == (["nodes"], size - 1)
    assert cuts(max_nodes=1) == (["nodes"], 1)


def test_the_price_is_that_of_the_version_that_answered(reader: Reader, tenant: str) -> None:
    prices = demo.prices()
    for id_, response in demo.RESPONSES.items():
        found = reader.get_lineage(tenant, "response", id_, depth=1)
        (root,) = (n for n in found["nodes"] if n["id"] == found["root"])
        version = response["model"]["version"]
        said = prices[response["model"]["id"], version]
        assert root["price"]["version"] == version
        for name in ("input_usd_per_1k", "output_usd_per_1k"):
            assert root["price"][name] == said[name]


def registered(model: str, version: str, second: float, usd: float, **more: Any) -> bytes:
    priced = {"version": version, "input_usd_per_1k": usd, "output_usd_per_1k": usd, **more}
    return event(
        type="model",
        event_id=f"{model}-{version}",
        timestamp=at(second),
        model={"id": model},
        version=priced,
    )


def test_the_price_is_that_of_the_time_when_nobody_says_a_version(
    writer: Writer, reader: Reader, own: str
) -> None:
    write(
        writer,
        own,
        registered("m", "1", 0, 0.1),
        registered("m", "2", 100, 0.2),
        prompt("p", 50),
        response("before", -1, "p", model={"id": "m"}),
        response("first", 100 - 1e-3, "p", model={"id": "m"}),
        response("second", 100, "p", model={"id": "m"}),
        response("stated", 200, "p", model={"id": "m", "version": "1"}),
        response("unknown", 200, "p", model={"id": "m", "version": "3"}),
    )

    def price(id_: str) -> Any:
        found = reader.get_lineage(own, "response", id_, depth=1)
        (root,) = (n for n in found["nodes"] if n["id"] == found["root"])
        return root["price"] and root["price"]["version"]

    assert [price(i) for i in ("before", "first", "second", "stated", "unknown")] == [
        None,
        "1",
        "2",
        "1",
        "2",
    ]


def inferred(lineage: Json) -> list[tuple[str, str]]:
    keys = {
        n["id"]: n["properties"].get("response_id") or n["properties"].get("invocation_id")
        for n in lineage["nodes"]
    }
    found = [e for e in lineage["edges"] if e["is_inferred"]]
    assert {e["type"] for e in found} <= {"INFORMED_BY"}
    return sorted((keys[e["start"]], keys[e["end"]]) for e in found)


def test_what_nobody_said_is_inferred_and_marked(writer: Writer, reader: Reader, own: str) -> None:
    write(
        writer,
        own,
        prompt("p", 0),
        response("r1", 1, "p", "t1", "t2"),
        response("r2", 2, "p", "t3"),
        response("r3", 3, "p", "t4", informed_by=["t1"]),
        response("r4", 4, "p"),
        response("r5", 5, "p"),
    )
    up = {
        r: inferred(reader.get_lineage(own, "response", r, depth=1))
        for r in ("r1", "r2", "r3", "r4", "r5")
    }
    assert up == {
        "r1": [],
        "r2": [("r2", "t1"), ("r2", "t2")],
        "r3": [],  # the sender spoke
        "r4": [("r4", "t4")],
        "r5": [],  # the response before it called nothing
    }
    down = [
        pair
        for t in ("t1", "t2", "t3", "t4")
        for pair in inferred(reader.get_lineage(own, "tool", t, directions=DOWN, depth=1))
    ]
    assert sorted(down) == sorted(pair for pairs in up.values() for pair in pairs)


def test_at_one_time_the_key_decides_who_came_before(
    writer: Writer, reader: Reader, own: str
) -> None:
    write(writer, own, prompt("p", 0), response("r2", 1, "p"), response("r1", 1, "p", "t"))
    assert inferred(reader.get_lineage(own, "response", "r2", depth=1)) == [("r2", "t")]
    assert inferred(reader.get_lineage(own, "response", "r1", depth=1)) == []
    found = reader.get_lineage(own, "tool", "t", directions=DOWN, depth=1)
    assert inferred(found) == [("r2", "t")]


def test_two_responses_that_share_a_call_both_pass_it_on(
    writer: Writer, reader: Reader, own: str
) -> None:
    write(
        writer,
        own,
        prompt("p", 0),
        prompt("q", 10),
        response("r1", 1, "p", "t"),
        response("r2", 2, "p"),
        response("s1", 11, "q", "t"),
        response("s2", 12, "q"),
    )
    found = reader.get_lineage(own, "tool", "t", directions=DOWN, depth=1)
    assert inferred(found) == [("r2", "t"), ("s2", "t")]


def test_depth_is_said_of_an_inferred_step_too(writer: Writer, reader: Reader, own: str) -> None:
    write(writer, own, prompt("p", 0), response("r1", 1, "p", "t"), response("r2", 2, "p"))
    assert reader.get_lineage(own, "response", "r1", directions=DOWN, depth=1)["cuts"] == ["depth"]
    assert reader.get_lineage(own, "response", "r1", directions=DOWN, depth=2)["cuts"] == []


# Question 2: impact


def expected_impact(prompt_ids: set[str]) -> Json:
    prompts = [demo.PROMPTS[p] for p in prompt_ids]
    sessions = Counter(p["session"]["id"] for p in prompts)
    answers = [r for p in prompt_ids for r in demo.ANSWERS.get(p, ())]
    judged: dict[str, list[float]] = defaultdict(list)
    for answer in answers:
        for score in demo.SCORES_OF["response_id"].get(answer["event_id"], ()):
            judged[score["name"]].append(score["value"])
    agents = Counter(p["agent_id"] for p in prompts)
    applications = Counter(a for p in prompts for a in _applications(p["session"]["id"]))
    return {
        "is_cut": False,
        "prompts": len(prompts),
        "sessions": len(sessions),
        "live_sessions": len(sessions.keys() - demo.CLOSED),
        "responses": len(answers),
        "errors": sum("error" in a for a in answers),
        "cost_usd": pytest.approx(sum(a["metrics"]["cost"] for a in answers)),
        "first_used_at": min(map(demo.at, prompts), default=None),
        "last_used_at": max(map(demo.at, prompts), default=None),
        "top_sessions": [
            {
                "session_id": s,
                "title": newest(demo.SESSION_EVENTS[s], "session", "title"),
                "is_active": s not in demo.CLOSED,
                "prompts": n,
                "last_used_at": max(demo.at(p) for p in prompts if p["session"]["id"] == s),
            }
            for s, n in by_count(sessions)[:20]
        ],
        "agents": [
            {"agent_id": a, "name": newest(demo.AGENT_EVENTS[a], "agent", "name"), "prompts": n}
            for a, n in by_count(agents)
        ],
        "applications": [{"application_id": a, "prompts": n} for a, n in by_count(applications)],
        "scores": [
            {
                "name": name,
                "count": len(values),
                "average": pytest.approx(mean(values)),
                "lowest": min(values),
            }
            for name, values in sorted(judged.items())
        ],
    }


def by_count(counted: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counted.items(), key=lambda item: (-item[1], item[0]))


def _applications(session_id: str) -> set[str]:
    said = (*demo.SESSION_EVENTS[session_id], *demo.PROMPTS_OF[session_id])
    return {e["session"]["application_id"] for e in said if "application_id" in e["session"]}


def prompts_of_model(model_id: str, version: str | None = None) -> set[str]:
    def uses(event: Json) -> bool:
        model = event["model"]
        return model["id"] == model_id and version in (None, model.get("version"))

    asked = {p["event_id"] for p in demo.PROMPTS.values() if uses(p)}
    return asked | {r["prompt_event_id"] for r in demo.RESPONSES.values() if uses(r)}


def family(root: tuple[str, str]) -> set[tuple[str, str]]:
    found = {root}
    while True:
        more = {
            key
            for key, e in demo.TEMPLATES.items()
            if (parent := e["template"].get("parent"))
            and (parent["id"], parent["version"]) in found
        }
        if more <= found:
            return found
        found |= more


def prompts_of_templates(keys: set[tuple[str, str]]) -> set[str]:
    return {
        p["event_id"]
        for p in demo.PROMPTS.values()
        if "template" in p and (p["template"]["id"], p["template"]["version"]) in keys
    }


def check_impact(reader: Reader, tenant: str, kind: str, id_: str, prompts: set[str]) -> Json:
    found = reader.get_impact(tenant, kind, id_)
    related: Json = found.pop("related")
    assert found == expected_impact(prompts)
    if prompts:
        exactly = reader.get_impact(tenant, kind, id_, limit=max(len(prompts), _told(related)))
        assert not exactly["is_cut"]
    if len(prompts) > 1:
        less = reader.get_impact(tenant, kind, id_, limit=len(prompts) - 1)
        assert less["is_cut"]
        assert less["prompts"] <= len(prompts) - 1
    return related


def _told(related: Json) -> int:
    invocations: int = related.get("invocations", 0)
    return invocations


@pytest.mark.parametrize("version", sorted(demo.prices()), ids="@".join)
def test_the_impact_of_a_model_version(
    reader: Reader, tenant: str, version: tuple[str, str]
) -> None:
    related = check_impact(reader, tenant, "model", "@".join(version), prompts_of_model(*version))
    (found,) = related["versions"]
    said = demo.prices()[version]
    assert {n: found[n] for n in said if n in found and n != "valid_from"} == {
        n: said[n] for n in said if n in found and n != "valid_from"
    }


@pytest.mark.parametrize("model_id", sorted({m for m, _ in demo.prices()}))
def test_the_impact_of_a_model(reader: Reader, tenant: str, model_id: str) -> None:
    related = check_impact(reader, tenant, "model", model_id, prompts_of_model(model_id))
    assert {v["version"] for v in related["versions"]} == {
        v for m, v in demo.prices() if m == model_id
    }


@pytest.mark.parametrize("key", sorted(demo.TEMPLATES), ids="@".join)
def test_the_impact_of_a_template_version(
    reader: Reader, tenant: str, key: tuple[str, str]
) -> None:
    prompts = prompts_of_templates(family(key))
    related = check_impact(reader, tenant, "template", "@".join(key), prompts)
    children = [(c["template_id"], c["version"]) for c in related["children"]]
    assert children == sorted(family(key) - {key})
    assert (related["template_id"], related["versions"]) == (key[0], [key[1]])


@pytest.mark.parametrize("template_id", sorted({t for t, _ in demo.TEMPLATES}))
def test_the_impact_of_a_template(reader: Reader, tenant: str, template_id: str) -> None:
    own = {key for key in demo.TEMPLATES if key[0] == template_id}
    prompts = prompts_of_templates(set().union(*map(family, own)))
    related = check_impact(reader, tenant, "template", template_id, prompts)
    assert related["versions"] == [v for _, v in sorted(own)]


@pytest.mark.parametrize(
    "id_", sorted({d["id"] for p in demo.PROMPTS.values() for d in demo.documents_of(p)})
)
def test_the_impact_of_a_document(reader: Reader, tenant: str, id_: str) -> None:
    given = {
        p["event_id"]: d
        for p in demo.PROMPTS.values()
        for d in demo.documents_of(p)
        if d["id"] == id_
    }
    related = check_impact(reader, tenant, "document", id_, set(given))
    document = next(iter(given.values()))
    assert related == {"context_id": id_, **{n: document[n] for n in ("title", "kind", "uri")}}


@pytest.mark.parametrize("tool", sorted({c["tool_name"] for c in demo.CALLS.values()}))
def test_the_impact_of_a_tool(reader: Reader, tenant: str, tool: str) -> None:
    calls = [c for c in demo.CALLS.values() if c["tool_name"] == tool]
    prompts = {demo.RESPONSES[c["response_id"]]["prompt_event_id"] for c in calls}
    assert check_impact(reader, tenant, "tool", tool, prompts) == {
        "tool_name": tool,
        "invocations": len(calls),
        "failed": sum(c["status"] == "failed" for c in calls),
        "retries": sum(c["retry_count"] for c in calls),
        "average_duration_ms": pytest.approx(mean(c["duration_ms"] for c in calls)),
    }
    assert reader.get_impact(tenant, "tool", tool, limit=len(calls) - 1)["is_cut"]


def test_a_model_whose_name_has_an_at_sign(writer: Writer, reader: Reader, own: str) -> None:
    write(
        writer,
        own,
        prompt("p", 0, model={"id": "sonnet@20260101"}),
        registered("opus@x", "1", 0, 0.1),
        response("r", 1, "p", model={"id": "opus@x", "version": "1"}),
    )
    for id_ in ("sonnet@20260101", "opus@x", "opus@x@1"):
        assert reader.get_impact(own, "model", id_)["prompts"] == 1
    for id_ in ("opus@x@2", "opus"):
        with pytest.raises(NotFound):
            reader.get_impact(own, "model", id_)


def test_a_prompt_counts_once_however_often_it_met_the_model(
    writer: Writer, reader: Reader, own: str
) -> None:
    write(writer, own, *(prompt(f"p{i}", i, model={"id": "m", "version": "1"}) for i in range(4)))
    write(
        writer,
        own,
        *(response(f"r{i}-{j}", i, f"p{i}", model={"id": "m"}) for i in range(4) for j in range(5)),
    )
    assert not reader.get_impact(own, "model", "m", limit=4)["is_cut"]
    cut = reader.get_impact(own, "model", "m", limit=3)
    assert (cut["is_cut"], cut["prompts"]) == (True, 3)


def test_impact_knows_four_kinds(reader: Reader, tenant: str) -> None:
    assert IMPACT_KINDS == ("template", "model", "document", "tool")
    with pytest.raises(InvalidInput, match="template, model, document, tool"):
        reader.get_impact(tenant, "session", "s-0033")


# Question 5: agents


def test_the_agent_network(reader: Reader, tenant: str) -> None:
    pairs: dict[tuple[str, str], list[Json]] = defaultdict(list)
    for handoff in demo.HANDOFFS:
        pairs[handoff["from_agent_id"], handoff["to_agent_id"]].append(handoff)
    found = reader.list_agent_network(tenant)
    assert [(p["from_agent_id"], p["to_agent_id"]) for p in found] == sorted(
        pairs, key=lambda pair: (-len(pairs[pair]), pair)
    )
    for pair in found:
        handoffs = pairs[pair["from_agent_id"], pair["to_agent_id"]]
        reasons = [h["handoff_reason"] for h in sorted(handoffs, key=demo.at, reverse=True)]
        assert pair == {
            "from_agent_id": pair["from_agent_id"],
            "to_agent_id": pair["to_agent_id"],
            "handoffs": len(handoffs),
            "urgent": sum(h["priority"] in ("high", "critical") for h in handoffs),
            "average_seconds": pytest.approx(mean(map(held_s, handoffs)), abs=0.002),
            "average_wait_seconds": pytest.approx(mean(map(waited_s, handoffs)), abs=0.002),
            "reasons": list(dict.fromkeys(reasons))[:5],
            "is_returned": (pair["to_agent_id"], pair["from_agent_id"]) in pairs,
        }
    loops = {frozenset((p["from_agent_id"], p["to_agent_id"])) for p in found if p["is_returned"]}
    assert frozenset(("agent-shipping", "agent-refunds")) in loops
    slowest = max(found, key=lambda p: p["average_wait_seconds"])
    assert slowest["to_agent_id"] == "agent-desk"


def held_s(handoff: Json) -> float:
    asked = demo.PROMPTS[demo.RESPONSES[handoff["response_id"]]["prompt_event_id"]]
    return (demo.at(handoff) - demo.at(asked)).total_seconds()


def waited_s(handoff: Json) -> float:
    asked = demo.PROMPTS[demo.RESPONSES[handoff["response_id"]]["prompt_event_id"]]
    session = demo.PROMPTS_OF[asked["session"]["id"]]
    taken = next(p for p in session if demo.at(p) > demo.at(handoff))
    assert taken["agent_id"] == handoff["to_agent_id"]
    return (demo.at(taken) - demo.at(handoff)).total_seconds()


def test_a_handoff_by_nobody_to_nobody(writer: Writer, reader: Reader, own: str) -> None:
    write(
        writer,
        own,
        prompt("p", 0),
        response("r", 1, "p"),
        event(type="handoff", event_id="h", timestamp=at(2), response_id="r", to_agent_id="a"),
    )
    assert reader.list_agent_network(own) == [
        {
            "from_agent_id": None,
            "to_agent_id": "a",
            "handoffs": 1,
            "urgent": 0,
            "average_seconds": 2.0,
            "average_wait_seconds": None,
            "reasons": [],
            "is_returned": False,
        }
    ]


# Question 6: tools and errors


def expected_failures(tool: str) -> Json:
    calls = [c for c in demo.CALLS.values() if c["tool_name"] == tool]
    after: dict[str, list[bool]] = defaultdict(list)
    for call in calls:
        for read in demo.RESPONSES[call["response_id"]].get("informed_by", ()):
            if demo.CALLS[read]["status"] == "failed":
                after[demo.CALLS[read]["tool_name"]].append(call["status"] == "failed")
    return {
        "tool_name": tool,
        "invocations": len(calls),
        "failed": sum(c["status"] == "failed" for c in calls),
        "retries": sum(c["retry_count"] for c in calls),
        "average_duration_ms": pytest.approx(mean(c["duration_ms"] for c in calls)),
        "after": [
            {"tool_name": name, "times": len(failed), "failed": sum(failed)}
            for name, failed in sorted(after.items(), key=lambda i: (-len(i[1]), i[0]))
        ],
    }


def test_tool_failures(reader: Reader, tenant: str) -> None:
    tools = {c["tool_name"] for c in demo.CALLS.values()}
    expected = sorted(
        map(expected_failures, tools),
        key=lambda t: (-t["failed"], -t["invocations"], t["tool_name"]),
    )
    assert reader.list_tool_failures(tenant) == expected
    assert expected[0]["tool_name"] == "carrier_track"
    assert any(t["after"] for t in expected)
    assert reader.list_tool_failures(tenant, "kb_search") == [expected_failures("kb_search")]
    assert reader.list_tool_failures(tenant, "kb_") == []


@pytest.mark.parametrize("error_id", sorted(demo.ERRORS))
def test_the_path_of_an_error(reader: Reader, tenant: str, error_id: str) -> None:
    chain = [demo.ERRORS[error_id]]
    while (before := chain[-1]["payload"].get("triggered_by")) is not None:
        chain.append(demo.ERRORS[before])
    found = reader.get_error_path(tenant, error_id)
    assert [step["error_id"] for step in found] == [e["event_id"] for e in chain]
    for step, error in zip(found, chain, strict=True):
        payload = error["payload"]
        assert {n: step[n] for n in ("error_type", "message", "severity", "created_at")} == {
            **{n: payload.get(n) for n in ("error_type", "message", "severity")},
            "created_at": demo.at(error),
        }
        caused = payload.get("invocation_id")
        assert (step["invocation"] or {}).get("invocation_id") == caused


def errors(*pairs: tuple[str, str]) -> Iterator[bytes]:
    for number, (id_, before) in enumerate(pairs):
        payload = {"error_type": "x", **({"triggered_by": before} if before else {})}
        yield event(
            event_type="llm.error.occurred", event_id=id_, timestamp=at(number), payload=payload
        )


def test_an_error_without_a_beginning_has_a_path_too(
    writer: Writer, reader: Reader, own: str
) -> None:
    write(writer, own, *errors(("a", "b"), ("b", "c"), ("c", "a")))
    assert [e["error_id"] for e in reader.get_error_path(own, "a")] == ["a", "b", "c"]
    write(writer, own, *errors(*((f"e{i:02}", f"e{i - 1:02}" if i else "") for i in range(40))))
    path = [e["error_id"] for e in reader.get_error_path(own, "e39")]
    assert path == [f"e{i:02}" for i in range(39, 6, -1)]
    assert len(reader.get_error_path(own, "e32")) == 33


def test_an_error_whose_trigger_has_not_arrived_begins_its_path(
    writer: Writer, reader: Reader, own: str
) -> None:
    write(writer, own, *errors(("a", "b"), ("b", "missing")))
    assert [e["error_id"] for e in reader.get_error_path(own, "a")] == ["a", "b"]


# Question 7: templates


@pytest.mark.parametrize("template_id", sorted({t for t, _ in demo.TEMPLATES}))
def test_the_genealogy_of_a_template(reader: Reader, tenant: str, template_id: str) -> None:
    own = sorted(key for key in demo.TEMPLATES if key[0] == template_id)
    found = reader.list_genealogy(tenant, template_id)
    assert [t["version"] for t in found] == [version for _, version in own]
    for version, key in zip(found, own, strict=True):
        version["scores"] = {s["name"]: (s["count"], s["average"]) for s in version["scores"]}
        assert version == expected_version(key)


def expected_version(key: tuple[str, str]) -> Json:
    registered = demo.TEMPLATES[key]
    body = registered["template"]
    prompts = prompts_of_templates({key})
    answers = [r for p in prompts for r in demo.ANSWERS.get(p, ())]
    impact = expected_impact(prompts)
    return {
        "version": key[1],
        "name": body["name"],
        "author": body["author"],
        "origin": "registered",
        "created_at": demo.at(registered),
        "previous_version": body.get("previous_version"),
        "parent": body.get("parent")
        and {
            "template_id": body["parent"]["id"],
            "version": body["parent"]["version"],
            "overrides": body["override_sections"],
        },
        "children": [
            {"template_id": t, "version": v}
            for (t, v), e in sorted(demo.TEMPLATES.items())
            if (e["template"].get("parent") or {}) == {"id": key[0], "version": key[1]}
        ],
        "prompts": len(prompts),
        "average_latency_ms": pytest.approx(mean(a["metrics"]["latency"] for a in answers))
        if answers
        else None,
        "cost_usd": impact["cost_usd"],
        "errors": impact["errors"],
        "scores": {s["name"]: (s["count"], s["average"]) for s in impact["scores"]},
    }


# Counts


def expected_counts() -> counts.Counts:
    nodes = Counter(node[0] for node in demo.nodes())
    edges = Counter(edge[1] for edge in demo.edges())
    return {"nodes": dict(nodes), "relationships": dict(edges)}


def test_counts_are_those_of_the_file(reader: Reader, tenant: str) -> None:
    assert reader.count(tenant) == expected_counts()


def test_an_unknown_tenant_has_nothing(reader: Reader, own: str) -> None:
    assert reader.count(own) == {"nodes": {}, "relationships": {}}
    assert reader.list_agent_network(own) == []
    assert reader.list_tool_failures(own) == []


def test_the_count_store_agrees(graph: Graph, model: GraphModel, writer: Writer, own: str) -> None:
    """What the store counts too much for a tenant that shares it is what others have."""
    write(
        writer,
        own,
        prompt("p", 0, template={"id": "unregistered", "version": "1.0.0"}),
        response("r", 1, "p", "t"),
        response("orphan", 1, "not arrived"),
        prompt("gone", 2),
    )
    graph.run(
        "MATCH (p:Prompt {tenant_id: $tenant_id, prompt_id: 'gone'}) SET p:Tombstone",
        tenant_id=own,
    )
    indexed = counts.summed(graph.read(counts.index_statement(model), tenant_id=own))
    assert indexed["nodes"] == {
        "Prompt": 1,
        "Response": 2,
        "Session": 1,
        "ToolInvocation": 1,
    }
    assert indexed["relationships"] == {"PART_OF": 1, "RESPONDS_TO": 1, "INVOKES": 1}
    for _ in range(50):
        before = foreign(graph, model, own)
        stored = counts.summed(graph.read(counts.store_statement(model), tenant_id=own))
        if foreign(graph, model, own) == before:
            break
    else:
        raise AssertionError("somebody else keeps writing to this server")
    for kind, found in stored.items():
        mine = {name: n - before[kind, name] for name, n in found.items()}
        assert {name: n for name, n in mine.items() if n} == indexed[kind]


def foreign(graph: Graph, model: GraphModel, tenant: str) -> Counter[tuple[str, str]]:
    """What other tenants have in the store, hidden or not."""
    labels = [spec.label for spec in model.nodes.values() if spec.is_content]
    nodes = graph.read(
        "MATCH (n) WHERE n.tenant_id <> $tenant_id "
        "UNWIND [label IN labels(n) WHERE label IN $labels] AS name "
        "RETURN 'nodes' AS kind, name, count(*) AS n",
        tenant_id=tenant,
        labels=labels,
    )
    edges = graph.read(
        "MATCH (n)-[r]->() WHERE n.tenant_id <> $tenant_id AND type(r) IN $types "
        "RETURN 'relationships' AS kind, type(r) AS name, count(*) AS n",
        tenant_id=tenant,
        types=list(model.edge_types),
    )
    return Counter({(row["kind"], row["name"]): row["n"] for row in (*nodes, *edges)})


# All of them


QUESTIONS: dict[str, Callable[[Reader, str], Any]] = {
    "thread": lambda reader, tenant: reader.get_thread(tenant, "s-0033"),
    "lineage": lambda reader, tenant: reader.get_lineage(tenant, "response", BEST, directions=BOTH),
    "template": lambda reader, tenant: reader.get_impact(tenant, "template", "tpl-triage@1.0.0"),
    "model": lambda reader, tenant: reader.get_impact(tenant, "model", "tarn-3"),
    "document": lambda reader, tenant: reader.get_impact(
        tenant, "document", "doc-returns-policy#3"
    ),
    "tool": lambda reader, tenant: reader.get_impact(tenant, "tool", "kb_search"),
    "failures": lambda reader, tenant: reader.list_tool_failures(tenant),
    "network": lambda reader, tenant: reader.list_agent_network(tenant),
    "error": lambda reader, tenant: reader.get_error_path(tenant, "err-0020-4"),
    "genealogy": lambda reader, tenant: reader.list_genealogy(tenant, "tpl-triage"),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_one_request_each_and_json_back(
    graph: Graph, model: GraphModel, tenant: str, question: str
) -> None:
    recording = RecordingGraph(graph)
    answer = QUESTIONS[question](Reader(recording, model), tenant)
    assert len(recording.sent) == 1
    assert orjson.loads(orjson.dumps(answer))


def test_counting_takes_two_requests(graph: Graph, model: GraphModel, tenant: str) -> None:
    recording = RecordingGraph(graph)
    assert orjson.dumps(Reader(recording, model).count(tenant))
    assert len(recording.sent) <= 3


ASKED: dict[str, Callable[[Reader, str, str], Any]] = {
    "thread": lambda reader, tenant, id_: reader.get_thread(tenant, id_),
    "session": lambda reader, tenant, id_: reader.get_lineage(tenant, "session", id_),
    "prompt": lambda reader, tenant, id_: reader.get_lineage(tenant, "prompt", id_),
    "document": lambda reader, tenant, id_: reader.get_impact(tenant, "document", id_),
    "model": lambda reader, tenant, id_: reader.get_impact(tenant, "model", id_),
    "template": lambda reader, tenant, id_: reader.get_impact(tenant, "template", id_),
    "version": lambda reader, tenant, id_: reader.get_impact(tenant, "template", f"{id_}@1.0.0"),
    "tool": lambda reader, tenant, id_: reader.get_impact(tenant, "tool", id_),
    "error": lambda reader, tenant, id_: reader.get_error_path(tenant, id_),
    "genealogy": lambda reader, tenant, id_: reader.list_genealogy(tenant, id_),
}
LABEL_OF = {
    "thread": "Session",
    "session": "Session",
    "prompt": "Prompt",
    "document": "ContextDocument",
    "model": "Model",
    "template": "PromptTemplate",
    "version": "PromptTemplate",
    "tool": "ToolInvocation",
    "error": "Error",
    "genealogy": "PromptTemplate",
}


@pytest.mark.parametrize("question", ASKED)
@pytest.mark.parametrize("hidden", ["nothing", "Placeholder", "Tombstone"])
def test_what_is_not_there_or_hidden_is_not_found(
    graph: Graph, model: GraphModel, reader: Reader, own: str, question: str, hidden: str
) -> None:
    if hidden != "nothing":
        spec = model.nodes[LABEL_OF[question]]
        keys = {name: "1.0.0" if name == "version" else "ghost" for name in spec.key}
        keys |= {"tool_name": "ghost"} if spec.label == "ToolInvocation" else {}
        graph.run(
            f"CREATE (n:{spec.label}:{hidden}) SET n = $properties",
            properties={"tenant_id": own, **keys},
        )
    with pytest.raises(NotFound, match=r"no .* ghost(@1\.0\.0)? in this tenant"):
        ASKED[question](reader, own, "ghost")


def test_kinds_that_are_none(reader: Reader, tenant: str) -> None:
    with pytest.raises(InvalidInput, match="must be one of"):
        reader.get_lineage(tenant, "outbox", "x")
    with pytest.raises(InvalidInput, match="needs TEMPLATE_ID@VERSION"):
        reader.get_lineage(tenant, "template", "tpl-triage")


def test_a_key_with_a_time(graph: Graph, reader: Reader, own: str) -> None:
    graph.run(
        "CREATE (:Rollup {tenant_id: $tenant_id, scope: 'model:a@b', grain: 'day', "
        "bucket: datetime('2026-01-31T00:00Z')})",
        tenant_id=own,
    )
    found = reader.get_lineage(own, "rollup", "model:a@b@day@2026-01-31T00:00:00+00:00")
    assert found["nodes"][0]["properties"]["bucket"] == datetime.fromisoformat("2026-01-31T00Z")
