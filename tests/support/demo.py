"""The demo file by plain JSON code: what the graph must say of it, computed without the graph.

Nothing of the program is used here but the path of the file.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from memgraph.cli.stack import DEMO_FILE

Json = dict[str, Any]
Node = tuple[str, ...]
"""Label and key."""
Edge = tuple[Node, str, Node]

EVENTS: list[Json] = [json.loads(line) for line in DEMO_FILE.read_bytes().splitlines()]


def of_type(*names: str) -> list[Json]:
    return [e for e in EVENTS if {e.get("type"), e.get("event_type")} & set(names)]


def at(event: Json) -> datetime:
    return datetime.fromisoformat(event["timestamp"])


def in_order(events: Iterable[Json]) -> list[Json]:
    """By time, then by id."""
    return sorted(events, key=lambda e: (at(e), e["event_id"]))


def grouped(events: Iterable[Json], *path: str) -> dict[Any, list[Json]]:
    """By the value at ``path``; events that have none are left out."""
    groups: dict[Any, list[Json]] = defaultdict(list)
    for event in events:
        value: Any = event
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            groups[value].append(event)
    return groups


PROMPTS = {e["event_id"]: e for e in of_type("prompt")}
RESPONSES = {e["event_id"]: e for e in of_type("response")}
SCORES = of_type("score")
HANDOFFS = of_type("handoff")
TEMPLATES = {(e["template"]["id"], e["template"]["version"]): e for e in of_type("template")}
CALLS = {e["invocation_id"]: e for e in of_type("tool") if e["status"] != "pending"}
"""Each call of a tool as it ended."""
ERRORS = {e["event_id"]: e for e in of_type("llm.error.occurred")}
SESSION_EVENTS = grouped(of_type("session"), "session", "id")
AGENT_EVENTS = grouped(of_type("agent"), "agent", "id")
CLOSED = {e["session"]["id"] for e in of_type("session") if e["action"] == "closed"}
PROMPTS_OF = {k: in_order(v) for k, v in grouped(PROMPTS.values(), "session", "id").items()}
ANSWERS = {k: in_order(v) for k, v in grouped(RESPONSES.values(), "prompt_event_id").items()}
SCORES_OF = {name: grouped(SCORES, name) for name in ("response_id", "prompt_id", "session_id")}
CALLS_OF = {
    k: sorted(v, key=lambda e: (e["invocation_order"], e["invocation_id"]))
    for k, v in grouped(CALLS.values(), "response_id").items()
}


def documents_of(prompt: Json) -> list[Json]:
    documents: list[Json] = prompt.get("context", {}).get("documents", [])
    return documents


def prices() -> dict[tuple[str, str], Json]:
    """The event that registered each version of a model with its prices."""
    return {
        (e["model"]["id"], e["version"]["version"]): e["version"]
        for e in of_type("model")
        if "input_usd_per_1k" in e.get("version", {})
    }


def previous_of(prompt: Json) -> str | None:
    """The prompt that the sender names, else the one before it in the session."""
    if "previous_prompt_id" in prompt:
        named: str = prompt["previous_prompt_id"]
        return named
    session = PROMPTS_OF[prompt["session"]["id"]]
    place = session.index(prompt)
    return session[place - 1]["event_id"] if place else None


UPSTREAM_IS_START = {"INVOKES", "TRANSFERS_TO", "FOLLOWED_BY", "HAS_METRIC", "CAUSED_ERROR"}
NO_LINEAGE = {"PART_OF", "STARTED_BY", "IN_APPLICATION", "CONFIGURES", "PRICES"}
CONFIGURATION = {"name", "role", "capabilities", "model_id", "config"}
PRICE = {"input_usd_per_1k", "output_usd_per_1k", "valid_from"}
HUBS = {"Session", "User", "Application", "Agent", "Model", "ModelVersion"}


def edges() -> set[Edge]:
    """Every relationship that the file asks for."""
    found: set[Edge] = set()
    for prompt in PROMPTS.values():
        found.update(_prompt_edges(prompt))
    for response in RESPONSES.values():
        found.update(_response_edges(response))
    for event in of_type("session"):
        found.update(_session_edges(event["session"]))
    for said in of_type("agent"):
        if CONFIGURATION & said["agent"].keys():
            configuration = ("AgentConfiguration", said["event_id"])
            found.add((configuration, "CONFIGURES", ("Agent", said["agent"]["id"])))
    for call in of_type("tool"):
        invoked = ("ToolInvocation", call["invocation_id"])
        found.add((("Response", call["response_id"]), "INVOKES", invoked))
    for handoff in HANDOFFS:
        to = ("Agent", handoff["to_agent_id"])
        found.add((("Response", handoff["response_id"]), "TRANSFERS_TO", to))
    for score in SCORES:
        ends = {"response_id": "Response", "prompt_id": "Prompt", "session_id": "Session"}
        (name,) = ends.keys() & score.keys()
        found.add((("Score", score["event_id"]), "SCORES", (ends[name], score[name])))
    for event in TEMPLATES.values():
        found.update(_template_edges(event["template"]))
    for event in of_type("model"):
        found.update(_model_edges(event))
    for event in EVENTS:
        if "event_type" in event:
            found.update(_telemetry_edges(event))
    return found


def _session_edges(session: Json) -> Iterator[Edge]:
    node = ("Session", session["id"])
    if "user_id" in session:
        yield node, "STARTED_BY", ("User", session["user_id"])
    if "application_id" in session:
        yield node, "IN_APPLICATION", ("Application", session["application_id"])


def _uses(node: Node, model: Json) -> Iterator[Edge]:
    yield node, "USES_MODEL", ("Model", model["id"])
    if "version" in model:
        version = ("ModelVersion", model["id"], model["version"])
        yield node, "USES_MODEL", version
        yield version, "VERSION_OF", ("Model", model["id"])


def _prompt_edges(prompt: Json) -> Iterator[Edge]:
    node = ("Prompt", prompt["event_id"])
    yield node, "PART_OF", ("Session", prompt["session"]["id"])
    yield from _session_edges(prompt["session"])
    yield from _uses(node, prompt["model"])
    yield node, "HANDLED_BY", ("Agent", prompt["agent_id"])
    for document in documents_of(prompt):
        yield node, "REFERENCES", ("ContextDocument", document["id"])
    if "template" in prompt:
        used = prompt["template"]
        yield node, "INSTANTIATES", ("PromptTemplate", used["id"], used["version"])
    before = previous_of(prompt)
    if before is not None:
        yield node, "FOLLOWS", ("Prompt", before)


def _response_edges(response: Json) -> Iterator[Edge]:
    node = ("Response", response["event_id"])
    yield node, "RESPONDS_TO", ("Prompt", response["prompt_event_id"])
    yield from _uses(node, response["model"])
    for call in response.get("informed_by", ()):
        yield node, "INFORMED_BY", ("ToolInvocation", call)
    for call in response["response"].get("tool_calls", ()):
        yield node, "INVOKES", ("ToolInvocation", call["id"])


def _template_edges(template: Json) -> Iterator[Edge]:
    node = ("PromptTemplate", template["id"], template["version"])
    if "previous_version" in template:
        before = ("PromptTemplate", template["id"], template["previous_version"])
        yield node, "PREVIOUS_VERSION", before
    if "parent" in template:
        parent = template["parent"]
        yield node, "INHERITS", ("PromptTemplate", parent["id"], parent["version"])


def _model_edges(event: Json) -> Iterator[Edge]:
    if "version" not in event:
        return
    model, version = event["model"]["id"], event["version"]
    node = ("ModelVersion", model, version["version"])
    yield node, "VERSION_OF", ("Model", model)
    if PRICE & version.keys():
        yield ("ModelPrice", event["event_id"]), "PRICES", node
    if "previous_version" in version:
        yield node, "PREVIOUS_VERSION", ("ModelVersion", model, version["previous_version"])


def _telemetry_edges(event: Json) -> Iterator[Edge]:
    payload, id_ = event["payload"], event["event_id"]
    invocation = ("Invocation", payload.get("invocation_id", ""))
    if event["event_type"].startswith("llm.invocation."):
        yield invocation, "USES_MODEL", ("Model", payload["model_id"])
        if "follows" in payload:
            yield ("Invocation", payload["follows"]), "FOLLOWED_BY", invocation
    elif event["event_type"] == "llm.latency.measured":
        yield invocation, "HAS_METRIC", ("PerformanceMetric", id_)
    elif event["event_type"] == "llm.error.occurred":
        yield invocation, "CAUSED_ERROR", ("Error", id_)
        if "triggered_by" in payload:
            yield ("Error", id_), "TRIGGERED_BY", ("Error", payload["triggered_by"])


def nodes() -> set[Node]:
    """Every node that the file asks for."""
    found = {node for edge in edges() for node in edge[::2]}
    found |= {("Agent", id_) for id_ in AGENT_EVENTS} | {("Session", id_) for id_ in SESSION_EVENTS}
    found |= {
        ("PerformanceMetric", e["event_id"]) for e in of_type("llm.performance.daily_summary")
    }
    return found | {("PromptTemplate", *key) for key in TEMPLATES}


class Walk:
    """Breadth first over `edges` from a root, one way: levels of new nodes, edges met."""

    def __init__(self, root: Node, direction: str, depth: int) -> None:
        leads: dict[Node, list[tuple[Edge, Node]]] = defaultdict(list)
        for edge in edges():
            start, type_, end = edge
            if type_ in NO_LINEAGE:
                continue
            came, from_ = (end, start) if type_ in UPSTREAM_IS_START else (start, end)
            below, above = (came, from_) if direction == "up" else (from_, came)
            leads[below].append((edge, above))
        self.seen = {root}
        self.edges: set[Edge] = set()
        self.widest = 0
        """Most edges followed from one node."""
        frontier = {root}
        for level in range(depth + 1):
            steps = {n: leads[n] for n in frontier if n == root or n[0] not in HUBS}
            fresh = {node for found in steps.values() for _, node in found} - self.seen
            self.goes_on = bool(fresh)
            if level == depth:
                break
            self.widest = max([self.widest, *map(len, steps.values())])
            self.edges |= {edge for found in steps.values() for edge, _ in found}
            self.seen |= fresh
            frontier = fresh
