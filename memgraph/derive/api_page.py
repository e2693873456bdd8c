"""The API page: operations with their permissions, roles, problems. Made from the declarations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus

from memgraph.api.operations import Operation, Routes
from memgraph.api.problems import NAMESPACE
from memgraph.api.routes import RESOURCES
from memgraph.derive.markdown import code, join, table
from memgraph.domain import errors
from memgraph.domain.access import PERMISSIONS, Permission, Role

_INTRO = """\
REST over JSON, with snake_case names and times in ISO 8601, UTC. `/openapi.json` describes every
operation, `/docs` shows it and lets you try it.

- Send `Authorization: Bearer` with an API key or a token of a configured issuer. The tenant and
  the rights come from it and from nowhere else; what belongs to another tenant is missing.
- A list answers `items` and `next_cursor`; send that as `cursor` for the next page.
- What goes wrong is a problem document (RFC 9457) with a `code`, a `request_id` and, for each
  rule that was broken, its `field`. It never repeats what was sent.
- Facts (prompts, responses, handoffs, scores) are written once: the same again answers 200 and
  changes nothing, other content under the same id answers 409.
- An id may hold any character but controls; percent-encode it in a path."""


def api_page(notice: str) -> str:
    """Every operation, the roles that may call it, and every problem."""
    return join(
        [
            notice,
            "# API",
            _INTRO,
            *(part for routes in RESOURCES for part in _resource(routes)),
            "## Roles",
            "What each role may do. The scopes of an API key narrow it further.",
            table(
                ("Permission", *(role.value for role in Role)),
                (
                    (code(p), *("yes" if p in PERMISSIONS[role] else "" for role in Role))
                    for p in Permission
                ),
            ),
            "## Problems",
            f"The `type` of a problem is `{NAMESPACE}` and its code.",
            table(("Code", "Status", "Again later", "What it means"), _problems()),
        ]
    )


def _resource(routes: Routes) -> Iterator[str]:
    yield f"## {routes.title}"
    yield table(
        ("Operation", "Permission", "What it does"),
        (
            (
                code(f"{o.method} {_path(o)}"),
                code(o.permission or ""),
                o.summary,
            )
            for o in routes.operations
        ),
    )


def _path(operation: Operation) -> str:
    return re.sub(r"<(?:\w+:)?(\w+?)_?>", r"{\1}", operation.rule)


def _problems() -> Iterator[tuple[str, ...]]:
    found = sorted(_classes(errors.MemgraphError), key=lambda e: (e.http_status, e.code))
    for error in found:
        status = f"{error.http_status} {HTTPStatus(error.http_status).phrase}"
        meaning = " ".join((error.__doc__ or "").split())
        yield code(error.code), status, "yes" if error.retryable else "", meaning


def _classes(base: type[errors.MemgraphError]) -> Iterator[type[errors.MemgraphError]]:
    for error in base.__subclasses__():
        if error.__module__ == errors.__name__:
            yield error
            yield from _classes(error)
