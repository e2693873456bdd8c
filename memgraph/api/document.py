"""Finish the OpenAPI document: each schema once, problems everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from memgraph.api import headers, problems
from memgraph.api.operations import Operation, RawBody
from memgraph.api.schemas import JSON_MEDIA, components

_STATUSES = (400, 401, 403, 404, 405, 408, 409, 410, 412, 413, 415, 422, 429, 500, 503)

_REFS = "#/components/schemas/"


def finish_document(document: Any, *, declared: Iterable[Operation]) -> Any:
    """Say each schema once, by its own name, and that every operation may answer a problem."""
    models: set[type[BaseModel]] = {problems.Problem}
    by_name: dict[str, Operation] = {}
    for operation in declared:
        models |= {m for m in (operation.body, operation.query, operation.answers) if m is not None}
        models |= set(operation.raw.models if operation.raw else ())
        by_name[operation.name] = operation
    answer = {
        "description": "A problem document.",
        "content": {problems.MEDIA: {"schema": {"$ref": f"{_REFS}Problem"}}},
    }
    for operations_of_path in document["paths"].values():
        for described in operations_of_path.values():
            operation = by_name[described["operationId"]]
            if operation.raw is not None:
                described["requestBody"] = _raw_body(operation.raw, operation.example)
            read = list(headers.references(operation))
            if headers.is_conditional(operation):
                described["responses"]["304"] = {"description": "It is still the same."}
            described.setdefault("parameters", []).extend(read)
            responses = described["responses"]
            if operation.raw is not None and operation.raw.is_partial:
                responses["207"] = {**responses["200"], "description": "Some are not stored."}
            if "201" in responses:
                known = {**responses["201"], "description": "It was known already."}
                responses.setdefault("200", known)
            for status in _STATUSES:
                responses.setdefault(str(status), answer)
            if binary := _binary(operation.raw):
                for status, told in responses.items():
                    responses[status] = {**told, "content": {**told["content"], **binary}}
    return {
        **document,
        "paths": _shortened(document["paths"]),
        "components": {
            **document["components"],
            "schemas": components(models),
            "parameters": headers.components(),
        },
    }


def _raw_body(raw: RawBody, example: Any) -> dict[str, Any]:
    described = {"schema": _referring(raw.schema)}
    if example is not None:
        described["example"] = example
    return {"required": True, "content": dict.fromkeys(raw.media, described) | _binary(raw)}


def _binary(raw: RawBody | None) -> dict[str, Any]:
    """The media types of an operation that are not JSON: they are taken, and answered alike."""
    media = [name for name in raw.media if name not in JSON_MEDIA] if raw is not None else []
    return {name: {"schema": {"type": "string", "format": "binary"}} for name in media}


def _referring(schema: Any) -> Any:
    """A schema whose references are names of components, with their whole paths."""
    if isinstance(schema, list):
        return [_referring(part) for part in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {k: _REFS + v if k == "$ref" else _referring(v) for k, v in schema.items()}


def _shortened(value: Any) -> Any:
    """References without the name of the model that a schema was found in."""
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    if isinstance(value, str) and value.startswith(_REFS):
        return _REFS + value.removeprefix(_REFS).rpartition(".")[2]
    return value
