"""Question 3: the conversation."""

from __future__ import annotations

from collections import Counter

import pytest

from memgraph.graph.reader import Reader
from tests.support import demo
from tests.support.demo import Json
from tests.support.questions import newest, scores


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
