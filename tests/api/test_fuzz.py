"""Generated requests, valid and not, on every operation: no server error, answers as documented."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from memgraph.api.application import operations
from memgraph.bootstrap import App
from memgraph.domain.access import Role

FEW, MANY = 8, 200
"""Requests per operation in each run, and in the long ones."""


@pytest.fixture(scope="module")
def document(parts: App, web: Flask) -> Any:
    access = parts.services.access
    key = access.create_key("tenant-fuzz", name="fuzz", roles=[Role.ADMIN])[1]
    schema = schemathesis.openapi.from_wsgi("/openapi.json", web)
    # What is packed, the transport would show as it is.
    headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"}
    schema.config.update(headers=headers)
    return schema


def _try(document: Any, name: str, examples: int) -> None:
    operation = document.find_operation_by_id(name)

    @given(case=operation.as_strategy())
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def check(case: schemathesis.Case) -> None:
        # Some rules, such as times in the future or an unknown kind, are beyond a schema.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    check()


# Streams of events answer 503 without Redis, and do not end with it.
NAMES = [o.name for o in operations() if o.media != "text/event-stream"]


@pytest.mark.parametrize("name", NAMES)
def test_requests(document: Any, name: str) -> None:
    _try(document, name, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_many_requests(document: Any, name: str) -> None:
    _try(document, name, MANY)
