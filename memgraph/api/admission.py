"""Turn requests away when a worker has its hands full: before anything is read or made.

A refusal must cost little, or a flood of them takes the time of what was let in: this one
takes some 20 microseconds, the same by way of the application about a millisecond.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable
from typing import Any

import structlog

from memgraph import metrics
from memgraph.api import observing, problems, versions
from memgraph.api.answers import to_json
from memgraph.domain.errors import Overloaded
from memgraph.ids import uuid7
from memgraph.services.ports import Meters

UNLIMITED = "/healthz/"
"""Who watches the service is answered whatever others do."""
TELL_EVERY_S = 1.0
RETRY_AFTER_S = 1

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = structlog.get_logger()


def request_id_of(sent: str) -> str:
    """The id that the caller gave, if it is fit for logs, else a new one."""
    return sent if _REQUEST_ID.fullmatch(sent) else uuid7()


class Admission:
    """Lets at most ``most`` requests at the same time into an application (WSGI)."""

    def __init__(self, application: Any, most: int, meters: Meters) -> None:
        self._application = application
        self._meters = meters
        self._free = threading.BoundedSemaphore(most)
        error = Overloaded("too many requests are being answered; send it again later")
        self._problem = problems.document_of(error, "").model_dump()
        self._status = f"{error.http_status} {self._problem['title']}"
        self._refused = 0
        self._told = 0.0

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        """Answer by the application, or at once with 503."""
        if environ["PATH_INFO"].startswith(UNLIMITED):
            return self._application(environ, start)  # type: ignore[no-any-return]
        if not self._free.acquire(blocking=False):
            return self._refuse(environ, start)
        try:
            return self._application(environ, start)  # type: ignore[no-any-return]
        finally:
            self._free.release()

    def _refuse(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        request_id = request_id_of(environ.get("HTTP_X_REQUEST_ID", ""))
        body = to_json({**self._problem, "request_id": request_id})
        start(
            self._status,
            [
                ("Content-Type", problems.MEDIA),
                ("Content-Length", str(len(body))),
                ("Retry-After", str(RETRY_AFTER_S)),
                ("X-Request-ID", request_id),
                (versions.HEADER, versions.CURRENT),
                ("X-Content-Type-Options", "nosniff"),
            ],
        )
        self._tell(observing.method_of(environ))
        return [body]

    def _tell(self, method: str) -> None:
        """Count it; log now and then, because a line each costs more than the refusal."""
        self._meters.count(
            metrics.REQUESTS, operation=metrics.UNMATCHED, method=method, status=self._status[:3]
        )
        self._refused += 1
        now = time.monotonic()
        if now >= self._told + TELL_EVERY_S:
            self._told, refused, self._refused = now, self._refused, 0
            _log.warning("turned away", requests=refused)
