"""Make the WSGI application: routes, authentication, problems, protocol habits, documents."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import structlog
from apiflask import APIFlask
from flask import Flask, Response, g, request
from werkzeug.routing import BaseConverter

from memgraph.api import (
    answers,
    docs_page,
    event_streams,
    idempotency,
    limits,
    observing,
    problems,
    versions,
)
from memgraph.api.admission import UNLIMITED, Admission, request_id_of
from memgraph.api.document import finish_document
from memgraph.api.operations import Operation
from memgraph.api.routes import RESOURCES
from memgraph.api.schemas import JSON_MEDIA
from memgraph.domain.errors import Unauthenticated
from memgraph.services.catalogue import Services

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


class IdConverter(BaseConverter):
    """Ids of callers, slashes included."""

    regex = ".+?"
    part_isolating = False


def create_app(
    services: Services,
    registry: CollectorRegistry | None = None,
    stopping: threading.Event | None = None,
) -> Flask:
    """The application for one set of services. Connects nothing by itself.

    `/metrics` shows the figures of ``registry``. Streams end when ``stopping`` is set.
    """
    app = APIFlask(
        "memgraph",
        title="memgraph",
        version=version("llm-memory-graph"),
        spec_path="/openapi.json",
        docs_path="/docs",
        json_errors=False,
    )
    settings = services.settings
    app.request_class = limits.request_class(settings.limits, settings.api.threads)
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
    event_streams.Streams.of(services, stopping or threading.Event()).belong_to(app)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    # No view is a coroutine, and Flask looks at every function of every request.
    app.ensure_sync = _as_it_is  # type: ignore[method-assign, assignment]
    observing.observe(app, services, registry)
    app.wsgi_app = Admission(  # type: ignore[method-assign, assignment]
        app.wsgi_app, settings.api.threads, services.meters
    )
    docs_page.serve(app)
    _before(app, services)
    _after(app, services)
    problems.register(app)
    limits.trust_proxies(app, settings.limits.trusted_proxies)
    for routes in RESOURCES:
        app.register_blueprint(routes.blueprint)
    app.spec_processor(partial(finish_document, declared=operations()))
    return app


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def operations() -> list[Operation]:
    """Every operation of every resource."""
    return [operation for routes in RESOURCES for operation in routes.operations]


def _before(app: Flask, services: Services) -> None:
    @app.before_request
    def _begin() -> None:
        g.request_id = request_id_of(request.headers.get("X-Request-ID", ""))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=g.request_id)
        versions.negotiate()

    @app.before_request
    def _limit_address() -> None:
        if not request.path.startswith(UNLIMITED):
            address = limits.address_of(request.remote_addr)
            limits.check_rate(services.limits.take_address(address))

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
        limits.check_rate(services.limits.take(g.principal))

    @app.before_request
    def _admit() -> Response | None:
        endpoint = request.endpoint
        if "principal" not in g or endpoint is None:
            return None
        if request.mimetype in JSON_MEDIA:
            limits.check_depth(request.get_data(), services.settings.limits.json_depth)
        if request.method == "POST" and idempotency.is_kept(app.view_functions[endpoint]):
            return idempotency.begin(services.answers, g.principal)
        if request.method == "PATCH":
            idempotency.match(services.answers, app, g.principal)
        return None


def _after(app: Flask, services: Services) -> None:
    @app.after_request
    def _finish(response: Response) -> Response:
        response.headers["X-Request-ID"] = g.get("request_id", "")
        idempotency.finish(services.answers, response)
        versions.say(response)
        limits.say_rate(response)
        response.headers["X-Content-Type-Options"] = "nosniff"
        return answers.pack(answers.conditional(response, request), request)
