"""Errors as problem documents (RFC 9457). They name fields and rules, never content."""

from __future__ import annotations

import traceback
from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, g
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, Field, ValidationError
from werkzeug.exceptions import HTTPException

from memgraph.api.answers import to_json
from memgraph.domain.errors import InvalidInput, MemgraphError, shown

MEDIA = "application/problem+json"
NAMESPACE = "urn:llm-memory-graph:problem:"
MAX_ERRORS = 50

_log = structlog.get_logger()


class FieldError(BaseModel):
    """A rule that something sent breaks."""

    field: str = Field(description="Path of the field, with dots.")
    rule: str = Field(description="What it must be.")


class Problem(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = Field(description="Identifies the kind of problem; ends with its code.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened and what to do next.")
    code: str = Field(description="Stable name of the problem, for programs.")
    request_id: str = Field(description="Name it when you ask for help.")
    errors: list[FieldError] = Field(default=[], description="Every rule that was broken.")


def broken_rules(error: ValidationError) -> InvalidInput:
    """What pydantic found, without the input."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    first, *others = (
        (".".join(shown(str(p)) for p in e["loc"]) or "body", _rule(e)) for e in found[:MAX_ERRORS]
    )
    return InvalidInput(*first, others=others)


def _rule(error: Any) -> str:
    # Pydantic quotes the offending tag or key in these messages.
    if error["type"] == "extra_forbidden":
        return "is not a field here"
    if error["type"].startswith("json_"):
        return "is not valid JSON" if error["type"] == "json_invalid" else error["msg"]
    return str(error["msg"]).removeprefix("Value error, ")


def problem(
    status: int, code: str, detail: str, *, errors: list[FieldError] | None = None
) -> Response:
    """A problem document as a response."""
    document = _document(status, code, detail, errors or [], g.get("request_id", ""))
    return Response(to_json(document.model_dump()), status, mimetype=MEDIA)


def _document(
    status: int, code: str, detail: str, errors: list[FieldError], request_id: str
) -> Problem:
    return Problem(
        type=NAMESPACE + code,
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=request_id,
        errors=errors,
    )


def describe(error: MemgraphError, request_id: str) -> Problem:
    """The problem document of an error of ours. What is not the caller's fault is logged."""
    if error.http_status >= 500:
        _log.warning("refused", code=error.code, facts=sorted(error.facts))
    return document_of(error, request_id)


def document_of(error: MemgraphError, request_id: str) -> Problem:
    """The problem document of an error of ours."""
    broken = error.broken if isinstance(error, InvalidInput) else ()
    errors = [FieldError(field=field, rule=rule) for field, rule in broken]
    detail = error.message if error.http_status < 500 or error.retryable else _INTERNAL
    return _document(error.http_status, error.code, detail, errors, request_id)


def respond(error: MemgraphError, document: Problem) -> Response:
    """The problem document of an error of ours as a response."""
    response = Response(to_json(document.model_dump()), document.status, mimetype=MEDIA)
    return with_headers(error, response)


def with_headers(error: MemgraphError, response: Response) -> Response:
    """Say in the headers when to come back, and how to be let in."""
    if error.retryable:
        response.headers["Retry-After"] = str(error.facts.get("retry_after_s", 1))
    if error.http_status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def register(app: Flask) -> None:
    """Translate every error that leaves a view."""

    @app.errorhandler(MemgraphError)
    def _ours(error: MemgraphError) -> Response:
        return respond(error, describe(error, g.get("request_id", "")))

    @app.errorhandler(ValidationError)
    def _rules(error: ValidationError) -> ResponseReturnValue:
        # Views build events out of the path and the body; rules that span both show here.
        return app.handle_user_exception(broken_rules(error))

    @app.errorhandler(HTTPException)
    def _werkzeug(error: HTTPException) -> Response:
        status = error.code or 500
        code = HTTPStatus(status).phrase.lower().replace(" ", "_")
        response = problem(status, code, HTTPStatus(status).description or _INTERNAL)
        for name, value in error.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def _unexpected(error: Exception) -> Response:
        # Messages of foreign errors may quote what was sent, so only the places are logged.
        places = traceback.format_tb(error.__traceback__)
        _log.error("failed", exception=type(error).__name__, places=places)
        return problem(500, "internal", _INTERNAL)


_INTERNAL = "the request failed for a reason that is not yours; it was logged with its id"
