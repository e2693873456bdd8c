"""The one tree of errors. Each class fixes its code and statuses; instances carry named facts.

Messages say what happened and what to do next. They never hold content that a
caller sent: no text, no parameter values, no keys longer than ``KEY_SHOWN``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

KEY_SHOWN = 64
"""Characters of a caller's key that an error may show."""


def shown(key: str) -> str:
    """Shorten a caller's key for a message and make it printable on one line."""
    text = key[:KEY_SHOWN].encode("ascii", "backslashreplace").decode()
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text + ("…" if len(key) > KEY_SHOWN else "")


class MemgraphError(Exception):
    """Base of every error this project raises on purpose.

    ``facts`` are the named facts of the instance; they are safe to log and to send.
    """

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    grpc_status: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, **facts: object) -> None:
        super().__init__(message)
        self.message = message
        self.facts = facts


class InvalidInput(MemgraphError):
    """Something the caller sent breaks a rule. ``field`` and ``rule`` say which is the first,
    ``broken`` all that were found.
    """

    code = "invalid_input"
    http_status = 422
    grpc_status = "INVALID_ARGUMENT"

    def __init__(
        self, field: str, rule: str, *, others: Sequence[tuple[str, str]] = (), **facts: object
    ) -> None:
        super().__init__(f"{field}: {rule}", field=field, rule=rule, **facts)
        self.field = field
        self.rule = rule
        self.broken = ((field, rule), *others)


class InvalidTransition(InvalidInput):
    """A state machine does not allow this step."""

    code = "invalid_transition"
    http_status = 409
    grpc_status = "FAILED_PRECONDITION"


class PersonalDataRefused(MemgraphError):
    """The event holds personal data, and its tenant takes none. ``kinds`` names what was found."""

    code = "personal_data"
    http_status = 422
    grpc_status = "INVALID_ARGUMENT"


class TemplateCycle(InvalidInput):
    """A template would inherit from itself."""

    code = "template_cycle"
    http_status = 409
    grpc_status = "FAILED_PRECONDITION"


class Unauthenticated(MemgraphError):
    """No credential, or one that is wrong, expired or revoked; it does not say which."""

    code = "unauthenticated"
    http_status = 401
    grpc_status = "UNAUTHENTICATED"


class Forbidden(MemgraphError):
    """The credential is good and its rights do not reach so far."""

    code = "forbidden"
    http_status = 403
    grpc_status = "PERMISSION_DENIED"


class NotFound(MemgraphError):
    """No such thing in this tenant; a foreign tenant's thing answers the same."""

    code = "not_found"
    http_status = 404
    grpc_status = "NOT_FOUND"


class Conflict(MemgraphError):
    """A fact with this key exists with other content."""

    code = "conflict"
    http_status = 409
    grpc_status = "ALREADY_EXISTS"


class Deleted(MemgraphError):
    """What has this key, or what it belongs to, was deleted for good."""

    code = "deleted"
    http_status = 410
    grpc_status = "NOT_FOUND"


class PreconditionFailed(MemgraphError):
    """The thing is no longer what the caller's ``If-Match`` says."""

    code = "precondition_failed"
    http_status = 412
    grpc_status = "FAILED_PRECONDITION"


class TooLarge(MemgraphError):
    """A body, packed or unpacked, is over its limit."""

    code = "too_large"
    http_status = 413
    grpc_status = "RESOURCE_EXHAUSTED"


class UnsupportedMedia(MemgraphError):
    """A body of a type or an encoding that this operation does not take."""

    code = "unsupported_media"
    http_status = 415
    grpc_status = "INVALID_ARGUMENT"


class RateLimited(MemgraphError):
    """The caller's bucket is empty. ``retry_after_s`` says when it has a token again."""

    code = "rate_limited"
    http_status = 429
    grpc_status = "RESOURCE_EXHAUSTED"
    retryable = True


class InProgress(MemgraphError):
    """Another request does the same at this moment."""

    code = "in_progress"
    http_status = 409
    grpc_status = "ABORTED"
    retryable = True


class UnknownVersion(MemgraphError):
    """The caller asks for a version of the API that is not served."""

    code = "unknown_version"
    http_status = 400
    grpc_status = "INVALID_ARGUMENT"


class Overloaded(MemgraphError):
    """No permit to the graph came free in time, or a statement took too long."""

    code = "overloaded"
    http_status = 503
    grpc_status = "UNAVAILABLE"
    retryable = True


class StillLoading(MemgraphError):
    """Something that enrichment uses is being loaded; what it adds is added later."""

    code = "still_loading"


class GraphUnavailable(MemgraphError):
    """Neo4j does not answer, or answered that it cannot work now."""

    code = "graph_unavailable"
    http_status = 503
    grpc_status = "UNAVAILABLE"
    retryable = True


class GraphRefused(MemgraphError):
    """Neo4j refused a statement: a fault of ours. Never retried."""

    code = "graph_refused"


class OutOfMemory(MemgraphError):
    """Neo4j had too little memory for a statement. Asking again would do the same harm."""

    code = "out_of_memory"
    http_status = 503
    grpc_status = "RESOURCE_EXHAUSTED"


class WriteMismatch(MemgraphError):
    """A statement touched fewer rows than were sent; the transaction was rolled back."""

    code = "write_mismatch"


class MigrationError(MemgraphError):
    """The migration chain is broken, edited, locked, or a migration failed."""

    code = "migration_failed"


class SchemaOutdated(MemgraphError):
    """The server's constraints and indexes are not those of the classes."""

    code = "schema_outdated"
    http_status = 503
    grpc_status = "FAILED_PRECONDITION"


class StackError(MemgraphError):
    """A local server did not start, died, or is not running."""

    code = "local_stack"
    http_status = 503
    grpc_status = "UNAVAILABLE"


class EmbedderUnavailable(MemgraphError):
    """The model that makes vectors is not installed, or its endpoint does not answer."""

    code = "embedder_unavailable"
    http_status = 503
    grpc_status = "UNAVAILABLE"
    retryable = True


class EmbedderRefused(MemgraphError):
    """The model that makes vectors does not take a text. The same text is refused again."""

    code = "embedder_refused"
    http_status = 502
    grpc_status = "FAILED_PRECONDITION"


class StreamUnavailable(MemgraphError):
    """The broker of events does not answer, or did not keep what it was given."""

    code = "stream_unavailable"
    http_status = 503
    grpc_status = "UNAVAILABLE"
    retryable = True


class StreamRefused(MemgraphError):
    """The broker of events does not let us, or does not take this. Asking again changes nothing."""

    code = "stream_refused"
    http_status = 502
    grpc_status = "FAILED_PRECONDITION"


class TooManyInvalid(MemgraphError):
    """So much of a topic breaks the rules of events that its producer must be looked at."""

    code = "too_many_invalid"
    grpc_status = "FAILED_PRECONDITION"


class Unbalanced(MemgraphError):
    """More or fewer events were settled than received: a fault of ours."""

    code = "unbalanced"


class OutboxUnreadable(MemgraphError):
    """An entry of the outbox is not as this version writes it; it stays where it is."""

    code = "outbox_unreadable"
