"""Real files, counted a second time by code that knows only JSON."""

from __future__ import annotations

import gzip
import json
import os
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from memgraph.domain.events import EVENT, read_event
from memgraph.domain.templates import check_declared, parse
from memgraph.services.ingest import formats
from memgraph.services.ingest.formats import FormatOptions, Record
from memgraph.services.ingest.graph_rows import to_mutation

ROOT = Path(__file__).parents[2]
EXCERPTS = ROOT / "tests" / "data"
FULL = Path(os.environ.get("MEMGRAPH_TEST_DATA", ROOT.parent / "shared" / "data"))


def _file(folder: Path, name: str) -> Path:
    """The file in the folder, else its excerpt: the same assertions hold for both."""
    return folder / name if (folder / name).exists() else EXCERPTS / name


@pytest.fixture(scope="module", params=[EXCERPTS, FULL], ids=["excerpt", "full"])
def chats(request: pytest.FixtureRequest) -> Path:
    return _file(request.param, "tau_bench_airline.json")


@pytest.fixture(scope="module", params=[EXCERPTS, FULL], ids=["excerpt", "full"])
def prompts(request: pytest.FixtureRequest) -> Path:
    return _file(request.param, "prompt_versions.jsonl")


def records(path: Path, **options: Any) -> list[Record]:
    """Read a file in which nothing may be refused."""
    items = list(formats.read(path, options=FormatOptions(**options)))
    assert [item for item in items if not isinstance(item, Record)] == []
    return [item for item in items if isinstance(item, Record)]


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def test_conversations_are_counted_alike(chats: Path) -> None:
    tasks = json.loads(chats.read_bytes())
    messages = [m for task in tasks for m in task["traj"]]
    roles = Counter(m["role"] for m in messages)
    calls = [c for m in messages for c in m.get("tool_calls") or ()]
    transfers = [c for c in calls if c["function"]["name"] == "transfer_to_human_agents"]

    found = [record.event for record in records(chats)]
    assert Counter(event.type for event in found) == {
        "model": 1,
        "agent": 2,
        "session": 2 * len(tasks),
        "prompt": roles["user"],
        "response": roles["assistant"],
        "tool": roles["tool"],
        "score": len(tasks),
        "handoff": len(transfers),
    }
    invocations = [c.id for e in found if e.type == "response" for c in e.response.tool_calls or ()]
    assert len(invocations) == len(set(invocations)) == len(calls)
    assert len({event.event_id for event in found}) == len(found)


def test_conversations_say_what_was_said(chats: Path) -> None:
    tasks = json.loads(chats.read_bytes())
    by_id = {record.event.event_id: record.event for record in records(chats)}
    for task in tasks:
        session = f"tau_bench_airline-{task['task_id']}-{task['trial']}"
        prompt, response = 0, 0
        unread: list[str] = []
        assert by_id[f"{session}-created"].session.user_id == task["info"]["task"]["user_id"]
        assert by_id[f"{session}-reward"].value == task["reward"]
        for message in task["traj"]:
            if message["role"] == "user":
                prompt, response = prompt + 1, 0
                event = by_id[f"{session}-p{prompt}"]
                assert event.prompt.text == message["content"]
                [document] = event.context.documents
                assert document.content == task["traj"][0]["content"]
            elif message["role"] == "assistant":
                response += 1
                event = by_id[f"{session}-p{prompt}-r{response}"]
                assert event.response.text == message["content"]
                assert (event.informed_by or []) == unread
                unread = []
            elif message["role"] == "tool":
                call = f"{session}-p{prompt}-r{response}-{message['tool_call_id']}"
                event = by_id[f"{call}-result"]
                unread.append(call)
                is_error = message["content"].startswith("Error")
                assert event.tool_name == message["name"]
                assert event.status == ("failed" if is_error else "success")
                said = event.error if is_error else event.result
                assert said in (message["content"], _json(message["content"]))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def test_time_grows_in_every_session(chats: Path) -> None:
    sessions: dict[str, list[Any]] = {}
    for record in records(chats):
        place = record.position.split(",")[0]
        if record.event.type not in ("model", "agent"):
            sessions.setdefault(place, []).append(record.event.timestamp)
    for times in sessions.values():
        assert all(a < b for a, b in pairwise(times))
        assert "2024-05-16" <= times[0].date().isoformat() <= times[-1].date().isoformat()
        assert times[-1].date().isoformat() < "2024-07-01"


def test_a_seed_decides_every_byte(chats: Path) -> None:
    first, again, other = (
        [record.payload for record in records(chats, seed=seed)] for seed in (5, 5, 6)
    )
    assert first == again
    assert len(first) == len(other)
    assert first != other


def test_compression_changes_nothing(chats: Path, tmp_path: Path) -> None:
    packed = tmp_path / f"{chats.name}.gz"
    packed.write_bytes(gzip.compress(chats.read_bytes(), 1))
    assert [r.payload for r in records(packed)] == [r.payload for r in records(chats)]


def test_prompt_versions_are_counted_alike(prompts: Path) -> None:
    source = lines(prompts)
    found = records(prompts)
    assert len(found) == len(source)
    ids: dict[str, str] = {}
    last: dict[str, str] = {}
    for number, (line, record) in enumerate(zip(source, found, strict=True), 1):
        body = record.event.template
        assert record.position == f"line {number}"
        assert (body.name, body.author) == (line["name"], line["contributor"])
        assert body.version == f"{line['version']}.0.0"
        assert ids.setdefault(line["name"], body.id) == body.id
        assert body.previous_version == last.get(line["name"])
        last[line["name"]] = body.version
        for name in ("type", "for_devs"):
            assert (body.metadata or {}).get(name) == line[name]
    assert len(set(ids.values())) == len(ids)


def test_prompt_texts_are_in_the_grammar_with_their_variables(prompts: Path) -> None:
    defaults = 0
    for line, record in zip(lines(prompts), records(prompts), strict=True):
        body = record.event.template
        variables = body.variables or []
        check_declared(parse(body.text), variables)
        names = {v.name for v in variables}
        for name, _, default in re.findall(r"\$\{([A-Za-z_]\w*)(:([^{}]*))?\}", line["prompt"]):
            assert name in names
            defaults += bool(default)
        if "{" not in line["prompt"]:
            assert body.text == line["prompt"]
    assert defaults


def test_every_payload_is_read_back_and_maps_to_the_graph(chats: Path, prompts: Path) -> None:
    for path in (chats, prompts):
        for record in records(path):
            event = read_event(record.payload)
            assert event == record.event
            assert EVENT.dump_json(event, by_alias=True, exclude_none=True) == record.payload
            to_mutation(event, record.payload).fact_hash()
