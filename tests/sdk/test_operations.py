"""The client has a method for every operation of the service, and says all that it takes."""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import orjson
import pytest
from flask import Flask
from memgraph_sdk import Client, NotFound
from memgraph_sdk.group import Group

from memgraph.derive.__main__ import CLIENT, drifted
from memgraph.derive.sdk import client_modules

LEFT_OUT = {
    "export_logs": "for exporters of OpenTelemetry",
    "export_traces": "for exporters of OpenTelemetry",
    "read_liveness": "for load balancers, without a credential",
    "read_readiness": "for load balancers, without a credential",
}
"""Operations that are not a client's, and why."""
ID = "id"


@pytest.fixture(scope="module")
def document(web: Flask) -> Any:
    """The OpenAPI document."""
    return web.test_client().get("/openapi.json").json


class Recorder:
    """Answers nothing and keeps what was asked."""

    def __init__(self) -> None:
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        return httpx2.Response(404, json={"code": "not_found", "detail": ""})


def methods(client: Client) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every method that sends something, by the name that users type."""
    for group in (client, *(g for g in vars(client).values() if isinstance(g, Group))):
        for name, method in inspect.getmembers(group, inspect.ismethod):
            if not name.startswith("_") and (group is not client or name != "close"):
                prefix = "" if group is client else f"{type(group).__name__}."
                yield prefix + name, method


def call_of(method: Callable[..., Any]) -> tuple[list[str], dict[str, Any]]:
    """Arguments that say all that a method can say."""
    ids: list[str] = []
    fields: dict[str, Any] = {}
    hints = typing.get_type_hints(method, include_extras=True)
    for parameter in inspect.signature(method).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            (typed,) = typing.get_args(hints[parameter.name])
            fields |= dict.fromkeys(typing.get_type_hints(typed), "x")
        elif parameter.kind is parameter.KEYWORD_ONLY:
            fields[parameter.name] = "x"
        else:
            ids.append(ID)
    return ids, fields


class Sent(typing.NamedTuple):
    """What a method sends."""

    name: str
    operation: str
    parameters: set[str]
    fields: set[str]


def fields_of(document: Any, operation: Any) -> set[str]:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return set()
    schema = content["application/json"]["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return set(schema.get("properties", ()))  # none: the body is the one argument


def parameters_of(operation: Any) -> set[str]:
    return {p["name"] for p in operation.get("parameters", ()) if p.get("in") == "query"}


@pytest.fixture(scope="module")
def described(document: Any) -> dict[str, tuple[str, re.Pattern[str], Any]]:
    """Method, path and entry of every operation."""
    return {
        o["operationId"]: (method.upper(), re.compile(re.sub(r"\{\w+\}", ID, path)), o)
        for path, entries in document["paths"].items()
        for method, o in entries.items()
    }


@pytest.fixture(scope="module")
def sent(described: dict[str, tuple[str, re.Pattern[str], Any]]) -> list[Sent]:
    """What every method sends when it says all that it can."""
    recorder = Recorder()
    found = []
    with Client("http://service", "key", transport=httpx2.MockTransport(recorder)) as client:
        for name, method in methods(client):
            ids, fields = call_of(method)
            with pytest.raises(NotFound):
                answer = method(*ids, **fields)
                next(answer)
            request = recorder.requests.pop()
            assert recorder.requests == []
            found.append(_sent(name, request, described))
    return found


def _sent(name: str, request: httpx2.Request, described: Any) -> Sent:
    (operation,) = (
        id_
        for id_, (method, path, _) in described.items()
        if method == request.method and path.fullmatch(request.url.path)
    )
    body = orjson.loads(request.content) if request.content else {}
    fields = set(body) if isinstance(body, dict) else set()
    return Sent(name, operation, set(request.url.params), fields)


def test_every_operation_has_a_method(
    sent: list[Sent], described: dict[str, tuple[str, re.Pattern[str], Any]]
) -> None:
    called = {s.operation for s in sent}
    assert called.isdisjoint(LEFT_OUT)
    assert called | set(LEFT_OUT) == set(described)


def test_a_method_sends_nothing_that_the_operation_does_not_know(
    document: Any, sent: list[Sent], described: dict[str, tuple[str, re.Pattern[str], Any]]
) -> None:
    for s in sent:
        operation = described[s.operation][2]
        assert s.fields <= fields_of(document, operation), s.name
        assert s.parameters <= parameters_of(operation), s.name


def test_everything_that_an_operation_knows_can_be_said(
    document: Any, sent: list[Sent], described: dict[str, tuple[str, re.Pattern[str], Any]]
) -> None:
    for name, (_, _, operation) in described.items():
        said: set[str] = set()
        for s in sent:
            if s.operation == name:
                said |= s.fields | s.parameters
        assert name in LEFT_OUT or said == fields_of(document, operation) | parameters_of(operation)


def test_the_generated_modules_have_not_drifted() -> None:
    assert drifted(CLIENT, client_modules()) == [], "run `python -m memgraph.derive`"
