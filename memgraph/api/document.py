"""Finish the OpenAPI document: each schema once, problems everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from memgraph.api import problems
from memgraph.api.operations import Operation
from memgraph.api.schemas import components

_STATUSES = (400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 429, 500, 503)

_REFS = "#/components/schemas/"


def finish_document(document: Any, *, declared: Iterable[Operation]) -> Any:
    """Say each schema once, by its own name, and that every operation may answer a problem."""
    models: set[type[BaseModel]] = {problems.Problem}
    for operation in declared:
        models |= {m for m in (operation.body, operation.query, operation.answers) if m is not None}
    answer = {
        "description": "A problem document.",
        "content": {problems.MEDIA: {"schema": {"$ref": f"{_REFS}Problem"}}},
    }
    for operations_of_path in document["paths"].values():
        for operation in operations_of_path.values():
            responses = operation["responses"]
            if "201" in responses:
                known = {**responses["201"], "description": "It was known already."}
                responses.setdefault("200", known)
            for status in _STATUSES:
                responses.setdefault(str(status), answer)
    return {
        **document,
        "paths": _shortened(document["paths"]),
        "components": {**document["components"], "schemas": components(models)},
    }


def _shortened(value: Any) -> Any:
    """References without the name of the model that a schema was found in."""
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    if isinstance(value, str) and value.startswith(_REFS):
        return _REFS + value.removeprefix(_REFS).rpartition(".")[2]
    return value
