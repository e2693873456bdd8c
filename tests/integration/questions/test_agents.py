"""Question 5: who hands over to whom."""

from __future__ import annotations

from collections import defaultdict
from statistics import mean

import pytest

from memgraph.graph.reader import Reader
from memgraph.graph.writer import Writer
from tests.support import demo
from tests.support.demo import Json
from tests.support.events import at, event
from tests.support.questions import prompt, response, write


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
