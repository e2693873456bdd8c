"""Cursors: where the next page begins, for the one who asked, for what was asked.

Wire format: base64url, without padding, of MAC and position. The MAC is the
HMAC-SHA256 of the JSON list [tenant, question, position], the position being JSON
as text. Its key is derived from a secret that every worker of an installation has.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import orjson

from memgraph.domain.errors import InvalidInput

MAC_BYTES = 32
_SALT = b"llm-memory-graph"
_PURPOSE = b"cursors.v1"


def derive_key(secret: bytes, *, salt: bytes = _SALT, info: bytes = _PURPOSE) -> bytes:
    """32 bytes by HKDF-SHA256 (RFC 5869), for one purpose."""
    pseudorandom = hmac.digest(salt, secret, hashlib.sha256)
    return hmac.digest(pseudorandom, info + b"\x01", hashlib.sha256)


class Cursors:
    """Seal positions, and open what comes back."""

    def __init__(self, secret: bytes) -> None:
        self._key = derive_key(secret)

    def seal(self, tenant_id: str, question: Any, position: Any) -> str:
        """The cursor of a position. ``question`` is JSON, and the same for every page."""
        place = orjson.dumps(position)
        return _to_text(self._mac(tenant_id, question, place) + place)

    def open(self, tenant_id: str, question: Any, cursor: str) -> Any:
        """The position. Raises InvalidInput when the cursor is not that of this question."""
        try:
            data = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
            mac, place = data[:MAC_BYTES], data[MAC_BYTES:]
            expected = self._mac(tenant_id, question, place)
        except ValueError:
            raise _refused() from None
        # Several texts decode to the same bytes; ours is one of them.
        if not hmac.compare_digest(mac, expected) or cursor != _to_text(data):
            raise _refused()
        return orjson.loads(place)

    def _mac(self, tenant_id: str, question: Any, place: bytes) -> bytes:
        option = orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z
        told = orjson.dumps([tenant_id, question, place.decode()], option=option)
        return hmac.digest(self._key, told, hashlib.sha256)


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _refused() -> InvalidInput:
    return InvalidInput("cursor", "must be the next_cursor of the same question, unchanged")
