"""What the tests of the questions share: what they write, and the answers of plain JSON code."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from statistics import mean
from typing import Any

import pytest

from memgraph.domain.events import read_event
from memgraph.graph.traversal import Direction
from memgraph.graph.writer import Writer
from memgraph.services.ingest.graph_rows import to_mutation
from tests.support import demo
from tests.support.demo import Json
from tests.support.events import at, event

BEST = "s-0033-p2-r3"
"""The response whose lineage the demo prints."""

DOWN: tuple[Direction, ...] = ("down",)

BOTH: tuple[Direction, ...] = ("up", "down")


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


def scores(found: Iterable[Json]) -> list[Json]:
    return [{n: s.get(n) for n in ("name", "value", "source", "comment")} for s in found]


def newest(events: list[Json], subject: str, name: str) -> Any:
    """The last thing that was said."""
    said = [e[subject][name] for e in demo.in_order(events) if name in e[subject]]
    return said[-1] if said else None


def registered(model: str, version: str, second: float, usd: float, **more: Any) -> bytes:
    priced = {"version": version, "input_usd_per_1k": usd, "output_usd_per_1k": usd, **more}
    return event(
        type="model",
        event_id=f"{model}-{version}",
        timestamp=at(second),
        model={"id": model},
        version=priced,
    )


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


def prompts_of_templates(keys: set[tuple[str, str]]) -> set[str]:
    return {
        p["event_id"]
        for p in demo.PROMPTS.values()
        if "template" in p and (p["template"]["id"], p["template"]["version"]) in keys
    }
