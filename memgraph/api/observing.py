"""Tell of every request: a span, an access line, figures. By the name of its operation, never
by its path: paths hold ids of callers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

import structlog
from apiflask import APIFlask
from flask import request
from opentelemetry import trace

from memgraph import metrics, telemetry
from memgraph.services.catalogue import Services

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

METRICS = "/metrics"

_OPERATION = "memgraph.operation"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_log = structlog.get_logger()

Environ = dict[str, Any]
StartResponse = Callable[..., Any]


def observe(app: APIFlask, services: Services, registry: CollectorRegistry | None) -> None:
    """Watch an application from outside, and show the figures of ``registry`` at `/metrics`.

    With workers that share a folder the figures of all of them are shown.
    """
    # Not above: their import copies the environment.
    from prometheus_client import CollectorRegistry
    from prometheus_flask_exporter import PrometheusMetrics

    answer = app.wsgi_app

    def observed(environ: Environ, start: StartResponse) -> Iterable[bytes]:
        return copy_context().run(_Exchange(environ, services).answer, answer, start)

    def sampled(show: Callable[[], Any]) -> Callable[[], Any]:
        @app.doc(hide=True)
        def read_metrics() -> Any:
            services.sampler.sample()
            services.census.sample()
            return show()

        return read_metrics

    app.wsgi_app = observed  # type: ignore[method-assign, assignment]
    app.before_request(_note_operation)
    PrometheusMetrics(
        None,
        METRICS,
        export_defaults=False,
        registry=registry or CollectorRegistry(),
        metrics_decorator=sampled,
    ).init_app(app)


def method_of(environ: Environ) -> str:
    """The method of a request as figures name it."""
    method = environ["REQUEST_METHOD"]
    return method if method in _METHODS else "OTHER"


def _note_operation() -> None:
    request.environ[_OPERATION] = (request.endpoint or metrics.UNMATCHED).rpartition(".")[2]


class _Exchange:
    """One request until the last byte of its answer."""

    def __init__(self, environ: Environ, services: Services) -> None:
        self._environ = environ
        self._services = services
        self._span = telemetry.start_request_span(telemetry.caller_of(_headers(environ)))
        self._status = 500
        self._is_whole = False
        self._began = time.perf_counter()

    def answer(self, application: Any, start: StartResponse) -> Iterable[bytes]:
        """Run the application. What is not streamed is answered as one piece."""
        structlog.contextvars.clear_contextvars()

        def started(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            self._status = int(status.split(" ", 1)[0])
            self._is_whole = any(name.lower() == "content-length" for name, _ in headers)
            return start(status, headers, *more)

        with trace.use_span(self._span, record_exception=False):
            try:
                chunks = application(self._environ, started)
            except BaseException:
                self._end()
                raise
            if not self._is_whole:
                return _Stream(chunks, copy_context(), self._end)
            try:
                return list(chunks)
            finally:
                _close(chunks)
                self._end()

    def _end(self) -> None:
        took_s = time.perf_counter() - self._began
        operation = self._environ.get(_OPERATION, metrics.UNMATCHED)
        method = method_of(self._environ)
        meters = self._services.meters
        meters.count(metrics.REQUESTS, operation=operation, method=method, status=str(self._status))
        meters.observe(metrics.REQUEST_SECONDS, took_s, operation=operation)
        self._services.sampler.sample()
        self._end_span(operation, method)
        _log.info(
            "request",
            operation=operation,
            method=method,
            status=self._status,
            ms=round(took_s * 1000, 1),
        )

    def _end_span(self, operation: str, method: str) -> None:
        self._span.update_name(operation)
        self._span.set_attribute("http.request.method", method)
        self._span.set_attribute("http.response.status_code", self._status)
        if self._status >= 500:
            self._span.set_status(trace.StatusCode.ERROR)
        self._span.end()


class _Stream:
    """Chunks of an answer, made in the context of their request whatever thread asks for them."""

    def __init__(self, chunks: Iterable[bytes], context: Context, done: Callable[[], None]) -> None:
        self._chunks = chunks
        self._iterator = iter(chunks)
        self._context = context
        self._done = done

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._context.run(next, self._iterator)

    def close(self) -> None:
        """Release what the answer held and tell of the request."""
        try:
            self._context.run(_close, self._chunks)
        finally:
            self._context.run(self._done)


def _close(chunks: Iterable[bytes]) -> None:
    close = getattr(chunks, "close", None)
    if close is not None:
        close()


def _headers(environ: Environ) -> dict[str, str]:
    names = {"HTTP_TRACEPARENT": "traceparent", "HTTP_TRACESTATE": "tracestate"}
    return {name: environ[key] for key, name in names.items() if key in environ}
