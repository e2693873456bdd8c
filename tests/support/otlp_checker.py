"""Compare what a recording of OTLP was assembled to with what its program says it did.

Run it: ``python -m tests.support.otlp_checker FOLDER...``; it prints a table for each folder
and exits with 1 when something is missing or invented.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memgraph.domain import events as ev
from memgraph.services.ingest.formats.records import Record
from tests.support.otlp_recordings import Recording

Facts = dict[str, Counter[Any]]
UNSAID = "-"
"""Stands for a session without an id, a prompt that was not sent, and the like."""


def canonical(value: Any) -> str:
    """Write a value so that JSON inside strings compares as what it says."""
    for _ in range(3):
        if not isinstance(value, str):
            break
        try:
            value = json.loads(value)
        except ValueError:
            break
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def expected_facts(recording: Recording) -> tuple[Facts, Facts]:
    """List what must be found, and what may be found although it was not sent so."""
    must: Facts = defaultdict(Counter)
    may: Facts = defaultdict(Counter)
    for kind, fact, name in _expected(recording.expected, recording.unsent):
        (may if name in recording.unsent else must)[kind][fact] += 1
    return must, may


def _expected(expected: dict[str, Any], unsent: dict[str, Any]) -> Iterator[tuple[str, Any, str]]:
    """Yield kind, fact and the name that the fact has among those not sent."""
    conversations = expected["conversations"]
    for conversation in conversations:
        n, session = conversation["n"], conversation["id"] or UNSAID
        unsent_prompt = f"conversation {n} prompt"
        if conversation["turns"]:
            yield "sessions", session, unsent_prompt
            if conversation["user"]:
                yield "users", (session, conversation["user"]), ""
        for turn in conversation["turns"]:
            yield "prompts", (session, turn["user"]), unsent_prompt
    yield from _expected_steps(expected["steps"], conversations, unsent)


def _expected_steps(
    steps: list[dict[str, Any]], conversations: list[dict[str, Any]], unsent: dict[str, Any]
) -> Iterator[tuple[str, Any, str]]:
    asked: dict[tuple[int, str], tuple[str, str]] = {}
    answered: set[tuple[int, str]] = set()
    prompt, systems, handled = "", set[Any](), set[Any]()
    for step in steps:
        n, conversation = step["n"], step["conversation"]
        session = conversations[conversation]["id"] or UNSAID
        match step["kind"]:
            case "llm":
                users = [m["text"] for m in step["input"] if m["role"] == "user"]
                prompt = users[-1].removesuffix("\n[image_url]")
                known = f"step {n} llm input user text" not in unsent
                place = (session, prompt if known else UNSAID)
                if known and (agent := step.get("agent")) and (session, prompt) not in handled:
                    handled.add((session, prompt))
                    yield "handled by", (*place, agent), ""
                yield from _expected_call(step, place, unsent)
                for message in step["input"]:
                    if message["role"] == "system" and known:
                        systems.add((session, message["text"]))
                    if message["role"] == "tool":
                        answered.add((conversation, message["tool_call_id"]))
                        key = (conversation, message["tool_call_id"])
                        name = f"step {n} llm input tool text"
                        told = canonical(message["text"])
                        yield "results read", (session, *asked[key], told), name
                for call in (step["output"] or {}).get("tool_calls", ()):
                    key = (conversation, call["id"])
                    asked[key] = (call["name"], canonical(call["arguments"]))
                    yield "tool calls", (session, *asked[key]), ""
            case "tool":
                run = (session, step["name"], canonical(step["arguments"]))
                if "error" in step:
                    name = f"step {n} tool error message"
                    yield "tool errors", (*run, step["error"]["message"]), name
                else:
                    yield "tool results", (*run, canonical(step["result"])), ""
            case "retrieval":
                asked_for = step.get("prompt", prompt)
                is_named_only = f"step {n} retrieval document text" in unsent
                for d in step["documents"]:
                    text = "" if is_named_only else d["text_start"]
                    fact = (session, asked_for, d["id"] or UNSAID, text, d["score"])
                    yield "documents", fact, f"step {n} retrieval"
            case "agent":
                yield "agents", step["agent"], ""
            case "handoff":
                yield "handoffs", (session, step["from"], step["to"]), ""
            case "embedding":
                tokens = step["usage"]["prompt_tokens"]
                yield "embeddings", (step["model_requested"], tokens), ""
    for fact in systems:
        yield "system prompts", fact, ""


def _expected_call(
    step: dict[str, Any], place: Any, unsent: dict[str, Any]
) -> Iterator[tuple[str, Any, str]]:
    n, output, usage = step["n"], step["output"], step["usage"]
    if output:
        calls = tuple((c["name"], canonical(c["arguments"])) for c in output["tool_calls"])
        yield "responses", (*place, output["text"], calls), ""
        # The Responses API says of every answer that it is completed.
        reason = output["finish_reason"].replace("completed", "stop")
        yield "finish reasons", (*place, reason), f"step {n} llm finish_reason"
    if usage:
        name = f"step {n} llm usage"
        total, cached = usage["total_tokens"], usage["cached_prompt_tokens"]
        counts = [usage["prompt_tokens"], usage["completion_tokens"], total, cached]
        # What a library counts otherwise than the model is found as it was sent.
        if (sent := unsent.get(name, {}).get("sent")) is not None:
            counts, name = sent, ""
        yield "tokens", (*place, *counts), name
        yield "invocations", total, name
    if "error" in step:
        yield "errors", (*place, step["error"]["message"]), ""


def found_facts(records: list[Record]) -> Facts:
    """List what the events say."""
    facts: Facts = defaultdict(Counter)
    events = [record.event for record in records]
    places = _places(events)
    sessions: dict[str, set[Any]] = defaultdict(set)
    for event in events:
        for kind, fact in _found(event, places):
            facts[kind][fact] += 1
        if isinstance(event, ev.PromptEvent):
            session = event.session
            sessions[session.id] |= {session.user_id} - {None}
            for message in event.context.conversation_history or () if event.context else ():
                facts["system prompts"][(_shown(session.id), message.content)] = 1
    for session_id, users in sessions.items():
        facts["sessions"][_shown(session_id)] += 1
        facts["users"].update((_shown(session_id), user) for user in users)
    return facts


def _shown(session_id: str) -> str:
    """A session that is its trace has no id that the program could know."""
    is_trace = len(session_id) == 32 and set(session_id) <= set("0123456789abcdef")
    return UNSAID if is_trace else session_id


def _places(events: list[Any]) -> dict[str, tuple[str, str]]:
    """Session and prompt of every prompt, response and invocation."""
    places = {
        e.event_id: (_shown(e.session.id), e.prompt.text)
        for e in events
        if isinstance(e, ev.PromptEvent)
    }
    for event in events:
        if isinstance(event, ev.ResponseEvent):
            place = places.get(event.prompt_event_id, (UNSAID, UNSAID))
            places[event.event_id] = place
            for call in event.response.tool_calls or ():
                places[call.id] = place
    return places


def _found(event: Any, places: dict[str, tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    match event:
        case ev.PromptEvent():
            yield from _found_prompt(event, places[event.event_id])
        case ev.ResponseEvent():
            yield from _found_response(event, places[event.event_id])
        case ev.ToolEvent():
            yield from _found_tool(event, places)
        case ev.AgentEvent():
            yield "agents", event.agent.id
        case ev.HandoffEvent():
            session, _ = places.get(event.response_id, (UNSAID, UNSAID))
            yield "handoffs", (session, event.from_agent_id, event.to_agent_id)
        case ev.ErrorEvent():
            yield "errors", (UNSAID, UNSAID, event.payload.message)
        case ev.InvocationEvent():
            told = (event.payload.model_id, event.payload.token_count)
            if "embedding" in event.payload.model_id:
                yield "embeddings", told
            elif told[1] is not None:
                yield "invocations", told[1]


def _found_prompt(event: Any, place: tuple[str, str]) -> Iterator[tuple[str, Any]]:
    yield "prompts", place
    if event.agent_id:
        yield "handled by", (*place, event.agent_id)
    for d in (event.context.documents or ()) if event.context else ():
        id_ = UNSAID if d.id.startswith("document-") else d.id
        yield "documents", (*place, id_, (d.content or "")[:40], d.relevance_score)


def _found_response(event: Any, place: tuple[str, str]) -> Iterator[tuple[str, Any]]:
    response, usage = event.response, event.usage
    calls = tuple(
        (c.function.name, canonical(c.function.arguments)) for c in response.tool_calls or ()
    )
    if event.error:
        yield "errors", (*place, event.error.message)
    else:
        yield "responses", (*place, response.text, calls)
    if response.finish_reason:
        yield "finish reasons", (*place, response.finish_reason.value)
    if usage:
        counts = (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)
        yield "tokens", (*place, *counts, usage.cached_tokens or 0)
    for call in calls:
        yield "tool calls", (place[0], *call)
    for text in (response.metadata or {}).get("system", ()):
        yield "system prompts", (place[0], text)


def _found_tool(event: Any, places: dict[str, tuple[str, str]]) -> Iterator[tuple[str, Any]]:
    session, _ = places.get(event.invocation_id, (UNSAID, UNSAID))
    run = (session, event.tool_name, canonical(event.parameters))
    if event.result is not None:
        yield "results read", (*run, canonical(event.result))
    if event.status == "failed":
        yield "tool errors", (*run, event.error)
    else:
        yield "tool results", (*run, canonical(event.result))


SETS = {"agents", "system prompts", "results read"}
"""Kinds that a scenario tells of each time they play a part."""
MESSAGES = {"errors", "tool errors"}
"""Kinds that end in a message, which libraries wrap in words of their own."""
READ_ONLY = {"results read", "tool results", "tool errors"}
"""What a scenario tells of tools: results that models read, of tools with a step and without."""


@dataclass
class Difference:
    """One line of the table."""

    kind: str
    found: int = 0
    missing: list[Any] | None = None
    invented: list[Any] | None = None


def compare(recording: Recording, records: list[Record]) -> list[Difference]:
    """Compare kind by kind."""
    must, may = expected_facts(recording)
    found = found_facts(records)
    # What a model read of a tool without a step of its own is that tool's result, too.
    known = {fact[:-1] for kind in ("tool results", "tool errors") for fact in must[kind]}
    known |= {fact[:-1] for fact in may["tool errors"]}
    for facts in (must, may):
        for fact in facts["results read"]:
            if fact[:-1] not in known:
                may["tool results"][fact] = 1
                read = [f for f in found["tool results"] if f[:-1] == fact[:-1]]
                may["tool results"].update({f: 1 for f in read if f not in may["tool results"]})
    differences = []
    for kind in sorted({*must, *may, *found}):
        line = Difference(kind, sum(found[kind].values()))
        line.missing, line.invented = _difference(kind, must[kind], may[kind], found[kind])
        differences.append(line)
    return differences


def _difference(
    kind: str, must: Counter[Any], may: Counter[Any], found: Counter[Any]
) -> tuple[list[Any], list[Any]]:
    if kind in SETS:
        must, may, found = Counter(set(must)), Counter(set(may)), Counter(set(found))
    if kind == "results read":
        # Told by tools with a step as well, whether a model read them or not.
        return list((must - found).elements()), []
    if kind in MESSAGES:
        return _unmatched(must, may, found)
    missing, surplus = must - found, found - must
    # A session without an id is told by its trace, of which the scenario knows nothing.
    return list(missing.elements()), list((surplus - may).elements())


def _unmatched(
    must: Counter[Any], may: Counter[Any], found: Counter[Any]
) -> tuple[list[Any], list[Any]]:
    left = list(found.elements())
    missing = []
    for *place, message in must.elements():
        match = next((f for f in left if _says(f, place, message)), None)
        if match is None:
            missing.append((*place, message))
        else:
            left.remove(match)
    for *place, _ in may.elements():
        match = next((f for f in left if list(f[:-1]) == place), None)
        if match is not None:
            left.remove(match)
    return missing, left


def _says(fact: Any, place: list[Any], message: str) -> bool:
    return list(fact[:-1]) == place and message in (fact[-1] or "")


def table(name: str, differences: list[Difference]) -> str:
    """Write a table of found, missing and invented, and each difference below it."""
    lines = [f"{name:<16} {'found':>6} {'missing':>8} {'invented':>9}"]
    for d in differences:
        missing, invented = d.missing or [], d.invented or []
        lines.append(f"{d.kind:<16} {d.found:>6} {len(missing):>8} {len(invented):>9}")
    for d in differences:
        lines += [f"  missing  {d.kind}: {fact}" for fact in d.missing or ()]
        lines += [f"  invented {d.kind}: {fact}" for fact in d.invented or ()]
    return "\n".join(lines)


def main(folders: list[str]) -> int:
    wrong = 0
    for folder in folders:
        recording = Recording.of(Path(folder))
        differences = compare(recording, recording.records())
        print(table(Path(folder).name, differences), end="\n\n")
        wrong += sum(len(d.missing or ()) + len(d.invented or ()) for d in differences)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
