"""Verify JSON Web Tokens of configured issuers by the public keys that they publish.

What may go wrong with tokens is in RFC 8725: which algorithms count is said by the
settings of the issuer and never by the token, keys come from the configured address
and never from one in the token, and a key serves the algorithms of its own type only.
"""

from __future__ import annotations

import binascii
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpx2
import orjson
import structlog
from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import urlsafe_b64decode

from memgraph.domain.access import Principal, Role
from memgraph.domain.errors import Unauthenticated
from memgraph.settings import Issuer, SettingsError

MOST_CHARACTERS = 16_384
MOST_JWKS_BYTES = 1_000_000
LEEWAY_S = 60
FETCH_EVERY_S = 30.0
"""However many tokens name keys that nobody knows."""
STALE_AFTER_S = 600.0
"""After that the keys are fetched anew, so that one that was withdrawn ends."""
FETCH_TIMEOUT_S = 5.0

_REFUSED = "no valid credential; send `Authorization: Bearer` with an API key or a token"
_HEADERS = frozenset({"alg", "kid", "typ"})
"""No `jku`, `x5u`, `jwk`, `x5c`: a token does not bring its key. No `crit`, no `b64`."""
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_KEY_ID = re.compile(r"[A-Za-z0-9_=+.:-]{1,256}")
_KEY_TYPES: dict[str, tuple[type[Any], str | None]] = {
    "RS": (RSAKey, None),
    "PS": (RSAKey, None),
    "ES256": (ECKey, "P-256"),
    "ES384": (ECKey, "P-384"),
    "ES512": (ECKey, "P-521"),
    "Ed25519": (OKPKey, "Ed25519"),
}

_log = structlog.get_logger()
Key = RSAKey | ECKey | OKPKey


class PublishedKeys:
    """The keys of one address, fetched when they are asked for. Threads share it."""

    def __init__(
        self, url: str, client: httpx2.Client, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: list[Key] = []
        self._fetched_at = self._tried_at = float("-inf")

    def find(self, key_id: str | None) -> Key | None:
        """The key of this id; without an id the only one there is."""
        if self._clock() - self._fetched_at > STALE_AFTER_S:
            self._fetch()
        found = self._find(key_id)
        if found is None and self._fetch():
            found = self._find(key_id)
        return found

    def _find(self, key_id: str | None) -> Key | None:
        keys = [k for k in self._keys if key_id is None or k.kid == key_id]
        return keys[0] if len(keys) == 1 else None

    def _fetch(self) -> bool:
        # Who can go on with the keys there are does not wait for new ones.
        if not self._lock.acquire(blocking=not self._keys):
            return False
        try:
            if self._clock() - self._tried_at < FETCH_EVERY_S:
                return False
            self._tried_at = self._clock()
            try:
                self._keys = _signing_keys(self._read())
            except (httpx2.HTTPError, JoseError, ValueError, TypeError, KeyError) as error:
                # What was known goes on to count: an issuer that is away locks nobody out.
                _log.warning("no keys of the issuer", exception=type(error).__name__)
                return False
            self._fetched_at = self._clock()
            return True
        finally:
            self._lock.release()

    def _read(self) -> Any:
        data = b""
        with self._client.stream("GET", self._url) as response:
            response.raise_for_status()
            for chunk in response.iter_bytes():
                data += chunk
                if len(data) > MOST_JWKS_BYTES:
                    raise ValueError("the key set is too long")
        return orjson.loads(data)


class TokenVerifier:
    """Turn tokens into principals. Threads share it."""

    def __init__(
        self, issuers: Sequence[Issuer], clock: Callable[[], float] = time.monotonic
    ) -> None:
        client = httpx2.Client(follow_redirects=False, timeout=FETCH_TIMEOUT_S, trust_env=False)
        self._client = client
        self._issuers = {i.issuer: i for i in issuers}
        self._roles = {i.issuer: _roles(i) for i in issuers}
        self._keys = {i.issuer: PublishedKeys(i.jwks_url, client, clock) for i in issuers}

    def verify(self, token: str) -> Principal:
        """The principal that a token speaks for. Raises Unauthenticated, never saying why."""
        try:
            return self._verify(token)
        except (JoseError, ValueError, TypeError) as error:
            _log.info("token refused", exception=type(error).__name__)
            raise Unauthenticated(_REFUSED) from None

    def close(self) -> None:
        self._client.close()

    def _verify(self, token: str) -> Principal:
        if len(token) > MOST_CHARACTERS:
            raise ValueError("too long")
        header, said, _ = token.split(".")
        issuer = self._issuers.get(_text(_object(said).get("iss")))
        if issuer is None:
            raise ValueError("no such issuer")
        algorithm, key_id = _checked(_object(header), issuer.algorithms)
        key = self._keys[issuer.issuer].find(key_id)
        if key is None or not _fits(key, algorithm):
            raise ValueError("no such key")
        registry = jws.JWSRegistry(algorithms=[algorithm])
        claims = jwt.decode(token, key, algorithms=[algorithm], registry=registry).claims
        jwt.JWTClaimsRegistry(
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer.issuer},
            aud={"essential": True, "value": issuer.audience},
            exp={"essential": True},
            sub={"essential": True},
        ).validate(claims)
        return _principal(issuer, self._roles[issuer.issuer], claims)


