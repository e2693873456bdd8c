"""Every operation, by two tenants with the same ids, in every role: generated from the routes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import orjson
import pytest
from flask import Flask

from memgraph.api.application import operations
from memgraph.api.operations import API, Operation
from memgraph.bootstrap import App
from memgraph.domain.access import PERMISSIONS, Role
from memgraph.domain.events import read_event
from memgraph.domain.mutations import Ended, Letter, Totals
from memgraph.services.ingest.graph_rows import to_mutation
from tests.api.conftest import Caller
from tests.support.events import at, event, small_story
from tests.support.twins import told_by

OPERATIONS = operations()
VALUES = {
    "session_id": "s1",
    "prompt_id": "p2",
    "response_id": "r2",
    "invocation_id": "t2",
    "agent_id": "a1",
    "template_id": "tpl",
    "model_id": "m",
    "context_id": "doc",
    "user_id": "u",
    "score_id": "score",
    "key_id": "000000000000",
    "dead_letter_id": "letter",
}
"""A value for each path parameter: nodes that both tenants have, in words of their own."""
KINDS = {
    "read_lineage": [("response", "r2"), ("prompt", "p2"), ("tool-invocation", "t2")],
    "read_impact": [("template", "tpl"), ("model", "m"), ("document", "doc"), ("tool", "x")],
    "list_neighbours": [("prompt", "p2"), ("session", "s1")],
}
"""What is asked of operations that take any kind of node."""


@dataclass(frozen=True)
class Tenant:
    """A tenant, the word that marks what it said, and a caller in each role."""

    id: str
    canary: str
    callers: dict[Role, Caller]


@pytest.fixture(scope="module")
def tenants(parts: App, web: Flask) -> tuple[Tenant, Tenant]:
    return _tenant(parts, web), _tenant(parts, web)


def _tenant(parts: App, web: Flask) -> Tenant:
    id_, canary = f"tenant-{uuid.uuid4()}", f"canary{uuid.uuid4().hex}"
    score = event(
        event_id="score", type="score", timestamp=at(99), name="n", value=1, response_id="r2"
    )
    events = [orjson.dumps(told_by(canary, orjson.loads(line))) for line in (*small_story(), score)]
    result = parts.writer.write(id_, [to_mutation(read_event(e), e) for e in events])
    assert not result.refusals
    letter = Ended(Totals(dead_lettered=1), [Letter("conflict", "write", canary.encode())])
    parts.writer.write(id_, [], ended=letter)
    name = "MATCH (d:DeadLetter {tenant_id: $tenant}) SET d.dead_letter_id = 'letter'"
    parts.graph.run(name, tenant=id_)
    access = parts.services.access
    keys = {role: access.create_key(id_, name=canary, roles=[role])[1] for role in Role}
    return Tenant(id_, canary, {role: Caller(web, key) for role, key in keys.items()})


def _paths(operation: Operation) -> Iterator[str]:
    rule = operation.rule.removeprefix(API)
    if "<kind>" in rule:
        for kind, id_ in KINDS[operation.name]:
            yield re.sub(r"<id:\w+>", quote(id_, safe=""), rule.replace("<kind>", kind))
        return
    yield re.sub(r"<(?:\w+:)?(\w+)>", lambda m: quote(VALUES[m[1]], safe=""), rule)


def _call(caller: Caller, operation: Operation, path: str) -> tuple[int, str]:
    answer = caller(operation.method, path, operation.example)
    return answer.status_code, answer.text


by_name = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: o.name)


@by_name
def test_an_operation_with_a_body_has_an_example(operation: Operation) -> None:
    has_body = operation.body is not None or operation.raw is not None
    assert has_body == (operation.example is not None)
    assert operation.summary


@by_name
def test_a_role_may_call_what_it_has_the_permission_for(
    tenants: tuple[Tenant, Tenant], operation: Operation
) -> None:
    if operation.permission is None:
        return
    for role, caller in tenants[0].callers.items():
        if operation.permission not in PERMISSIONS[role]:
            for path in _paths(operation):
                assert _call(caller, operation, path)[0] == 403, role


@by_name
def test_nobody_gets_in_without_a_credential(web: Flask, operation: Operation) -> None:
    for path in _paths(operation):
        status, _ = _call(Caller(web, None), operation, path)
        assert (status == 401) == (operation.permission is not None)


READS = [
    o
    for o in OPERATIONS
    # Streams of events need Redis and have tests of their own.
    if o.method == "GET" and o.permission is not None and o.media != "text/event-stream"
]
MARKED_READS = {
    "read_prompt",
    "read_thread",
    "read_lineage",
    "read_session",
    "read_dead_letter",
}
"""Reads whose answer must carry the tenant's own words: the test would notice an empty answer."""


@pytest.mark.parametrize("operation", READS, ids=lambda o: o.name)
def test_a_read_tells_ones_own_and_nothing_of_the_other(
    tenants: tuple[Tenant, Tenant], operation: Operation
) -> None:
    for mine, other in (tenants, tenants[::-1]):
        for path in _paths(operation):
            status, text = _call(mine.callers[Role.ADMIN], operation, path)
            assert status < 300 or "key_id" in operation.rule, text
            assert other.canary not in text
            assert other.id not in text
            if operation.name in MARKED_READS:
                assert mine.canary in text


WRITES = [o for o in OPERATIONS if o.method != "GET" and o.permission is not None]


@pytest.mark.parametrize(
    "operation", sorted(WRITES, key=lambda o: o.method == "DELETE"), ids=lambda o: o.name
)
def test_a_write_changes_ones_own_and_nothing_of_the_other(
    parts: App, tenants: tuple[Tenant, Tenant], operation: Operation
) -> None:
    mine, other = tenants
    before = parts.reader.count(other.id)
    for path in _paths(operation):
        status, text = _call(mine.callers[Role.ADMIN], operation, path)
        assert status < 500, text
        assert status not in (401, 403, 415, 422), text
        assert other.canary not in text
    assert parts.reader.count(other.id) == before
