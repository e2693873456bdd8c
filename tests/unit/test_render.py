"""What a person sees: whatever was sent prints as text, on lines of bounded width."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console, RenderableType

from memgraph.bootstrap import build_model
from memgraph.cli import render
from memgraph.settings import Settings

MODEL = build_model(Settings())
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
JOINERS = "\u200c\u200d"
HOSTILE = [
    "[bold]not bold[/bold] [link=https://x.example]x[/link] [/] [red",
    "\x1b[2J\x1b[31mred\x1b]8;;https://x.example\x07\x9b31m",
    "one\r\ntwo\nthree\ttab\x0b\x0c\x85\u2028\u2029four",
    "\u202eright to left\u200f\u2066\u061c\ufeff",
    ":smile: {7*7} %s $(x) \\ \\[bold] `x`",
    "漢字かな交じり文" * 40,
    "x" * 1_000_000,
    " " * 100_000 + "late",
    "👩‍👩‍👧 e\u0301 \u200c\u0627",
    "\ud7ff\ue000\uffff\U0010ffff\x00",
    "",
]

Row = dict[str, Any]


def printed(shown: RenderableType, width: int = 80) -> str:
    """What a terminal gets, without colours; checks that every line is fit for one."""
    file = io.StringIO()
    Console(file=file, width=width, color_system=None, highlight=False).print(shown)
    text = file.getvalue()
    for line in text.split("\n"):
        assert cell_len(line) <= width
        assert all(c.isprintable() or c in JOINERS for c in line), ascii(line)
    return text


def thread(text: str) -> Row:
    """A conversation in which every word of a sender is ``text``."""
    score = {"name": text, "value": 0.5, "source": "user", "comment": text}
    tool = {
        "invocation_id": text,
        "tool_name": text,
        "status": "failed",
        "error": text,
        "retry_count": 2,
        "duration_ms": 5,
        "parameters": {text: text},
        "result": None,
    }
    response = {
        "response_id": text,
        "created_at": AT,
        "text": text,
        "content_ref": None,
        "model_id": text,
        "cost_usd": 0.01,
        "latency_ms": 5,
        "total_tokens": 7,
        "error_type": text or "error",
        "error_message": text,
        "tools": [tool],
        "handoffs": [{"agent_id": text, "name": text, "handoff_reason": text, "priority": "high"}],
        "scores": [score],
    }
    prompt = {
        "prompt_id": text,
        "created_at": AT,
        "text": text,
        "content_ref": None,
        "follows": {"prompt_id": text + "x"},
        "agent": text,
        "template": {"template_id": text, "version": text, "name": text},
        "documents": [{"context_id": text, "title": text, "relevance_score": 0.5}],
        "scores": [score],
        "responses": [response],
    }
    return {
        "session": {"session_id": text, "title": text, "is_active": True},
        "users": [text],
        "applications": [text],
        "scores": [score],
        "prompts": [prompt],
        "is_cut": True,
    }


def lineage(text: str) -> Row:
    properties = dict.fromkeys(("response_id", "text", "status", "role", "kind", "error"), text)
    price = {"version": text, "input_usd_per_1k": 0.1, "output_usd_per_1k": None}
    nodes = [
        {"id": "1", "labels": ["Response"], "properties": {**properties, "cost_usd": 0.1}},
        {"id": "2", "labels": ["Prompt"], "properties": {"prompt_id": text}, "session_id": text},
        {
            "id": "3",
            "labels": ["Score"],
            "properties": {"score_id": text, "name": text, "value": 0.5},
        },
    ]
    nodes[0]["price"] = price
    step = {"from": "1", "start": "1", "is_inferred": True}
    told = {"relevance_score": 0.5, "handoff_reason": text}
    edges = [
        {**step, "type": "RESPONDS_TO", "end": "2", "properties": told},
        {**step, "type": "X", "start": "3", "end": "1", "properties": {}},
        {**step, "type": "Y", "end": "2", "properties": {}},
    ]
    return {"root": "1", "nodes": nodes, "edges": edges, "cuts": ["depth"]}


def impact(text: str) -> Row:
    return {
        "related": {
            "versions": [text, {"version": text}],
            "children": [{"template_id": text, "version": text, "name": text}],
            "invocations": 3,
            "failed": 1,
            "retries": 2,
        },
        "is_cut": True,
        "prompts": 1,
        "sessions": 1,
        "live_sessions": 1,
        "responses": 1,
        "errors": 1,
        "cost_usd": 0.1,
        "first_used_at": AT,
        "last_used_at": None,
        "scores": [{"name": text, "count": 1, "average": 0.5, "lowest": None}],
        "agents": [{"agent_id": text, "name": text, "prompts": 1}],
        "top_sessions": [{"session_id": text, "title": text, "prompts": 1, "last_used_at": AT}],
        "applications": [],
    }


def all_of(text: str) -> Iterable[RenderableType]:
    yield render.thread(thread(text))
    yield render.lineage(lineage(text), MODEL)
    yield render.impact("tool", text, impact(text))


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_words_print_as_text(text: str, width: int) -> None:
    began = time.process_time()
    for shown in all_of(text):
        printed(shown, width)
    assert time.process_time() - began < 10


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_words_print_as_text(text: str) -> None:
    for shown in all_of(text):
        printed(shown)


def test_markup_is_not_obeyed() -> None:
    for shown in all_of("[bold]x[/bold]"):
        assert "[bold]x[/bold]" in printed(shown, 200)
    for shown in all_of("[/]"):  # would be an error in markup
        assert "[/]" in printed(shown, 200)


def test_escapes_do_not_reach_a_terminal_with_colours() -> None:
    file = io.StringIO()
    console = Console(file=file, width=200, force_terminal=True, color_system="truecolor")
    for shown in all_of("\x1b[2J\x9b31m"):
        console.print(shown)
    assert "\x1b[2J" not in file.getvalue()
    assert "\x9b" not in file.getvalue()
    assert "?[2J?31m" in file.getvalue()


def test_a_long_text_is_shortened_and_marked() -> None:
    assert render._line("x" * 1_000_000) == "x" * 159 + "…"
    assert render._line("x" * 160) == "x" * 160
    assert render._line(" a \n\n b ") == "a b"
    assert render._line(None) == ""
    assert render._line(5) == "5"
    assert render._line("👩‍👩‍👧") == "👩‍👩‍👧"


def test_a_thread_says_what_matters() -> None:
    found = thread("word")
    text = printed(render.thread(found), 200)
    for part in (
        "word  word  word  word  open",
        "word  2026-01-02 03:04:05  ⑂ follows wordx  → word  ⟨word@word⟩",
        "▤ word  0.50",
        "word  word  $0.0100  5 ms  7 tokens",
        "✗ word: word",
        "✗ word  2 retries  5 ms  word",
        "⇒ handed to word (high): word",
        "★ word 0.5",
        "… more prompts: raise --limit",
        "1 prompts, 1 responses, 1 tool calls, 7 tokens, $0.0100",
    ):
        assert part in text


@pytest.mark.parametrize(("is_active", "said"), [(True, "open"), (False, "closed"), (None, "open")])
def test_a_session_is_open_until_somebody_closes_it(is_active: bool | None, said: str) -> None:
    found = thread("x")
    found["session"]["is_active"] = is_active
    assert said in printed(render.thread(found)).splitlines()[0]


def test_a_plain_sequence_shows_no_forks() -> None:
    found = thread("p1")
    found["prompts"][0]["follows"] = None
    second = {**found["prompts"][0], "prompt_id": "p2", "follows": {"prompt_id": "p1"}}
    found["prompts"].append(second)
    assert "⑂" not in printed(render.thread(found))


def test_what_is_missing_leaves_no_trace() -> None:
    found = thread("x")
    prompt = found["prompts"][0]
    response = prompt["responses"][0]
    prompt.update(text=None, content_ref="vault://pii/prompt/x", agent=None, template=None)
    response.update(text=None, error_type=None, model_id=None, cost_usd=None, latency_ms=None)
    response.update(total_tokens=None)
    response["tools"][0].update(status="pending", tool_name=None, duration_ms=None, retry_count=0)
    response["handoffs"][0].update(name=None, priority=None)
    text = printed(render.thread(found), 200)
    assert "vault://pii/prompt/x" in text
    assert "None" not in text
    assert "⇒ handed to x: x" in text


def test_a_lineage_says_what_matters() -> None:
    text = printed(render.lineage(lineage("word"), MODEL), 200)
    for part in (
        "Response word  “word”",
        "price then $0.1 in per 1k (word)",
        "RESPONDS_TO → Prompt word",
        "in word",
        "inferred, relevance 0.50, word",
        "X ← Score word  “word”",
        "0.5",
        "3 nodes, 3 edges; cut by depth: there is more",
    ):
        assert part in text
    whole = {**lineage("word"), "cuts": []}
    assert "cut by" not in printed(render.lineage(whole, MODEL))


def test_an_impact_says_what_matters() -> None:
    text = printed(render.impact("template", "word", impact("word")), 200)
    for part in (
        "template word",
        "1  (cut: there are more)",
        "1, 1 open",
        "1, 1 with an error",
        "$0.1000",
        "2026-01-02 03:04:05 to",
        "word, word",
        "word@word",
        "3 invocations, 1 failed, 2 retries",
        "0.50",
    ):
        assert part in text
