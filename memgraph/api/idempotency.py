"""`Idempotency-Key` on POST, and `If-Match` on PATCH: what happens once, and only to what is known.

The answer of a POST is kept for a day under tenant, credential and key, with a
fingerprint of the request (draft-ietf-httpapi-idempotency-key-header-07). Only what
was done is kept: a refusal did nothing, so asking again does no harm.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
from flask import Flask, Response, g, request

from memgraph.api.answers import JSON
from memgraph.domain.access import Principal
from memgraph.domain.errors import InProgress, InvalidInput, PreconditionFailed
from memgraph.ids import uuid7
from memgraph.services.ports import AnswerStore, Held

KEPT_S = 86_400.0
HELD_S = 120.0
"""Longer than any request takes."""
KEPT_HEADERS = ("Content-Type", "Location", "ETag")

HEADER = "Idempotency-Key"
KEY_PATTERN = "^[!-~]{1,255}$"

_KEY = re.compile(KEY_PATTERN)


def keeps(permission: str | None) -> bool:
    """Whether answers under a permission are kept: not what is only read, no new credentials."""
    return permission is not None and permission.endswith(":write")


def is_kept(view: Any) -> bool:
    """Whether the answers of a view are kept."""
    return keeps(view.__dict__.get("permission"))


def begin(store: AnswerStore, principal: Principal) -> Response | None:
    """The answer kept under the caller's key; without one, hold the key for this request.

    Raises InvalidInput when the key was used for something else, InProgress when
    the same is being done.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise InvalidInput(HEADER, "must be 1 to 255 printable characters, no spaces")
    name = "\n".join(["once", principal.tenant_id, principal.subject, key])
    fingerprint = _fingerprint()
    known = store.hold(name, fingerprint, HELD_S)
    if known is None:
        g.held_name, g.held_fingerprint = name, fingerprint
        return None
    if known.fingerprint != fingerprint:
        raise InvalidInput(HEADER, "was used for another request")
    if known.answer is None:
        raise InProgress(f"a request with this {HEADER} is being answered")
    return _unpack(known.answer)


def match(store: AnswerStore, app: Flask, principal: Principal) -> None:
    """Check ``If-Match`` against what GET of the same address answers now.

    The address is held until the answer, so that of two callers with the same tag one
    is refused. Raises PreconditionFailed, InProgress.
    """
    if not request.if_match:
        return
    name = "\n".join(["match", principal.tenant_id, request.path])
    if store.hold(name, g.request_id, HELD_S) is not None:
        raise InProgress("another request changes this at the moment")
    g.held_name, g.held_fingerprint = name, None
    tag, is_weak = _current(app).get_etag()
    if tag is None or is_weak or not request.if_match.contains(tag):
        raise PreconditionFailed("it was changed since; read it again")


def finish(store: AnswerStore, response: Response) -> None:
    """Keep the answer when something was done; give the name back in any case."""
    name, fingerprint = g.pop("held_name", None), g.pop("held_fingerprint", None)
    if name is None:
        return
    is_done = 200 <= response.status_code < 300 and not response.is_streamed
    if fingerprint is not None and is_done:
        store.keep(name, Held(fingerprint, _pack(response)), KEPT_S)
    else:
        store.release(name)


def fresh_id() -> str:
    """An id for what the caller gave none: the same for the same request under the same key.

    So that a retry finds what was written when nobody was left to keep the answer.
    """
    name, fingerprint = g.get("held_name"), g.get("held_fingerprint")
    if name is None or fingerprint is None:
        return uuid7()
    made: str = g.setdefault("made_id", _id_of(name, fingerprint))
    return made


def was_written(id_: str) -> bool:
    """Whether a known ``id_`` means that this very request was done before, at another time."""
    return bool(g.get("made_id") == id_)


def _id_of(name: str, fingerprint: str) -> str:
    digest = blake2b(f"{name}\n{fingerprint}".encode(), digest_size=16).digest()
    # Version 8 (RFC 9562): what the bits mean is ours.
    return str(UUID(int=int.from_bytes(digest, "big") & ~(0xF << 76) | (8 << 76)))


def _fingerprint() -> str:
    hashed = blake2b(digest_size=16)
    for part in (request.method, request.full_path, request.mimetype):
        hashed.update(part.encode() + b"\n")
    hashed.update(request.get_data())
    return hashed.hexdigest()


def _current(app: Flask) -> Response:
    """What GET of this address answers, made anew."""
    adapter: Any = app.create_url_adapter(request)
    endpoint, arguments = adapter.match(method="GET")
    g.is_fresh = True
    answer: Any = app.view_functions[endpoint](**arguments)
    return app.make_response(answer)


def _pack(response: Response) -> bytes:
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    head = orjson.dumps({"status": response.status_code, "headers": headers})
    return head + b"\n" + response.get_data()


def _unpack(kept: bytes) -> Response:
    head, _, data = kept.partition(b"\n")
    said = orjson.loads(head)
    response = Response(data, said["status"], said["headers"], mimetype=JSON)
    response.headers["Idempotency-Replayed"] = "true"
    return response
