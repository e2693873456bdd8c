"""Lists, queries over any kind, search, neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from flask import g
from pydantic import Field

from memgraph.api import resources as res
from memgraph.api.answers import Answer, to_json
from memgraph.api.operations import Call, Routes
from memgraph.api.problems import describe
from memgraph.api.schemas import Paging, RequestPart, Resource
from memgraph.domain.access import Permission
from memgraph.domain.errors import MemgraphError
from memgraph.domain.events.base import AnyTime, Finite, Json, Key
from memgraph.domain.selection import (
    MAX_CONDITIONS,
    MAX_RELATED,
    MAX_VALUE_CHARS,
    Condition,
    Operator,
    Related,
    Selection,
    Sort,
    Way,
)
from memgraph.domain.values import Purpose
from memgraph.services.questions import Mode, Search

routes = Routes("query")

READ = Permission.READ_CONVERSATIONS
"""To ask at all. Kinds that are no part of a conversation ask for their own, too."""

NDJSON = "application/x-ndjson"
_Word = Annotated[str, Field(max_length=512)]
_Tags = Annotated[list[_Word], Field([], max_length=20, description="All of these labels.")]


class ConditionBody(RequestPart):
    """A field compared with a value."""

    field: _Word = Field(description="A property of the kind, or `metadata.KEY` when promoted.")
    operator: Operator = Field(
        description="`ne` is all that `eq` does not find. `contains`: a list has this member, "
        "a text has these words."
    )
    value: Json = Field(
        True, description="Of the property's type; a list for `in`; true or false for `exists`."
    )


class RelatedBody(RequestPart):
    """An edge that each node must have."""

    type: _Word = Field(description="Type of the edge, such as PART_OF.")
    kind: _Word = Field(description="Kind of the node at the other end.")
    id: Key = Field(description="Its id, or ID@VERSION.")
    direction: Way | None = Field(None, description="`out`: towards it. Needed when both exist.")


class SortBody(RequestPart):
    """The order of the nodes: a field that is a key or has an index, then the key."""

    field: _Word = Field(description="Nodes that do not have the field are not selected.")
    direction: Literal["asc", "desc"] = "asc"


class SelectionBody(RequestPart):
    """Nodes of one kind that meet every condition and have every edge."""

    kind: _Word = Field(description="Such as prompt, response, session, tool-invocation.")
    where: list[ConditionBody] = Field([], max_length=MAX_CONDITIONS)
    related: list[RelatedBody] = Field([], max_length=MAX_RELATED)
    sort: SortBody | None = Field(None, description="By key when left out.")

    def to_selection(self, limit: int = 50) -> Selection:
        """The same in words of the domain."""
        return Selection(
            self.kind,
            tuple(Condition(c.field, c.operator, c.value) for c in self.where),
            tuple(Related(r.type, r.kind, r.id, r.direction) for r in self.related),
            Sort(self.sort.field, self.sort.direction == "desc") if self.sort else None,
            limit,
        )


class Query(SelectionBody):
    """A question with its page."""

    limit: int = Field(50, ge=1, le=500, description="Nodes of a page.")
    cursor: str | None = Field(None, max_length=16_000, description="`next_cursor` of the page.")
    count: bool = Field(False, description="Count all nodes, too.")
    explain: bool = Field(False, description="Say how the nodes were found, too.")


class SearchBody(RequestPart):
    """What to look for: words, a vector, or both."""

    text: str | None = Field(None, max_length=MAX_VALUE_CHARS, description="Some of these words.")
    vector: list[Finite] | None = Field(None, max_length=4_096, description="Of the same model.")
    mode: Mode | None = Field(None, description="By what is sent when left out.")
    kind: _Word | None = Field(None, description="Every kind that can be searched when left out.")
    where: list[ConditionBody] = Field([], max_length=MAX_CONDITIONS)
    limit: int = Field(20, ge=1, le=100, description="Hits at most.")
    explain: bool = Field(False, description="Say which indexes were asked, too.")


class Plan(Resource):
    """How the nodes were found."""

    access: Literal["key", "traversal", "fulltext", "vector", "range"]
    index: str = Field(description="The index that was entered.")
    statement: str | None = Field(None, description="Name of the statement in traces.")


class Count(Resource):
    """How many nodes there are."""

    value: int
    relation: Literal["exact", "at_least"]


class Found(Resource):
    """A page of nodes."""

    items: list[dict[str, Any]] = Field(description="Properties of the nodes, vectors left out.")
    next_cursor: str | None = Field(description="Send it as `cursor`; none: the last page.")
    count: Count | None = Field(None, description="When asked for.")
    plan: Plan | None = Field(None, description="When asked for.")


class Line(Resource):
    """A node; at the end `done` with the count, or what went wrong. Neither: it was cut off."""

    done: bool | None = None
    count: int | None = None
    problem: dict[str, Any] | None = None


class SearchHit(Resource):
    kind: str
    id: str
    score: float = Field(description="By vector the cosine, else the sum of 1 / (60 + rank).")
    node: dict[str, Any]


class SearchHits(Resource):
    """The best hits, best first."""

    mode: Mode
    items: list[SearchHit]
    plan: list[Plan] | None = Field(None, description="When asked for.")


class NeighbourParameters(Paging):
    type: str | None = Field(None, max_length=100, description="Only edges of this type.")
    direction: Way | None = Field(None, description="Only edges that run this way.")


class Neighbour(Resource):
    """An edge with the node at its other end."""

    type: str
    direction: Way
    kind: str
    id: str
    properties: dict[str, Any] = Field(description="What the edge says.")
    node: dict[str, Any]


class Neighbours(Resource):
    """A page of edges, by type, direction, kind and key."""

    items: list[Neighbour]
    next_cursor: str | None


class ListParameters(Paging):
    created_after: AnyTime | None = Field(None, description="Later than this.")
    created_before: AnyTime | None = Field(None, description="Earlier than this.")
    order: Literal["asc", "desc"] = Field("asc", description="Of time.")
    explain: bool = Field(False, description="Say how the nodes were found, too.")


class TaggedParameters(ListParameters):
    tags: _Tags


class SessionParameters(TaggedParameters):
    order: Literal["asc", "desc"] = Field("desc", description="Of time.")
    purpose: Purpose | None = Field(None, description="What the session is for.")
    is_active: bool | None = Field(None, description="Open or closed.")


@routes.post(
    "/query",
    permission=READ,
    body=Query,
    answers=Found,
    example={
        "kind": "response",
        "where": [{"field": "latency_ms", "operator": "gt", "value": 1000}],
        "sort": {"field": "latency_ms", "direction": "desc"},
        "count": True,
    },
)
def query_nodes(call: Call) -> Answer:
    """Select nodes of one kind: conditions, edges, order, pages, count."""
    body = call.body
    selection = body.to_selection(body.limit)
    return Answer(
        call.services.questions.page(
            call.principal, selection, cursor=body.cursor, count=body.count, explain=body.explain
        )
    )


@routes.post(
    "/query/stream",
    permission=READ,
    body=SelectionBody,
    answers=Line,
    media=NDJSON,
    example={"kind": "prompt", "sort": {"field": "created_at"}},
)
def stream_nodes(call: Call) -> Answer:
    """Select all such nodes: a line of JSON for each, then one that says how it ended."""
    pages = call.services.questions.stream(call.principal, call.body.to_selection())
    return Answer(chunks=_lines(pages, g.request_id), media=NDJSON)


def _lines(pages: Iterator[list[dict[str, Any]]], request_id: str) -> Iterator[bytes]:
    count = 0
    try:
        for nodes in pages:
            count += len(nodes)
            yield b"".join(to_json(node) + b"\n" for node in nodes)
        last: dict[str, Any] = {"done": True, "count": count}
    except MemgraphError as error:
        # The status is sent already.
        last = {"problem": describe(error, request_id).model_dump()}
    yield to_json(last) + b"\n"


@routes.post(
    "/search",
    permission=READ,
    body=SearchBody,
    answers=SearchHits,
    example={"text": "refund for a broken lamp", "kind": "prompt", "limit": 5},
)
def search_nodes(call: Call) -> Answer:
    """Find nodes by words, by a vector, or by both (reciprocal rank fusion)."""
    body = call.body
    where = tuple(Condition(c.field, c.operator, c.value) for c in body.where)
    search = Search(body.text, body.vector, body.mode, body.kind, where, body.limit)
    return Answer(call.services.questions.search(call.principal, search, explain=body.explain))


@routes.get(
    "/nodes/<kind>/<id:id_>/neighbours",
    permission=READ,
    query=NeighbourParameters,
    answers=Neighbours,
)
def list_neighbours(call: Call, kind: str, id_: str) -> Answer:
    """List what a node is tied to, as far as the caller may read it."""
    asked = call.query
    return Answer(
        call.services.questions.neighbours(
            call.principal,
            kind,
            id_,
            type_=asked.type,
            direction=asked.direction,
            limit=asked.limit,
            cursor=asked.cursor,
        )
    )


@routes.get("/sessions", permission=READ, query=SessionParameters, answers=res.SessionPage)
def list_sessions(call: Call) -> Answer:
    """List sessions, newest first."""
    asked = call.query
    where = [*_conditions(asked)]
    if asked.purpose is not None:
        where.append(Condition("purpose", Operator.EQ, asked.purpose.value))
    if asked.is_active is not None:
        # Open until somebody says that it is closed.
        where.append(Condition("is_active", Operator.NE if asked.is_active else Operator.EQ, False))
    return Answer(
        call.services.questions.page(
            call.principal,
            Selection("session", tuple(where), (), _by_time(asked), asked.limit),
            cursor=asked.cursor,
            explain=asked.explain,
        )
    )


@routes.get(
    "/sessions/<id:session_id>/prompts",
    permission=READ,
    query=TaggedParameters,
    answers=res.PromptPage,
)
def list_prompts(call: Call, session_id: str) -> Answer:
    """List the prompts of a session."""
    return _children(call, "prompt", Related("PART_OF", "session", session_id))


@routes.get(
    "/prompts/<id:prompt_id>/responses",
    permission=READ,
    query=TaggedParameters,
    answers=res.ResponsePage,
)
def list_responses(call: Call, prompt_id: str) -> Answer:
    """List the responses to a prompt."""
    return _children(call, "response", Related("RESPONDS_TO", "prompt", prompt_id))


@routes.get(
    "/responses/<id:response_id>/tool-invocations",
    permission=READ,
    query=ListParameters,
    answers=res.ToolInvocationPage,
)
def list_tool_invocations(call: Call, response_id: str) -> Answer:
    """List the tool calls of a response."""
    return _children(call, "tool_invocation", Related("INVOKES", "response", response_id))


def _children(call: Call, kind: str, parent: Related) -> Answer:
    asked = call.query
    where = tuple(_conditions(asked))
    selection = Selection(kind, where, (parent,), _by_time(asked), asked.limit)
    return Answer(
        call.services.questions.children(
            call.principal, selection, cursor=asked.cursor, explain=asked.explain
        )
    )


def _by_time(asked: ListParameters) -> Sort:
    return Sort("created_at", asked.order == "desc")


def _conditions(asked: ListParameters) -> Iterator[Condition]:
    if asked.created_after is not None:
        yield Condition("created_at", Operator.GT, asked.created_after)
    if asked.created_before is not None:
        yield Condition("created_at", Operator.LT, asked.created_before)
    for tag in getattr(asked, "tags", ()):
        yield Condition("tags", Operator.CONTAINS, tag)
