"""Answers of GET operations out of the cache, each under who may see it and how it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b

from flask import Response, g, request

from memgraph.api.answers import entity_tag
from memgraph.domain.access import Permission, Principal
from memgraph.services.catalogue import Services

Tags = Callable[..., Sequence[str]]
"""Tags of an answer by the arguments of its path."""


def answer(
    services: Services, principal: Principal, tags: Sequence[str], make: Callable[[], Response]
) -> Response:
    """The answer of ``make``, or the same as it was kept. ``Cache-Control: no-cache`` makes anew.

    What is not 200 or a stream is never kept.
    """
    if g.get("is_fresh") or request.cache_control.no_cache:
        return make()
    made: list[Response] = []

    def compute() -> bytes:
        response = make()
        made.append(response)
        if response.status_code != 200 or response.is_streamed:
            raise _NotKept
        return f"{response.mimetype}\n".encode() + response.get_data()

    try:
        kept = services.cache.cached(
            principal.tenant_id, _key(principal), tags, services.settings.cache.ttl_s, compute
        )
    except _NotKept:
        return made[0]
    response = made[0] if made else _response(kept)
    response.headers["X-Cache"] = "miss" if made else "hit"
    return response


class _NotKept(Exception):  # a signal past the cache, never seen outside
    pass


def _response(kept: bytes) -> Response:
    media, _, data = kept.partition(b"\n")
    response = Response(data, 200, mimetype=media.decode())
    response.set_etag(entity_tag(data))
    return response


def _key(principal: Principal) -> str:
    return "\n".join(
        [_fingerprint(principal.permissions), request.full_path, request.headers.get("Accept", "")]
    )


@lru_cache(maxsize=256)
def _fingerprint(permissions: frozenset[Permission]) -> str:
    return blake2b("\n".join(sorted(permissions)).encode(), digest_size=8).hexdigest()