def _roles(issuer: Issuer) -> dict[str, Role]:
    """Roles here by the names that the issuer uses."""
    try:
        return {name: Role(role) for name, role in issuer.roles.items()} or {r: r for r in Role}
    except ValueError:
        known = ", ".join(Role)
        raise SettingsError(f"tokens.issuers.roles: values must be among {known}") from None


def _principal(issuer: Issuer, roles: dict[str, Role], claims: dict[str, Any]) -> Principal:
    tenant_id = _text(claims.get(issuer.tenant_claim))
    if issuer.tenants and tenant_id not in issuer.tenants:
        raise ValueError("a tenant that the issuer does not speak for")
    said = claims.get(issuer.roles_claim)
    names = [said] if isinstance(said, str) else list(said or ())
    subject = f"token:{issuer.issuer}:{_text(claims['sub'])}"
    return Principal.of(tenant_id, subject, [roles[n] for n in map(_text, names) if n in roles])


def _checked(header: dict[str, Any], algorithms: Iterable[str]) -> tuple[str, str | None]:
    algorithm, key_id = _text(header.get("alg")), header.get("kid")
    if algorithm not in algorithms or not header.keys() <= _HEADERS:
        raise ValueError("header")
    if str(header.get("typ", "JWT")).lower() not in _TYPES:
        raise ValueError("typ")
    if key_id is not None and not _KEY_ID.fullmatch(_text(key_id)):
        raise ValueError("kid")
    return algorithm, key_id


def _fits(key: Key, algorithm: str) -> bool:
    kind, curve = _KEY_TYPES.get(algorithm) or _KEY_TYPES[algorithm[:2]]
    declared = key.as_dict(private=False)
    return (
        isinstance(key, kind)
        and (curve is None or declared.get("crv") == curve)
        and declared.get("alg", algorithm) == algorithm
    )


def _signing_keys(document: Any) -> list[Key]:
    """The public keys for signatures; a set may hold others, also of kinds not known here."""
    found: list[Key] = []
    for one in document["keys"]:
        if not isinstance(one, dict):
            raise TypeError
        if one.get("kty") in ("RSA", "EC", "OKP") and one.get("use", "sig") == "sig":
            key = jwk.import_key(one)
            if isinstance(key, RSAKey | ECKey | OKPKey):
                found.append(key)
    return found


def _object(part: str) -> dict[str, Any]:
    try:
        value = orjson.loads(urlsafe_b64decode(part.encode()))
    except binascii.Error:
        raise ValueError("not base64") from None
    if not isinstance(value, dict):
        raise TypeError
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value
