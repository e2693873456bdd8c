"""The OpenAPI document and its page."""

from __future__ import annotations

from typing import Any

import pytest

from memgraph.api import versions
from memgraph.api.application import operations
from tests.api.conftest import Caller


@pytest.fixture
def document(api: Caller) -> Any:
    return Caller(api.app, None).get("/openapi.json").json


def headers_of(document: Any) -> dict[str, set[str]]:
    """The names of the headers that the document shows, by operation."""
    known = document["components"]["parameters"]
    found: dict[str, set[str]] = {}
    for described in (o for path in document["paths"].values() for o in path.values()):
        references = [p["$ref"].rpartition("/")[2] for p in described["parameters"] if "$ref" in p]
        assert {known[name]["in"] for name in references} == {"header"}
        found[described["operationId"]] = {known[name]["name"] for name in references}
    return found


def test_each_operation_shows_the_headers_it_reads(document: Any) -> None:
    shown = headers_of(document)
    assert shown["create_prompt"] == {"Idempotency-Key", "X-API-Version"}
    assert shown["change_agent"] == {"If-Match", "X-API-Version"}
    assert shown["read_prompt"] == {"If-None-Match", "X-API-Version"}
    # A key is shown once, and what is only read has no effect to repeat.
    assert shown["create_api_key"] == shown["search_nodes"] == {"X-API-Version"}
    assert shown.keys() == {o.name for o in operations()}


def test_the_version_is_one_of_those_served(document: Any) -> None:
    shown = document["components"]["parameters"]["X-API-Version"]
    assert shown["schema"]["enum"] == list(versions.VERSIONS)
    assert not shown["required"]


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
def test_the_page_is_at_both_addresses(api: Caller, path: str) -> None:
    page = Caller(api.app, None).get(path)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "/openapi.json" in page.text
