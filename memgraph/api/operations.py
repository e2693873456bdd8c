"""What a route declares: method, path, permission, what comes in and what goes out.

One declaration makes the URL rule, the check of the caller's rights, the
validation and the entry in the OpenAPI document. A view gets a `Call` and
returns an `Answer`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from apiflask import APIBlueprint
from flask import Response, current_app, g
from pydantic import BaseModel

from memgraph.api import caching
from memgraph.api.answers import Answer
from memgraph.api.caching import Tags
from memgraph.domain.access import Permission, Principal
from memgraph.domain.errors import Forbidden
from memgraph.services.catalogue import Services

API = "/api/v1"

View = TypeVar("View", bound=Callable[..., Answer])


@dataclass(frozen=True, slots=True)
class Call:
    """One request: who asks, what was sent, and the services that answer."""

    principal: Principal
    services: Services
    body: Any = None
    query: Any = None

    @property
    def tenant_id(self) -> str:
        return self.principal.tenant_id


@dataclass(frozen=True, slots=True)
class RawBody:
    """A body that the view reads by itself: its schemas by media type, for the document."""

    schema: Mapping[str, Any]
    models: tuple[type[BaseModel], ...] = ()
    """Schemas that ``schema`` refers to, by their names."""
    media: tuple[str, ...] = ("application/json",)
    is_partial: bool = False
    """It may be done in part: 207, and the answer tells of each part."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A declared operation, for the pages and tests that walk over all of them."""

    method: str
    rule: str
    name: str
    summary: str
    permission: Permission | None
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    answers: type[BaseModel] | None
    status: int
    media: str
    example: dict[str, Any] | None
    raw: RawBody | None = None


class Routes:
    """The operations of one resource."""

    def __init__(self, name: str, *, prefix: str = API) -> None:
        self.title = name.replace("_", " ").capitalize()
        self.blueprint = APIBlueprint(name, __name__, tag=self.title, url_prefix=prefix)
        self._prefix = prefix
        self.operations: list[Operation] = []

    def operation(
        self,
        method: str,
        rule: str,
        *,
        permission: Permission | None,
        body: type[BaseModel] | None = None,
        query: type[BaseModel] | None = None,
        answers: type[BaseModel] | None = None,
        status: int = 200,
        media: str = "application/json",
        example: dict[str, Any] | None = None,
        raw: RawBody | None = None,
        cached: Tags | None = None,
    ) -> Callable[[View], View]:
        """Declare a view. Without ``permission`` anybody may call it, and it has no principal.

        With ``cached``, tags by the arguments of the path, answers are kept until a write
        of one of them.
        """

        def declare(view: View) -> View:
            handler = _called(view, status, cached)
            if answers is not None:
                handler = self.blueprint.output(answers, status_code=status, content_type=media)(
                    handler
                )
            if body is not None:
                handler = self.blueprint.input(body, location="json", example=example)(handler)
            if query is not None:
                handler = self.blueprint.input(query, location="query")(handler)
            if permission is not None:
                handler = _permitted(permission, handler)
                handler = self.blueprint.doc(security="bearer")(handler)
            # Not said, the document would have 200.
            empty = {status: "Done."} if answers is None else None
            handler = self.blueprint.doc(operation_id=view.__name__, responses=empty)(handler)
            self.blueprint.route(rule, methods=[method], endpoint=view.__name__)(handler)
            self.operations.append(
                Operation(
                    method,
                    self._prefix + rule,
                    view.__name__,
                    (view.__doc__ or "").split("\n")[0],
                    permission,
                    body,
                    query,
                    answers,
                    status,
                    media,
                    example,
                    raw,
                )
            )
            return view

        return declare

    def get(self, rule: str, **declared: Any) -> Callable[[View], View]:
        return self.operation("GET", rule, **declared)

    def post(self, rule: str, **declared: Any) -> Callable[[View], View]:
        return self.operation("POST", rule, **declared)

    def patch(self, rule: str, **declared: Any) -> Callable[[View], View]:
        return self.operation("PATCH", rule, **declared)

    def delete(self, rule: str, **declared: Any) -> Callable[[View], View]:
        return self.operation("DELETE", rule, **declared)


def _called(view: View, status: int, cached: Tags | None) -> Callable[..., Any]:
    """The view as Flask calls it, or what is kept of its answer."""

    @wraps(view)
    def run(**arguments: Any) -> Response:
        call = Call(
            g.get("principal"),
            current_app.extensions["memgraph"],
            arguments.pop("json_data", None),
            arguments.pop("query_data", None),
        )

        def make() -> Response:
            return view(call, **arguments).to_response(status)

        if cached is None:
            return make()
        return caching.answer(call.services, call.principal, cached(**arguments), make)

    return run


def _permitted(permission: Permission, handler: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(handler)
    def checked(**arguments: Any) -> Any:
        if not g.principal.may(permission):
            raise Forbidden(f"needs the permission {permission}", permission=str(permission))
        return handler(**arguments)

    checked.__dict__["permission"] = permission
    return checked
