"""Who is let in: API keys, and tokens of configured issuers, become principals."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from memgraph.domain.access import Permission, Principal, Role
from memgraph.domain.errors import Forbidden, InvalidInput, NotFound, Unauthenticated, shown
from memgraph.ids import now

PREFIX = "mg_"
KEY_ID_BYTES = 6
SECRET_BYTES = 32
"""256 random bits."""

_REFUSED = "no valid credential; send `Authorization: Bearer` with an API key or a token"

Row = dict[str, Any]


class KeepsKeys(Protocol):
    """What access needs of the graph."""

    def find_api_key(self, tenant_id: str, key_id: str) -> Row | None: ...

    def list_api_keys(self, tenant_id: str) -> list[Row]: ...

    def create_api_key(self, tenant_id: str, row: Row) -> None: ...

    def revoke_api_key(self, tenant_id: str, key_id: str, at: datetime) -> bool: ...


class VerifiesTokens(Protocol):
    """A verifier of JSON Web Tokens. Raises Unauthenticated."""

    def verify(self, token: str) -> Principal: ...

    def close(self) -> None: ...


class Access:
    """Issue, check and revoke credentials."""

    def __init__(self, store: KeepsKeys, tokens: VerifiesTokens | None = None) -> None:
        self._store = store
        self._tokens = tokens

    def authenticate(self, credential: str) -> Principal:
        """The principal of an API key or token. Raises Unauthenticated, never saying why."""
        if credential.startswith(PREFIX):
            return self._by_key(credential)
        if self._tokens is None:
            raise Unauthenticated(_REFUSED)
        return self._tokens.verify(credential)

    def create_key(
        self,
        tenant_id: str,
        *,
        name: str,
        roles: Iterable[Role],
        scopes: Iterable[Permission] = (),
        expires_at: datetime | None = None,
    ) -> tuple[Row, str]:
        """Make a key; returns what is kept of it and the key itself, which is shown only now."""
        roles, scopes = sorted(set(roles)), sorted(set(scopes))
        if not roles:
            raise InvalidInput("roles", "needs at least one role")
        if not set(scopes) <= Principal.of(tenant_id, "", roles).permissions:
            raise InvalidInput("scopes", "must be permissions of the roles")
        if expires_at is not None and expires_at <= now():
            raise InvalidInput("expires_at", "must be in the future")
        key_id = secrets.token_hex(KEY_ID_BYTES)
        key = f"{_head(tenant_id)}.{key_id}.{secrets.token_urlsafe(SECRET_BYTES)}"
        row = {
            "key_id": key_id,
            "name": name,
            "secret_sha256": _digest(key),
            "roles": [r.value for r in roles],
            "scopes": [s.value for s in scopes],
            "created_at": now(),
            "expires_at": expires_at,
        }
        self._store.create_api_key(tenant_id, row)
        return _public(row), key

    def issue_key(
        self,
        principal: Principal,
        *,
        name: str,
        roles: Iterable[Role],
        scopes: Iterable[Permission] = (),
        expires_at: datetime | None = None,
    ) -> tuple[Row, str]:
        """Make a key in the name of ``principal``, as `create_key` does.

        Raises Forbidden when it could do what the principal may not.
        """
        roles, scopes = set(roles), set(scopes)
        granted = Principal.of(principal.tenant_id, "", roles, scopes).permissions
        if not granted <= principal.permissions:
            raise Forbidden("a key cannot have permissions that its maker has not")
        return self.create_key(
            principal.tenant_id, name=name, roles=roles, scopes=scopes, expires_at=expires_at
        )

    def list_keys(self, tenant_id: str) -> list[Row]:
        """All keys of a tenant, newest first, without their digests."""
        return [_public(row) for row in self._store.list_api_keys(tenant_id)]

    def revoke_key(self, tenant_id: str, key_id: str) -> None:
        """End a key at once. Raises NotFound; revoking twice does no harm."""
        if not self._store.revoke_api_key(tenant_id, key_id, now()):
            raise NotFound(f"no API key {shown(key_id)} in this tenant", kind="api_key")

    def _by_key(self, key: str) -> Principal:
        tenant_id, key_id = _parts(key)
        row = self._store.find_api_key(tenant_id, key_id)
        # Compared also when there is no such key, so that the time tells nothing.
        is_right = hmac.compare_digest(_digest(key), row["secret_sha256"] if row else _digest(""))
        if row is None or not is_right or _has_ended(row):
            raise Unauthenticated(_REFUSED)
        return Principal.of(
            tenant_id,
            f"key:{key_id}",
            [Role(r) for r in row["roles"]],
            [Permission(s) for s in row["scopes"] or ()],
        )


def _head(tenant_id: str) -> str:
    # The tenant is in the key, so that looking it up is a read inside that tenant.
    return PREFIX + base64.urlsafe_b64encode(tenant_id.encode()).decode().rstrip("=")


def _parts(key: str) -> tuple[str, str]:
    head, _, rest = key.removeprefix(PREFIX).partition(".")
    try:
        tenant_id = base64.b64decode(head + "=" * (-len(head) % 4), "-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Unauthenticated(_REFUSED) from None
    return tenant_id, rest.partition(".")[0]


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _has_ended(row: Row) -> bool:
    expires_at = row.get("expires_at")
    return bool(row.get("revoked_at")) or (expires_at is not None and expires_at <= now())


_KEPT = {"secret_sha256", "tenant_id", "write_id"}


def _public(row: Row) -> Row:
    return {name: v for name, v in row.items() if name not in _KEPT and v is not None}
