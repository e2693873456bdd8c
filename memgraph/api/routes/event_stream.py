"""Changes as they happen: server-sent events."""

from __future__ import annotations

import re

from flask import request
from pydantic import Field

from memgraph.api.answers import Answer
from memgraph.api.event_streams import HEADER, HEADERS, MEDIA, PLACE, Source, Streams
from memgraph.api.operations import Call, Routes
from memgraph.api.schemas import Parameters, Resource
from memgraph.domain.access import Permission, permission_to_read
from memgraph.domain.errors import InvalidInput, StreamUnavailable
from memgraph.domain.events.changes import ChangeKind
from memgraph.services.ports import FedEvent

routes = Routes("event_stream")

_IS_PLACE = re.compile(PLACE)


class StreamParameters(Parameters):
    """Which events, from where on."""

    session_id: str | None = Field(None, max_length=512, description="Only of this session.")
    kind: ChangeKind | None = Field(None, description="Only of this kind.")
    after: str | None = Field(
        None,
        pattern=PLACE,
        description="`id` of the last event that you have, as `Last-Event-ID`; `0-0`: from the "
        "oldest that is kept. What comes from now on when left out.",
    )


class StreamedChange(Resource):
    """The data of an event: ids and figures, never content. More fields by kind."""

    id: str = Field(description="The same when the event comes again.")
    kind: ChangeKind
    tenant_id: str
    key: str = Field(description="Events of one key come in order.")
    occurred_at: str
    node_type: str
    node_id: str
    session_id: str | None = Field(description="The session it belongs to, if it is known.")


@routes.get(
    "/events/stream",
    permission=Permission.READ_CONVERSATIONS,
    query=StreamParameters,
    answers=StreamedChange,
    media=MEDIA,
)
def stream_events(call: Call) -> Answer:
    """Tell of changes as they happen, as far as the caller may read what changed."""
    feed = call.services.feed
    if feed is None:
        raise StreamUnavailable(
            "events are kept in Redis, and none is configured: set MEMGRAPH_REDIS__URL"
        )
    asked: StreamParameters = call.query

    def is_wanted(event: FedEvent) -> bool:
        return (
            (asked.kind is None or event.kind == asked.kind)
            and (asked.session_id is None or event.session_id == asked.session_id)
            and call.principal.may(permission_to_read(event.node_type))
        )

    source = Source(feed, call.tenant_id, _last_seen() or asked.after, is_wanted)
    return Answer(chunks=Streams.current().open(source), headers=HEADERS, media=MEDIA)


def _last_seen() -> str | None:
    """The place that a listener names who comes back: it is newer than that of the address."""
    sent = request.headers.get(HEADER)
    if not sent:
        return None
    if not _IS_PLACE.fullmatch(sent):
        raise InvalidInput(HEADER, "must be the id of an event of the stream")
    return sent
