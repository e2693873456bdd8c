"""The demo data keeps its promises. Checked on plain JSON, apart from reading and rendering."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

import memgraph
from memgraph.domain import templates
from memgraph.domain.events import read_event

FILE = Path(memgraph.__file__).parent / "demo" / "support_team.jsonl"
LINES = FILE.read_bytes().splitlines()
EVENTS: list[dict[str, Any]] = [json.loads(line) for line in LINES]
OUTDATED = "doc-returns-policy-2024#3"
LEAK = "s-0009"


def of_type(name: str) -> list[dict[str, Any]]:
    return [e for e in EVENTS if name in (e.get("type"), e.get("event_type"))]


def at(event: dict[str, Any]) -> datetime:
    return moment(event["timestamp"])


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def by_id(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {e["event_id"]: e for e in events}


def quality(response_ids: set[str]) -> list[float]:
    return [
        s["value"]
        for s in SCORES
        if s["name"] == "quality" and s.get("response_id") in response_ids
    ]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield key
            yield from strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from strings(child)


PROMPTS = by_id(of_type("prompt"))
RESPONSES = by_id(of_type("response"))
SCORES = of_type("score")
HANDOFFS = of_type("handoff")
FINISHED = {e["invocation_id"]: e for e in of_type("tool") if e["status"] != "pending"}
SESSIONS = {e["session"]["id"] for e in of_type("session") if e["action"] == "created"}
AGENTS = {e["agent"]["id"] for e in of_type("agent")}
TEMPLATES = {
    (e["template"]["id"], e["template"]["version"]): (at(e), e["template"])
    for e in of_type("template")
}
VERSIONS = {
    key: templates.TemplateVersion(
        template_id=key[0],
        version=key[1],
        text=body["text"],
        variables=tuple(templates.VariableSpec(**v) for v in body["variables"]),
        parent=(body["parent"]["id"], body["parent"]["version"]) if "parent" in body else None,
    )
    for key, (_, body) in TEMPLATES.items()
}
ANSWERS: dict[str, list[dict[str, Any]]] = defaultdict(list)
for _response in RESPONSES.values():
    ANSWERS[_response["prompt_event_id"]].append(_response)


def answers_of(prompt_ids: set[str]) -> set[str]:
    return {r["event_id"] for p in prompt_ids for r in ANSWERS[p]}


def documents_of(prompt: dict[str, Any]) -> set[str]:
    return {d["id"] for d in prompt.get("context", {}).get("documents", ())}


def test_every_line_is_a_valid_event() -> None:
    for number, line in enumerate(LINES, 1):
        event = read_event(line)
        assert event.event_id == EVENTS[number - 1]["event_id"]


def test_ids_are_unique_times_in_order_and_the_file_small() -> None:
    ids = Counter(e["event_id"] for e in EVENTS)
    assert not [i for i, n in ids.items() if n > 1]
    times = [at(e) for e in EVENTS]
    assert times == sorted(times)
    assert times[0] >= datetime(2026, 8, 1, tzinfo=UTC)
    assert times[-1] < datetime(2026, 11, 1, tzinfo=UTC)
    assert FILE.stat().st_size < 900_000


def test_there_is_enough_of_everything() -> None:
    kinds = Counter(e.get("type") or e["event_type"] for e in EVENTS)
    least = {"session": 75, "prompt": 130, "response": 200, "tool": 120, "handoff": 45}
    least |= {"score": 200, "agent": 15, "template": 12, "model": 6}
    least |= {"llm.invocation.complete": 5, "llm.error.occurred": 5, "llm.latency.measured": 5}
    assert not {k: kinds[k] for k, n in least.items() if kinds[k] < n}
    assert len(SESSIONS) == 40
    assert len(AGENTS) == 5
    assert len({template_id for template_id, _ in TEMPLATES}) >= 6
    assert 10 <= len({d for p in PROMPTS.values() for d in documents_of(p)}) <= 12
    assert {p["session"]["application_id"] for p in PROMPTS.values()} == {
        "web-chat",
        "mobile-app",
        "email-bridge",
    }
    closed = {e["session"]["id"] for e in of_type("session") if e["action"] == "closed"}
    assert 2 <= len(SESSIONS - closed) <= 6
    texts = Counter(p["prompt"]["text"] for p in PROMPTS.values())
    assert max(texts.values()) == 1


def test_references_resolve_and_point_back_in_time() -> None:
    for prompt in PROMPTS.values():
        assert prompt["agent_id"] in AGENTS
        assert prompt["session"]["id"] in SESSIONS
        before = prompt.get("previous_prompt_id")
        assert before is None or at(PROMPTS[before]) < at(prompt)
        if "template" in prompt:
            known_since, _ = TEMPLATES[prompt["template"]["id"], prompt["template"]["version"]]
            assert known_since <= at(prompt)
    for response in RESPONSES.values():
        assert at(PROMPTS[response["prompt_event_id"]]) < at(response)
        for invocation in response.get("informed_by", ()):
            assert at(FINISHED[invocation]) <= at(response)
        for call in response["response"].get("tool_calls", ()):
            assert FINISHED[call["id"]]["response_id"] == response["event_id"]
    for event in of_type("tool"):
        assert event["invocation_id"] in FINISHED
        assert at(RESPONSES[event["response_id"]]) <= at(event)
    for handoff in HANDOFFS:
        prompt = PROMPTS[RESPONSES[handoff["response_id"]]["prompt_event_id"]]
        assert prompt["agent_id"] == handoff["from_agent_id"] != handoff["to_agent_id"]
        assert handoff["to_agent_id"] in AGENTS
        assert handoff["handoff_reason"]
        assert handoff["context_summary"]
    for score in SCORES:
        known = {"response_id": RESPONSES, "prompt_id": PROMPTS, "session_id": SESSIONS}
        (name,) = known.keys() & score.keys()
        assert score[name] in known[name]
    for event in EVENTS:
        triggered_by = event.get("payload", {}).get("triggered_by")
        assert triggered_by is None or at(by_id(EVENTS)[triggered_by]) < at(event)


def test_one_finished_event_for_each_invocation() -> None:
    ends = Counter(e["invocation_id"] for e in of_type("tool") if e["status"] != "pending")
    assert set(ends.values()) == {1}


def test_prompts_say_what_they_could_use() -> None:
    for prompt in PROMPTS.values():
        assert prompt["session"]["user_id"]
        assert prompt["session"]["purpose"]
        assert prompt["model"]["parameters"]["max_tokens"]
        called = {
            c["function"]["name"]
            for r in ANSWERS[prompt["event_id"]]
            for c in r["response"].get("tool_calls", ())
        }
        assert called <= set(prompt["tools_available"])
        for response in ANSWERS[prompt["event_id"]]:
            assert response["trace_context"]["trace_id"] == prompt["trace_context"]["trace_id"]


def test_costs_are_tokens_times_the_price_of_that_time() -> None:
    prices: dict[str, list[tuple[datetime, str, float, float]]] = defaultdict(list)
    for event in of_type("model"):
        version = event.get("version", {})
        if "input_usd_per_1k" in version:
            prices[event["model"]["id"]].append(
                (
                    moment(version["valid_from"]),
                    version["version"],
                    version["input_usd_per_1k"],
                    version["output_usd_per_1k"],
                )
            )
    assert len(prices) == 3
    assert len({e["model"].get("provider") for e in of_type("model")} - {None}) == 2
    used = set()
    for response in RESPONSES.values():
        model, usage = response["model"], response["usage"]
        _, version, price_in, price_out = max(
            p for p in prices[model["id"]] if p[0] <= at(response)
        )
        assert model["version"] == version
        used.add((model["id"], version))
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
        cost = (usage["prompt_tokens"] * price_in + usage["completion_tokens"] * price_out) / 1000
        assert response["metrics"]["cost"] == pytest.approx(cost, abs=1e-6)
    assert used == {(m, p[1]) for m, ps in prices.items() for p in ps}
    assert all(len(ps) == 2 for ps in prices.values())


def test_rendered_templates_equal_the_texts() -> None:
    checked = Counter()
    for prompt in PROMPTS.values():
        if "template" not in prompt:
            continue
        key = (prompt["template"]["id"], prompt["template"]["version"])
        resolved = templates.resolve(VERSIONS, key)
        text = templates.render(resolved.text, resolved.variables, prompt["template"]["bindings"])
        assert prompt["prompt"]["text"] == text
        checked[key] += 1
    assert set(TEMPLATES) - set(checked) == {("tpl-support-base", "1.0.0")}


def test_templates_form_chains_and_trees() -> None:
    for key, (registered_at, body) in TEMPLATES.items():
        resolved = templates.resolve(VERSIONS, key)
        assert body.get("depth", 0) == resolved.depth
        assert tuple(body.get("override_sections", ())) == resolved.override_sections
        for other in (
            (body["id"], body.get("previous_version")),
            (body.get("parent", {}).get("id"), body.get("parent", {}).get("version")),
        ):
            assert None in other or TEMPLATES[other][0] < registered_at
    assert [v for t, v in TEMPLATES if t == "tpl-triage"] == ["1.0.0", "1.1.0", "2.0.0"]
    assert max(templates.resolve(VERSIONS, key).depth for key in VERSIONS) == 2
    specs = [v for _, body in TEMPLATES.values() for v in body["variables"]]
    assert any("pattern" in v for v in specs)
    assert any("default" in v for v in specs)
    assert any(v.get("required") for v in specs)
    assert len({body["author"] for _, body in TEMPLATES.values()}) >= 3


def test_newer_template_versions_do_better() -> None:
    prompts: dict[tuple[str, str], set[str]] = defaultdict(set)
    for prompt in PROMPTS.values():
        if "template" in prompt:
            prompts[prompt["template"]["id"], prompt["template"]["version"]].add(prompt["event_id"])
    better = 0
    for (template_id, version), (_, body) in TEMPLATES.items():
        old = (template_id, body.get("previous_version"))
        if old in prompts:
            new = mean(quality(answers_of(prompts[template_id, version])))
            assert new > mean(quality(answers_of(prompts[old]))) + 0.05
            better += 1
    assert better >= 6


def test_forks_and_continued_sessions() -> None:
    followed = Counter(
        p["previous_prompt_id"] for p in PROMPTS.values() if "previous_prompt_id" in p
    )
    forks = {PROMPTS[p]["session"]["id"] for p, n in followed.items() if n > 1}
    assert forks == {"s-0004", "s-0014", "s-0025", "s-0036"}
    first: dict[str, dict[str, Any]] = {}
    for prompt in PROMPTS.values():
        first.setdefault(prompt["session"]["id"], prompt)
    continued = {}
    for prompt in PROMPTS.values():
        before = PROMPTS.get(prompt.get("previous_prompt_id", ""))
        if before is None:
            continue
        if before["session"]["id"] != prompt["session"]["id"]:
            assert first[prompt["session"]["id"]] is prompt
            continued[prompt["session"]["id"]] = (at(prompt) - at(before)).days
        else:
            assert prompt["session"]["id"] in forks
    assert continued.keys() == {"s-0005", "s-0033"}
    assert all(5 <= days <= 10 for days in continued.values())


def test_tools_fail_and_are_retried_and_one_fails_most() -> None:
    outcomes: dict[str, list[bool]] = defaultdict(list)
    for event in FINISHED.values():
        outcomes[event["tool_name"]].append(event["status"] == "failed")
        assert event["duration_ms"] > 0
        assert ("error" in event) == (event["status"] == "failed") != ("result" in event)
    assert outcomes.keys() == {
        "order_lookup",
        "refund_issue",
        "carrier_track",
        "inventory_check",
        "kb_search",
        "firmware_status",
    }
    rates = sorted((mean(failed), tool) for tool, failed in outcomes.items())
    assert rates[-1][1] == "carrier_track"
    assert rates[-1][0] > 0.5 > rates[-2][0]
    retried = Counter(e["status"] for e in FINISHED.values() if e["retry_count"])
    assert min(retried["failed"], retried["success"]) >= 5


def test_some_failures_end_in_an_apology_and_a_low_score() -> None:
    sorry = {
        r["event_id"]
        for r in RESPONSES.values()
        if re.search("sorry|apologise", r["response"].get("text", ""))
        and any(FINISHED[i]["status"] == "failed" for i in r.get("informed_by", ()))
    }
    assert sum(value <= 0.3 for value in quality(sorry)) >= 2


def test_agent_loops_errors_and_slow_answers() -> None:
    assert sum(len(rs) > 1 for rs in ANSWERS.values()) >= 40
    reasons = Counter(r["response"]["finish_reason"] for r in RESPONSES.values())
    assert all(reasons[r] for r in ("stop", "tool_calls", "error", "content_filter", "length"))
    assert {r["error"]["type"] for r in RESPONSES.values() if "error" in r} >= {"rate_limit"}
    latencies = sorted(r["metrics"]["latency"] for r in RESPONSES.values())
    assert latencies[-2] > 10 * latencies[len(latencies) // 2]
    for response in RESPONSES.values():
        metrics, usage = response["metrics"], response["usage"]
        if "ttft" in metrics:
            seconds = (metrics["latency"] - metrics["ttft"]) / 1000
            assert metrics["throughput"] == pytest.approx(
                usage["completion_tokens"] / seconds, abs=0.1
            )
        limit = PROMPTS[response["prompt_event_id"]]["model"]["parameters"]["max_tokens"]
        assert usage["completion_tokens"] <= limit


def test_two_agents_play_ping_pong_and_the_human_desk_is_the_bottleneck() -> None:
    passes: dict[str, list[tuple[str, str]]] = defaultdict(list)
    waits: dict[str, list[float]] = defaultdict(list)
    in_order = list(PROMPTS.values())
    for handoff in HANDOFFS:
        session = PROMPTS[RESPONSES[handoff["response_id"]]["prompt_event_id"]]["session"]["id"]
        passes[session].append((handoff["from_agent_id"], handoff["to_agent_id"]))
        taken = next(p for p in in_order if p["session"]["id"] == session and at(p) > at(handoff))
        assert taken["agent_id"] == handoff["to_agent_id"]
        waits[handoff["to_agent_id"]].append((at(taken) - at(handoff)).total_seconds())
    there, back = ("agent-shipping", "agent-refunds"), ("agent-refunds", "agent-shipping")
    looping = {s for s, ps in passes.items() if there in ps and back in ps}
    assert looping == {"s-0012", "s-0021", "s-0030"}
    desk = waits.pop("agent-desk")
    assert len(desk) >= 6
    assert mean(desk) > 20 * max(mean(w) for w in waits.values())
    assert {h["priority"] for h in HANDOFFS} == {"low", "normal", "high", "critical"}
    statuses = {e["agent"].get("status") for e in of_type("agent")}
    assert statuses >= {"active", "idle", "busy", "paused"}


def test_the_outdated_document_leads_to_wrong_answers() -> None:
    only_old = set()
    others = set()
    for prompt in PROMPTS.values():
        documents = documents_of(prompt)
        if OUTDATED in documents and "doc-returns-policy#3" not in documents:
            only_old.add(prompt["event_id"])
        elif documents:
            others.add(prompt["event_id"])
    assert len(only_old) >= 4
    assert mean(quality(answers_of(only_old))) < 0.25 < mean(quality(answers_of(others))) - 0.3


def test_a_document_has_one_content() -> None:
    contents: dict[str, set[str]] = defaultdict(set)
    for prompt in PROMPTS.values():
        for document in prompt.get("context", {}).get("documents", ()):
            contents[document["id"]].add(json.dumps({**document, "relevance_score": 0}))
    assert {len(c) for c in contents.values()} == {1}
    uses = Counter(d for p in PROMPTS.values() for d in documents_of(p))
    assert min(uses.values()) >= 3


def test_scores_come_from_users_and_evaluators() -> None:
    thumbs = Counter(s["value"] for s in SCORES if s["name"] == "thumbs")
    assert thumbs.keys() == {0.0, 1.0}
    assert {s["source"] for s in SCORES} == {"user", "evaluator"}
    csat = [s for s in SCORES if s["name"] == "csat"]
    assert len(csat) >= 30
    assert all("session_id" in s and 1 <= s["value"] <= 5 for s in csat)
    assert all(0 <= s["value"] <= 1 for s in SCORES if s["name"] != "csat")


def test_the_leak_is_repeated_unnoticed_and_found_later() -> None:
    card = "4111 1111 1111 1111"
    pasted = PROMPTS[f"{LEAK}-p3"]
    answer = RESPONSES[f"{LEAK}-p3-r1"]
    for text in (pasted["prompt"]["text"], answer["response"]["text"]):
        assert card in text
        assert "@example.com" in text
        assert "+44 7700 900" in text
    (score,) = (s for s in SCORES if s["name"] == "privacy")
    assert (score["response_id"], score["value"]) == (answer["event_id"], 0)
    assert (at(score) - at(answer)).days >= 5
    tags = {t for e in (pasted, answer) for t in e.get("tags", ())}
    tags |= {
        t
        for e in of_type("session")
        if e["session"]["id"] == LEAK
        for t in e["session"].get("tags", ())
    }
    assert not [t for t in tags if re.search("pii|leak|personal|privacy", t)]


def test_the_best_lineage_has_all_that_the_demo_prints() -> None:
    response = RESPONSES["s-0033-p2-r3"]
    prompt = PROMPTS[response["prompt_event_id"]]
    assert (
        templates.resolve(VERSIONS, (prompt["template"]["id"], prompt["template"]["version"])).depth
        == 2
    )
    assert len(documents_of(prompt)) == 3
    assert prompt["agent_id"] == "agent-technical"
    read = [FINISHED[i] for i in response["informed_by"]]
    assert any(t["status"] == "failed" and t["retry_count"] for t in read)
    assert any(t["status"] == "success" and t["retry_count"] for t in read)
    assert PROMPTS["s-0033-p1"]["previous_prompt_id"] == "s-0029-p3"


def test_telemetry_is_tied_to_responses_by_trace() -> None:
    traces = {r["trace_context"]["trace_id"] for r in RESPONSES.values()}
    spans = {r["trace_context"]["span_id"] for r in RESPONSES.values()}
    tied = [e for e in EVENTS if "event_type" in e and "trace_id" in e]
    assert len(tied) >= 15
    assert all(e["trace_id"] in traces and e["span_id"] in spans for e in tied)
    errors = by_id(of_type("llm.error.occurred"))
    chain = ["err-0020-4"]
    while "triggered_by" in errors[chain[-1]]["payload"]:
        chain.append(errors[chain[-1]]["payload"]["triggered_by"])
    assert len(chain) == 4


def test_nothing_looks_like_a_secret_or_a_real_person() -> None:
    secret = re.compile(
        r"\b(?:sk|pk|rk|ghp|gho|xox[abp]|AKIA|AIza|hvs)[-_]?[A-Za-z0-9]{16,}"
        r"|-----BEGIN|eyJ[A-Za-z0-9_-]{10,}\.|(?i:password|api[_-]?key)\s*[:=]"
    )
    card = re.compile(r"\b(?:\d[ -]?){13,19}\b")
    for event in EVENTS:
        for text in strings({k: v for k, v in event.items() if k != "trace_context"}):
            assert not secret.search(text)
            for host in re.findall(r"[\w.+-]+@([\w.-]+\w)", text):
                assert host == "example.com"
            for host in re.findall(r"https?://([^/\s]+)", text):
                assert host.endswith(".example")
            if card.search(text) and not re.fullmatch("[0-9a-f]{16,32}", text):
                assert event["event_id"].startswith(f"{LEAK}-p3")
