"""Make the WSGI application: routes, authentication, problems, protocol habits, documents."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

import structlog
from apiflask import APIFlask
from flask import Flask, Response, g, request
from pydantic import BaseModel
from werkzeug.routing import BaseConverter

from memgraph.api import answers, problems
from memgraph.api.operations import Operation
from memgraph.api.routes import RESOURCES
from memgraph.api.schemas import components
from memgraph.domain.errors import Unauthenticated
from memgraph.ids import uuid7
from memgraph.services.catalogue import Services

VERSION = "1"
"""Of the API. ``X-API-Version`` asks for one and answers which."""

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_STATUSES = (400, 401, 403, 404, 405, 409, 412, 413, 415, 422, 429, 500, 503)


class IdConverter(BaseConverter):
    """Ids of callers, slashes included."""

    regex = ".+?"
    part_isolating = False


def create_app(services: Services) -> Flask:
    """The application for one set of services. Connects nothing by itself."""
    app = APIFlask(
        "memgraph",
        title="memgraph",
        version=version("llm-memory-graph"),
        spec_path="/openapi.json",
        docs_path="/docs",
        json_errors=False,
    )
    app.config |= {
        "OPENAPI_VERSION": "3.1.0",
        "AUTO_404_RESPONSE": False,
        "AUTO_VALIDATION_ERROR_RESPONSE": False,
        "AUTO_AUTH_ERROR_RESPONSE": False,
        "AUTO_SERVERS": False,
    }
    app.security_schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
    app.description = "The memory and lineage graph for LLM systems."
    app.url_map.converters["id"] = IdConverter
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = False
    app.extensions["memgraph"] = services
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _before(app, services)
    _after(app)
    problems.register(app)
    for routes in RESOURCES:
        app.register_blueprint(routes.blueprint)
    app.spec_processor(_finish_document)
    return app


def operations() -> list[Operation]:
    """Every operation of every resource."""
    return [operation for routes in RESOURCES for operation in routes.operations]


def _before(app: Flask, services: Services) -> None:
    @app.before_request
    def _begin() -> None:
        sent = request.headers.get("X-Request-ID", "")
        g.request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid7()
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)

    @app.before_request
    def _authenticate() -> None:
        view = app.view_functions.get(request.endpoint or "")
        if view is None or "permission" not in view.__dict__:
            return
        scheme, _, credential = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("send `Authorization: Bearer` with an API key or a token")
        g.principal = services.access.authenticate(credential.strip())
        structlog.contextvars.bind_contextvars(tenant_id=g.principal.tenant_id)


def _after(app: Flask) -> None:
    @app.after_request
    def _finish(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.get("request_id", "")
        response.headers["X-API-Version"] = VERSION
        response.headers["X-Content-Type-Options"] = "nosniff"
        return answers.pack(answers.conditional(response, request), request)


def _finish_document(document: Any) -> Any:
    """Say each schema once, and that every operation may answer a problem."""
    models: set[type[BaseModel]] = {problems.Problem}
    for operation in operations():
        models |= {m for m in (operation.body, operation.answers) if m is not None}
    document["components"]["schemas"] = components(models)
    answer = {
        "description": "A problem document.",
        "content": {problems.MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for operations_of_path in document["paths"].values():
        for operation in operations_of_path.values():
            for status in _STATUSES:
                operation["responses"].setdefault(str(status), answer)
    return document
