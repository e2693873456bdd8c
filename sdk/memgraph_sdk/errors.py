"""What can go wrong, out of problem documents (RFC 9457) and of what happens on the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import ClassVar

import httpx2
from pydantic import BaseModel, ValidationError


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A field that was sent and the rule that it breaks."""

    field: str
    rule: str


class MemgraphError(Exception):
    """Base of every error of this client. What the service did not say is None or empty."""

    is_retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        status: int | None = None,
        code: str = "",
        request_id: str | None = None,
        errors: tuple[BrokenRule, ...] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.status = status
        """HTTP status."""
        self.code = code
        """Stable name of the problem."""
        self.request_id = request_id
        """Name it when you ask for help."""
        self.errors = errors
        """Every rule that was broken."""
        self.retry_after_s = retry_after_s
        """Seconds to wait before the same may work, as far as the service says."""
        self.attempts = 1
        """How often it was sent."""

    @property
    def retry_after(self) -> float | None:
        return self.retry_after_s

    def __str__(self) -> str:
        broken = "".join(f"\n  {e.field}: {e.rule}" for e in self.errors)
        where = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.detail}{where}{broken}"


class Unauthenticated(MemgraphError):
    """No API key, or one that is wrong, expired or revoked."""


class Forbidden(MemgraphError):
    """The API key is good and its rights do not reach so far."""


class NotFound(MemgraphError):
    """No such thing in your tenant."""


class Conflict(MemgraphError):
    """A fact with this id exists with other content, or a step is not allowed from here."""


class PreconditionFailed(MemgraphError):
    """The thing is no longer what `if_match` says: read it again."""


class InvalidInput(MemgraphError):
    """Something that was sent breaks a rule: `errors` says what and which."""


class RateLimited(MemgraphError):
    """Too many requests: wait `retry_after` seconds."""

    is_retryable = True


class Unavailable(MemgraphError):
    """The service cannot answer now, or cannot be reached; what was sent may have arrived."""

    is_retryable = True


class UnexpectedAnswer(MemgraphError):
    """An answer that is not one of this service, such as a redirect or the page of a proxy."""


_CLASSES: dict[int, type[MemgraphError]] = {
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    422: InvalidInput,
    429: RateLimited,
    503: Unavailable,
}


class _FieldError(BaseModel):
    field: str = ""
    rule: str = ""


class Problem(BaseModel):
    """A problem document, as far as errors need it."""

    status: int = 0
    detail: str = ""
    code: str = ""
    request_id: str | None = None
    errors: list[_FieldError] = []

    def to_error(self, status: int, *, retry_after_s: float | None = None) -> MemgraphError:
        """The error that the problem stands for."""
        by_default = MemgraphError if self.code else UnexpectedAnswer
        return _CLASSES.get(status, by_default)(
            self.detail or _in_words(status),
            status=status,
            code=self.code,
            request_id=self.request_id,
            errors=tuple(BrokenRule(e.field, e.rule) for e in self.errors),
            retry_after_s=retry_after_s,
        )


def error_of(answer: httpx2.Response) -> MemgraphError:
    """The error that a refusal stands for."""
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        problem = Problem()
    problem.request_id = problem.request_id or answer.headers.get("X-Request-ID")
    wait_s = _seconds(answer.headers.get("Retry-After"))
    return problem.to_error(answer.status_code, retry_after_s=wait_s)


def _in_words(status: int) -> str:
    try:
        return f"the service answered {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"the service answered {status}"


def _seconds(retry_after: str | None) -> float | None:
    """Seconds of a ``Retry-After``, which may also name a time (RFC 9110, 10.2.3)."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
