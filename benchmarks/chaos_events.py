"""What a run of chaos sends: events in sessions, some broken, some large, by every door."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

import orjson

from memgraph.domain.events import read_event
from memgraph.domain.events.changes import notes_of, read_notes
from memgraph.ids import now
from memgraph.services.ingest.graph_rows import to_mutation
from memgraph.services.ingest.topics import payload_of

REST = ""
"""Stands for the door of events that go through no topic."""
PROMPTS, RESPONSES, TOOLS = "llm.prompts.v1", "llm.responses.v1", "chaos.tools.v1"
TOPICS = (PROMPTS, RESPONSES, TOOLS)
TOPIC_SHARE = 0.4
BROKEN_SHARE = 0.1
BATCH = 200
LARGE_CHARS = 1_000_000
SESSIONS, USERS = 97, 17


@dataclass(frozen=True, slots=True)
class Event:
    """An event on its way through a topic or, without one, through REST."""

    event_id: str
    session_id: str
    payload: bytes
    topic: str = REST

    @property
    def is_broken(self) -> bool:
        return b"unknown_field" in self.payload

    @property
    def meant(self) -> bytes:
        """The payload as the pipeline reads it."""
        return payload_of(self.topic, self.payload)


def generate(count: int, random: Random) -> list[Event]:
    """Prompts, their responses and tool calls; a share is broken, a share goes through topics."""
    first = now() - timedelta(days=1)
    events = []
    for n in range(count):
        turn, kind = divmod(n, 3)
        base = {"event_id": f"e{n}", "timestamp": (first + timedelta(seconds=n)).isoformat()}
        said = _SAYS[kind](turn, n, random)
        if random.random() < BROKEN_SHARE:
            said["unknown_field"] = 1
        topic = TOPICS[kind] if random.random() < TOPIC_SHARE else REST
        events.append(Event(f"e{n}", _session(turn), orjson.dumps(base | said), topic))
    return events


def _session(turn: int) -> str:
    return f"s{turn % SESSIONS}"


def _prompt(turn: int, n: int, random: Random) -> dict[str, Any]:
    text = f"question {turn} " * random.randint(1, 30)
    about = {"id": _session(turn), "userId": f"u{turn % USERS}"}
    return {"prompt": {"text": text}, "session": about, "model": {"id": "m"}}


def _response(turn: int, n: int, random: Random) -> dict[str, Any]:
    call = {"id": f"t{turn}", "function": {"name": "look", "arguments": "{}"}}
    body = {"text": f"answer {turn}", "tool_calls": [call]}
    return {"prompt_event_id": f"e{n - 1}", "response": body, "model": {"id": "m"}}


def _tool(turn: int, n: int, random: Random) -> dict[str, Any]:
    called = {"type": "tool", "invocation_id": f"t{turn}", "status": "success"}
    return called | {"tool_name": "look", "result": {"turn": turn}, "duration_ms": turn % 100}


_SAYS = (_prompt, _response, _tool)


def batches(events: Sequence[Event], random: Random) -> tuple[list[list[Event]], list[list[Event]]]:
    """What goes out together by REST and by topics: in any order, each with a large event."""
    shuffled = list(events)
    random.shuffle(shuffled)
    doors: dict[bool, list[Event]] = defaultdict(list)
    for event in shuffled:
        doors[event.topic == REST].append(event)
    return _cut(doors[True], REST), _cut(doors[False], PROMPTS)


def _cut(events: list[Event], large_goes_to: str) -> list[list[Event]]:
    return [
        [*events[at : at + BATCH], _large(at // BATCH, large_goes_to)]
        for at in range(0, len(events), BATCH)
    ]


def _large(number: int, topic: str) -> Event:
    name = f"large-{topic}-{number}"
    payload = {
        "event_id": name,
        "timestamp": (now() + timedelta(hours=1)).isoformat(),  # a clock that is wrong
        "prompt": {"text": "x" * LARGE_CHARS},
        "session": {"id": name},
    }
    return Event(name, name, orjson.dumps(payload), topic)


def told_of(tenant_id: str, event: Event) -> list[str]:
    """The ids of the events that go out when this one is stored."""
    mutation = to_mutation(read_event(event.meant), event.meant)
    return [change.id(tenant_id) for change in read_notes(notes_of([mutation]))]
