"""Queries and counts over the demo, compared with the same in plain Python."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import orjson
import pytest
from flask import Flask

from memgraph.bootstrap import App
from memgraph.domain.schema import GraphModel
from memgraph.domain.selection import sortable
from memgraph.graph.kinds import find_spec
from tests.api.conftest import Caller
from tests.api.served_demo import Demo, Json, keys, load, same


@pytest.fixture(scope="module")
def demo(parts: App, web: Flask) -> Demo:
    """Nobody writes here."""
    return load(parts, web)


def test_a_node_is_shown_as_it_is_read_alone(demo: Demo) -> None:
    for kind in ("prompt", "response", "session", "agent", "tool_invocation"):
        spec = find_spec(demo.model, kind)
        expected = {n[spec.key[0]]: n for n in orjson.loads(_json(demo.nodes(kind)))}
        found = demo.all(kind)
        assert {n[spec.key[0]]: n for n in found} == expected


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


ORDERED: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
FIELDS = [
    ("response", "latency_ms"),
    ("response", "cost_usd"),
    ("response", "created_at"),
    ("response", "total_tokens"),
    ("response", "model_id"),
    ("prompt", "prompt_id"),
    ("prompt", "user_id"),
    ("prompt", "temperature"),
    ("tool_invocation", "tool_name"),
    ("prompt_template", "template_id"),
    ("prompt_template", "version"),
    ("session", "metadata.task_id"),
]


def stored(field: str) -> str:
    return field.replace("metadata.", "metadata_")


def middle(demo: Demo, kind: str, field: str) -> Any:
    values = sorted(n[stored(field)] for n in demo.nodes(kind) if stored(field) in n)
    return values[len(values) // 2] if values else None


@pytest.mark.parametrize("name", ORDERED)
@pytest.mark.parametrize(("kind", "field"), FIELDS)
def test_a_comparison(demo: Demo, kind: str, field: str, name: str) -> None:
    value = middle(demo, kind, field)
    if value is None:
        value = "1"
    sent = value.isoformat() if isinstance(value, datetime) else value
    found = demo.all(kind, where=[{"field": field, "operator": name, "value": sent}])
    same(
        demo,
        kind,
        found,
        lambda n: n.get(stored(field)) is not None and ORDERED[name](n[stored(field)], value),
    )


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        ("tool_invocation", "status", "failed"),
        ("response", "error_type", "timeout"),
        ("session", "is_active", False),
        ("prompt", "token_count", 10),
    ],
)
def test_ne_is_all_that_eq_does_not_find(demo: Demo, kind: str, field: str, value: Any) -> None:
    found = demo.all(kind, where=[{"field": field, "operator": "ne", "value": value}])
    same(demo, kind, found, lambda n: n.get(field) != value)
    assert len(found) > 0


def test_in(demo: Demo) -> None:
    tools = sorted({n["tool_name"] for n in demo.nodes("tool_invocation")})[:2]
    where = [{"field": "tool_name", "operator": "in", "value": tools}]
    same(demo, "tool", demo.all("tool", where=where), lambda n: n["tool_name"] in tools)
    some = [n["prompt_id"] for n in demo.nodes("prompt")[:7]]
    where = [{"field": "prompt_id", "operator": "in", "value": [*some, "none"]}]
    found = demo.all("prompt", where=where, page=3)
    assert [n["prompt_id"] for n in found] == sorted(some)


def test_exists(demo: Demo) -> None:
    for kind, field in (("response", "error_type"), ("prompt", "tags"), ("agent", "metadata")):
        for value in (True, False):
            where = [{"field": field, "operator": "exists", "value": value}]
            same(demo, kind, demo.all(kind, where=where), lambda n, f=field, v=value: (f in n) is v)


def test_a_list_contains(demo: Demo) -> None:
    tag = next(tag for n in demo.nodes("prompt") for tag in n.get("tags", ()))
    where = [{"field": "tags", "operator": "contains", "value": tag}]
    found = demo.all("prompt", where=where)
    same(demo, "prompt", found, lambda n: tag in n.get("tags", ()))
    assert found


def test_a_text_contains_words_in_any_order(demo: Demo) -> None:
    def has(node: Json) -> bool:
        words = "".join(c if c.isalnum() else " " for c in node.get("text", "").lower()).split()
        return {"order", "where"} <= set(words)

    where = [{"field": "text", "operator": "contains", "value": "Where ORDER"}]
    found = demo.all("prompt", where=where, page=3)
    same(demo, "prompt", found, has)
    assert found
    assert demo.ask("prompt", where=where, count=True)["count"] == {
        "value": len(found),
        "relation": "exact",
    }


def test_conditions_are_all_met(demo: Demo) -> None:
    where = [
        {"field": "status", "operator": "eq", "value": "success"},
        {"field": "duration_ms", "operator": "gt", "value": 200},
        {"field": "duration_ms", "operator": "lt", "value": 900},
    ]
    found = demo.all("tool", where=where)
    same(
        demo,
        "tool",
        found,
        lambda n: n["status"] == "success" and 200 < n.get("duration_ms", 0) < 900,
    )
    assert found


def sorts(model: GraphModel) -> Iterator[tuple[str, str]]:
    for spec in model.nodes.values():
        if spec.is_content:
            yield from ((spec.snake, field) for field in sortable(spec))


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_are_the_whole_list_in_every_order(demo: Demo, direction: str) -> None:
    for kind, field in sorts(demo.model):
        spec = find_spec(demo.model, kind)
        column = stored(field)
        wanted = sorted(
            (n for n in demo.nodes(kind) if column in n),
            key=lambda n: (n[column], *(n[k] for k in spec.key)),
            reverse=direction == "desc",
        )
        size = max(1, len(wanted) // 3)
        order = {"field": field, "direction": direction}
        found = demo.all(kind, page=min(size, 500), sort=order)
        assert keys(spec, found) == keys(spec, orjson.loads(_json(wanted))), (kind, field)


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("field", ["created_at", "prompt_id"])
def test_pages_stay_while_others_insert(parts: App, web: Flask, direction: str, field: str) -> None:
    own = load(parts, web)
    before = [
        n["prompt_id"] for n in own.all("prompt", sort={"field": field, "direction": direction})
    ]
    seen, cursor = [], None
    for turn in range(1_000):
        more = {"cursor": cursor} if cursor else {}
        order = {"field": field, "direction": direction}
        page = own.ask("prompt", limit=7, sort=order, **more)
        seen += [n["prompt_id"] for n in page["items"]]
        # One before and one behind all that is read, whichever way.
        for day, name in (("2016-01-01", "0"), ("2026-06-01", "zz")):
            body = {
                "id": f"{name}-{turn}",
                "timestamp": f"{day}T00:00:00Z",
                "prompt": {"text": "x"},
            }
            assert own.api.post("/sessions/new/prompts", body).status_code == 201
        cursor = page["next_cursor"]
        if cursor is None or len(seen) > len(before) + 30:
            break
    old = [id_ for id_ in seen if id_ in set(before)]
    assert old == before
    assert len(seen) == len(set(seen))


def test_what_ends_and_begins_with_the_same_value_is_shown_once(api: Caller) -> None:
    ids = ["a", "b", "\uff43", "🦊", "é", "Z"]
    for id_ in ids:
        body = {"id": id_, "timestamp": "2026-01-01T00:00:00Z", "prompt": {"text": "x"}}
        api.post("/sessions/s/prompts", body)
    for sort in ({"field": "created_at"}, {"field": "prompt_id"}):
        for direction in ("asc", "desc"):
            seen, cursor = [], None
            for _ in range(len(ids)):
                body = {"kind": "prompt", "limit": 1, "sort": {**sort, "direction": direction}}
                page = api.post("/query", {**body, **({"cursor": cursor} if cursor else {})}).json
                seen += [n["prompt_id"] for n in page["items"]]
                cursor = page["next_cursor"]
            assert (sorted(seen), cursor) == (sorted(ids), None)


class TestCounts:
    def test_all_of_a_class(self, demo: Demo) -> None:
        for spec in demo.model.nodes.values():
            if spec.is_content:
                found = demo.ask(spec.snake, count=True, limit=1)["count"]
                assert found == {"value": len(demo.nodes(spec.snake)), "relation": "exact"}

    def test_some_of_it(self, demo: Demo) -> None:
        where = [{"field": "status", "operator": "eq", "value": "failed"}]
        failed = sum(n["status"] == "failed" for n in demo.nodes("tool"))
        found = demo.ask("tool", where=where, count=True, limit=1)["count"]
        assert found == {"value": failed, "relation": "exact"}

    def test_what_a_sort_leaves_out_is_not_counted(self, demo: Demo) -> None:
        found = demo.ask("response", sort={"field": "error_type"}, count=True)
        assert found["count"]["value"] == sum("error_type" in n for n in demo.nodes("response"))

    def test_many_are_counted_to_a_bound(self, demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("memgraph.graph.selector.MOST_COUNTED", 5)
        where = [{"field": "created_at", "operator": "gt", "value": "2016-01-01T00:00:00Z"}]
        found = demo.ask("prompt", where=where, count=True)["count"]
        assert found == {"value": 5, "relation": "at_least"}


EXPLAINED = [
    ({"kind": "prompt"}, "range", "prompt_prompt_id_unique"),
    ({"kind": "prompt", "sort": {"field": "created_at"}}, "range", "prompt_created_at_range"),
    (
        {"kind": "prompt", "where": [{"field": "prompt_id", "operator": "eq", "value": "x"}]},
        "key",
        "prompt_prompt_id_unique",
    ),
    (
        {
            "kind": "template",
            "where": [
                {"field": "template_id", "operator": "eq", "value": "x"},
                {"field": "version", "operator": "in", "value": ["1.0.0"]},
            ],
        },
        "key",
        "prompt_template_template_id_version_unique",
    ),
    (
        {"kind": "prompt", "where": [{"field": "text", "operator": "contains", "value": "x"}]},
        "fulltext",
        "prompt_text_fulltext",
    ),
    (
        {"kind": "prompt", "related": [{"type": "PART_OF", "kind": "session", "id": "x"}]},
        "traversal",
        "session_session_id_unique",
    ),
    (
        {
            "kind": "response",
            "where": [
                {"field": "latency_ms", "operator": "gt", "value": 1},
                {"field": "model_id", "operator": "eq", "value": "x"},
            ],
            "sort": {"field": "created_at"},
        },
        "range",
        "response_model_id_range",
    ),
    (
        {
            "kind": "response",
            "where": [{"field": "latency_ms", "operator": "gt", "value": 1}],
            "sort": {"field": "created_at"},
        },
        "range",
        "response_latency_ms_range",
    ),
    (
        {
            "kind": "session",
            "where": [{"field": "purpose", "operator": "eq", "value": "chat"}],
            "sort": {"field": "created_at"},
        },
        "range",
        "session_created_at_range",
    ),
    (
        {
            "kind": "session",
            "where": [{"field": "metadata.trial", "operator": "eq", "value": "1"}],
        },
        "range",
        "session_metadata_trial_range",
    ),
]


@pytest.mark.parametrize(("query", "access", "index"), EXPLAINED)
def test_the_plan_says_the_access(demo: Demo, query: Json, access: str, index: str) -> None:
    plan = demo.ask(**query, explain=True)["plan"]
    assert (plan["access"], plan["index"]) == (access, index)
    assert plan["statement"]
    assert "plan" not in demo.ask(**query)
