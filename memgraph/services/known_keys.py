"""API keys that were looked up before, so that not every request asks the graph for its key."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from memgraph.services.access import KeepsKeys
from memgraph.services.ports import Cache

KNOWN_S = 30.0
"""So long at most a key counts as good when its revocation could be told to nobody."""

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class KnownKeys:
    """Keeps keys as ``store`` does, and what it told in ``cache`` until the key is revoked.

    Revoking works at once only where all processes share the cache. A key that is
    not known is looked up each time.
    """

    store: KeepsKeys
    cache: Cache

    def find_api_key(self, tenant_id: str, key_id: str) -> Row | None:
        def read() -> bytes:
            row = self.store.find_api_key(tenant_id, key_id)
            if row is None:
                raise _Unknown
            return orjson.dumps(row)

        try:
            kept = self.cache.cached(tenant_id, f"api key\n{key_id}", [_tag(key_id)], KNOWN_S, read)
        except _Unknown:
            return None
        row: Row = orjson.loads(kept)
        for name in ("created_at", "expires_at", "revoked_at"):
            if row.get(name) is not None:
                row[name] = datetime.fromisoformat(row[name])
        return row

    def list_api_keys(self, tenant_id: str) -> list[Row]:
        return self.store.list_api_keys(tenant_id)

    def create_api_key(self, tenant_id: str, row: Row) -> None:
        self.store.create_api_key(tenant_id, row)

    def revoke_api_key(self, tenant_id: str, key_id: str, at: datetime) -> bool:
        try:
            return self.store.revoke_api_key(tenant_id, key_id, at)
        finally:
            # Also when nobody knows whether it was committed.
            self.cache.invalidate(tenant_id, [_tag(key_id)])


class _Unknown(Exception):  # a signal past the cache, never seen outside
    pass


def _tag(key_id: str) -> str:
    return f"api key {key_id}"
