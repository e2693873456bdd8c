"""Replay a file of events through the service, one request for each.

    MEMGRAPH_URL=http://127.0.0.1:8080 MEMGRAPH_API_KEY=mg_... python replay.py FILE.jsonl

Ids and times are those of the events, so the graph becomes what it would be had the file been
ingested. Telemetry has no requests of its own and is left out.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from memgraph_sdk import Client

Event = Mapping[str, Any]


def replay(client: Client, events: Iterable[Event]) -> Counter[str]:
    """Say every event, in order; returns how many of each type were said or left out."""
    replayed: Counter[str] = Counter()
    player = _Player(client)
    for event in events:
        kind = event.get("type", "telemetry")
        if kind != "telemetry":
            getattr(player, kind)(event)
        replayed[kind] += 1
    return replayed


class _Player:
    """A method for each type of event. What lives is created first and changed from then on."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: set[tuple[str, str]] = set()

    def session(self, event: Event) -> None:
        body = {**_moment(event), **event["session"]}
        if event["action"] == "created":
            self._client.sessions.create(**body)
            return
        if event["action"] == "closed":
            body["is_active"] = False
        self._client.sessions.update(body.pop("id"), **body)

    def prompt(self, event: Event) -> None:
        session = dict(event["session"])
        self._client.prompts.create(session.pop("id"), **_fact(event, "session"), **session)

    def response(self, event: Event) -> None:
        self._client.responses.create(event["prompt_event_id"], **_fact(event, "prompt_event_id"))

    def handoff(self, event: Event) -> None:
        self._client.handoffs.create(event["response_id"], **_fact(event, "response_id"))

    def score(self, event: Event) -> None:
        self._client.scores.create(**_fact(event))

    def tool(self, event: Event) -> None:
        id_ = event["invocation_id"]
        body = {**_moment(event), **_rest(event, "invocation_id", "response_id")}
        if self._is_new("tool", id_):
            self._client.tool_invocations.create(event["response_id"], id=id_, **body)
        else:
            self._client.tool_invocations.update(id_, **body)

    def agent(self, event: Event) -> None:
        body = {**_moment(event), **event["agent"]}
        if self._is_new("agent", body["id"]):
            self._client.agents.create(**body)
        else:
            self._client.agents.update(body.pop("id"), **body)

    def template(self, event: Event) -> None:
        body = {"timestamp": event["timestamp"], **event["template"]}
        # What the service works out by itself.
        for name in ("override_sections", "depth"):
            body.pop(name, None)
        before = body.pop("previous_version", None)
        if before is None:
            self._client.templates.create(**body)
        else:
            bump = _bump(before, body.pop("version"))
            self._client.templates.create_version(body.pop("id"), bump=bump, **body)

    def model(self, event: Event) -> None:
        body, version = event["model"], event.get("version")
        if version is not None and body.keys() == {"id"}:
            self._client.models.create_version(body["id"], **_moment(event), **version)
        else:
            self._client.models.create(**_moment(event), **body, version=version)

    def _is_new(self, kind: str, id_: str) -> bool:
        is_new = (kind, id_) not in self._known
        self._known.add((kind, id_))
        return is_new


def _rest(event: Event, *without: str) -> dict[str, Any]:
    left_out = {"type", "event_id", "timestamp", *without}
    return {name: value for name, value in event.items() if name not in left_out}


def _moment(event: Event) -> dict[str, Any]:
    """Which event changed what lives, and when."""
    return {"event_id": event["event_id"], "timestamp": event["timestamp"]}


def _fact(event: Event, *without: str) -> dict[str, Any]:
    """A fact has the id of its event."""
    said = {"id": event["event_id"], "timestamp": event["timestamp"]}
    return {**said, **_rest(event, *without)}


def _bump(before: str, after: str) -> Any:
    """The first part of the version that was raised."""
    parts = zip(("major", "minor", "patch"), before.split("."), after.split("."), strict=True)
    return next(name for name, old, new in parts if old != new)


def main() -> None:
    """Replay the file that is named."""
    lines = Path(sys.argv[1]).read_bytes().splitlines()
    with Client() as client:
        replayed = replay(client, map(json.loads, lines))
    for kind, count in sorted(replayed.items()):
        print(f"{count:>6} {kind}")  # noqa: T201 - this is its answer


if __name__ == "__main__":
    main()
