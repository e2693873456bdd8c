"""Tokens of issuers: what is let in, and every known way to get in without a right to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from memgraph.adapters import tokens
from memgraph.adapters.tokens import TokenVerifier
from memgraph.domain.access import Permission, Role
from memgraph.domain.errors import Unauthenticated
from memgraph.settings import Issuer, SettingsError
from tests.support.tokens import (
    AUDIENCE,
    EC,
    ED,
    ISSUER,
    OTHER,
    RSA,
    Jwks,
    claims,
    issuer,
    publishing,
    token,
)


@pytest.fixture
def jwks() -> Iterator[Jwks]:
    with publishing() as server:
        yield server


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def verifier(jwks: Jwks, clock: Clock) -> Iterator[TokenVerifier]:
    verifier = TokenVerifier([issuer(jwks)], clock)
    yield verifier
    verifier.close()


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def by_hand(header: dict[str, Any], sign: Callable[[bytes], bytes], **more: Any) -> str:
    """A token that no honest library makes."""
    parts = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims(**more)).encode())}"
    return f"{parts}.{b64(sign(parts.encode()))}"


def rs256(key: Any) -> Callable[[bytes], bytes]:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    return lambda data: key.private_key.sign(data, PKCS1v15(), SHA256())


class TestLetIn:
    @pytest.mark.parametrize(
        ("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256"), (ED, "Ed25519")], ids="RED"
    )
    def test_a_good_token(self, verifier: TokenVerifier, key: Any, algorithm: str) -> None:
        principal = verifier.verify(token(key, algorithm))
        assert (principal.tenant_id, principal.roles) == ("t", {Role.ADMIN})
        assert principal.subject == f"token:{ISSUER}:ada"
        assert principal.may(Permission.MANAGE_ACCESS)

    def test_one_signed_by_hand(self, verifier: TokenVerifier) -> None:
        assert verifier.verify(by_hand({"alg": "RS256", "kid": "rsa"}, rs256(RSA)))

    def test_clocks_may_differ_by_a_minute(self, verifier: TokenVerifier) -> None:
        now = int(time.time())
        assert verifier.verify(token(exp=now - 50, nbf=now + 50, iat=now + 50))

    def test_several_audiences(self, verifier: TokenVerifier) -> None:
        assert verifier.verify(token(aud=["other", AUDIENCE]))

    def test_no_kid_when_there_is_one_key(self, verifier: TokenVerifier, jwks: Jwks) -> None:
        jwks.keys = [RSA]
        assert verifier.verify(token(header={"kid": ...}))

    def test_keys_of_other_kinds_do_no_harm(self, verifier: TokenVerifier, jwks: Jwks) -> None:
        secret = {"kty": "oct", "kid": "rsa2", "k": b64(b"secret" * 8)}
        new = {"kty": "AKP", "kid": "new", "pub": "AA"}
        jwks.keys += [secret, new, {**EC.as_dict(private=False), "kid": "e", "use": "enc"}]
        assert verifier.verify(token())

    def test_roles_as_the_issuer_names_them(self, jwks: Jwks) -> None:
        names = {"Data Team": "data_scientist", "Ops": "admin"}
        verifier = TokenVerifier([issuer(jwks, roles=names, roles_claim="groups")])
        principal = verifier.verify(token(groups=["Data Team", "admin", "Guests"]))
        assert principal.roles == {Role.DATA_SCIENTIST}
        assert verifier.verify(token(groups="Ops")).roles == {Role.ADMIN}
        assert verifier.verify(token(groups=...)).permissions == frozenset()
        verifier.close()

    def test_a_role_that_does_not_exist_is_a_wrong_setting(self, jwks: Jwks) -> None:
        with pytest.raises(SettingsError, match=r"tokens\.issuers\.roles"):
            TokenVerifier([issuer(jwks, roles={"Ops": "root"})])


NOW = int(time.time())
"""When tests are collected; they may run hours later."""

CLAIMS: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 120},
    "no exp": {"exp": ...},
    "exp is no number": {"exp": "tomorrow"},
    "not yet": {"nbf": NOW + 864_000},
    "other issuer": {"iss": "https://id.example.evil"},
    "no issuer": {"iss": ...},
    "issuer is a list": {"iss": [ISSUER]},
    "other audience": {"aud": "else"},
    "no audience": {"aud": ...},
    "no subject": {"sub": ...},
    "empty subject": {"sub": ""},
    "no tenant": {"tenant_id": ...},
    "tenant is a list": {"tenant_id": ["t"]},
    "empty tenant": {"tenant_id": ""},
    "roles are no names": {"roles": [{"admin": True}]},
    "roles are a number": {"roles": 7},
}

HEADERS: dict[str, dict[str, Any]] = {
    "unknown kid": {"kid": "other"},
    "kid of another key": {"kid": "ec"},
    "kid is a path": {"kid": "../../dev/null"},
    "kid is a query": {"kid": "x' UNION SELECT 'k"},
    "kid is no text": {"kid": 7},
    "no kid, several keys": {"kid": ...},
    "jku": {"jku": "https://evil.example/keys"},
    "x5u": {"x5u": "https://evil.example/cert"},
    "jwk": {"jwk": OTHER.as_dict(private=False)},
    "x5c": {"x5c": ["AA=="]},
    "crit": {"crit": ["exp"], "exp": 1},
    "b64": {"b64": False},
    "typ": {"typ": "logout+jwt"},
}


def refused(verifier: TokenVerifier, credential: str) -> None:
    with pytest.raises(Unauthenticated) as caught:
        verifier.verify(credential)
    # Nobody is told which rule it was.
    assert caught.value.message == tokens._REFUSED


class TestRefused:
    @pytest.mark.parametrize("more", CLAIMS.values(), ids=CLAIMS)
    def test_claims(self, verifier: TokenVerifier, more: dict[str, Any]) -> None:
        refused(verifier, token(**more))

    @pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
    def test_headers(self, verifier: TokenVerifier, jwks: Jwks, header: dict[str, Any]) -> None:
        head = {n: v for n, v in {"alg": "RS256", "kid": "rsa", **header}.items() if v is not ...}
        refused(verifier, by_hand(head, rs256(RSA)))
        assert set(jwks.asked) <= {"/keys"}

    def test_a_key_in_the_token(self, verifier: TokenVerifier) -> None:
        head = {"alg": "RS256", "kid": "rsa", "jwk": OTHER.as_dict(private=False)}
        refused(verifier, by_hand(head, rs256(OTHER)))

    @pytest.mark.parametrize("none", ["none", "None", "NONE", "nOnE", ""])
    def test_no_signature(self, verifier: TokenVerifier, none: str) -> None:
        refused(verifier, by_hand({"alg": none}, lambda _: b""))
        refused(verifier, by_hand({"alg": none, "kid": "rsa"}, lambda _: b""))

    @pytest.mark.parametrize("form", ["PEM", "DER"])
    def test_the_public_key_as_a_secret(self, verifier: TokenVerifier, form: Any) -> None:
        secret = RSA.as_bytes(encoding=form, private=False)
        forged = by_hand(
            {"alg": "HS256", "kid": "rsa"}, lambda d: hmac.digest(secret, d, hashlib.sha256)
        )
        refused(verifier, forged)

    def test_a_published_secret_signs_nothing(self, verifier: TokenVerifier, jwks: Jwks) -> None:
        secret = b"secret" * 8
        jwks.keys = [{"kty": "oct", "kid": "s", "alg": "RS256", "k": b64(secret)}]
        for algorithm in ("HS256", "RS256"):
            head = {"alg": algorithm, "kid": "s"}
            refused(verifier, by_hand(head, lambda d: hmac.digest(secret, d, hashlib.sha256)))

    def test_an_algorithm_that_the_issuer_does_not_use(self, jwks: Jwks) -> None:
        verifier = TokenVerifier([issuer(jwks, algorithms=("ES256",))])
        refused(verifier, token())
        verifier.close()

    def test_an_algorithm_of_another_key(self, verifier: TokenVerifier, jwks: Jwks) -> None:
        jwks.keys = [{**RSA.as_dict(private=False), "alg": "RS512"}]
        refused(verifier, token())

    def test_another_key_under_the_same_name(self, verifier: TokenVerifier) -> None:
        refused(verifier, token(OTHER))

    def test_a_changed_token(self, verifier: TokenVerifier) -> None:
        head, _, signature = token().split(".")
        forged = b64(json.dumps(claims(tenant_id="other")).encode())
        refused(verifier, f"{head}.{forged}.{signature}")

    def test_two_keys_of_one_name(self, verifier: TokenVerifier, jwks: Jwks) -> None:
        jwks.keys = [OTHER, RSA]
        refused(verifier, token())

    def test_a_tenant_that_the_issuer_does_not_speak_for(self, jwks: Jwks) -> None:
        verifier = TokenVerifier([issuer(jwks, tenants=("t",))])
        assert verifier.verify(token()).tenant_id == "t"
        refused(verifier, token(tenant_id="other"))
        verifier.close()

    def test_an_issuer_does_not_sign_for_another(self, jwks: Jwks) -> None:
        with publishing() as second:
            second.keys = [OTHER]
            both = [issuer(jwks), issuer(second, issuer="https://second.example")]
            verifier = TokenVerifier(both)
            assert verifier.verify(token(OTHER, iss="https://second.example"))
            refused(verifier, token(OTHER))
            verifier.close()

    @pytest.mark.parametrize(
        "text",
        ["", ".", "..", "a.b", "a.b.c", "a.b.c.d.e", "e30.e30.", "W10.W10.AA", "é.é.é", "\x00.."],
    )
    def test_what_is_no_token(self, verifier: TokenVerifier, text: str) -> None:
        refused(verifier, text)

    def test_a_long_one(self, verifier: TokenVerifier, jwks: Jwks) -> None:
        refused(verifier, token(more="x" * 20_000))
        deep = b64(b'{"iss":' + b"[" * 9_000)
        refused(verifier, f"{b64(b'{}')}.{deep}.AA")
        assert jwks.asked == []


class TestKeys:
    def test_are_fetched_once(self, verifier: TokenVerifier, jwks: Jwks) -> None:
        assert jwks.asked == []
        for _ in range(3):
            verifier.verify(token())
        assert jwks.asked == ["/keys"]

    def test_unknown_names_fetch_every_half_minute_at_most(
        self, verifier: TokenVerifier, jwks: Jwks, clock: Clock
    ) -> None:
        verifier.verify(token())
        for n in range(20):
            clock.now += 1
            refused(verifier, token(header={"kid": f"made-up-{n}"}))
        assert len(jwks.asked) == 1
        clock.now += tokens.FETCH_EVERY_S
        refused(verifier, token(header={"kid": "made-up"}))
        assert len(jwks.asked) == 2

    def test_a_new_key_is_found(self, verifier: TokenVerifier, jwks: Jwks, clock: Clock) -> None:
        verifier.verify(token())
        fresh = RSAKey.generate_key(2048, {"kid": "fresh"})
        jwks.keys = [RSA, fresh]
        clock.now += tokens.FETCH_EVERY_S
        assert verifier.verify(token(fresh))

    def test_a_withdrawn_key_ends(self, verifier: TokenVerifier, jwks: Jwks, clock: Clock) -> None:
        verifier.verify(token())
        jwks.keys = [EC]
        clock.now += tokens.STALE_AFTER_S + 1
        refused(verifier, token())

    def test_an_issuer_that_is_away_locks_nobody_out(
        self, verifier: TokenVerifier, jwks: Jwks, clock: Clock
    ) -> None:
        verifier.verify(token())
        jwks.answer = lambda: (500, {}, b"")
        clock.now += tokens.STALE_AFTER_S + 1
        assert verifier.verify(token())

    @pytest.mark.parametrize(
        "answer",
        [
            (302, {"Location": "http://127.0.0.1:9/elsewhere"}, b""),
            (200, {}, b"not json"),
            (200, {}, b"[]"),
            (200, {}, b'{"keys": 7}'),
            (200, {}, b'{"keys": [{"kty": "RSA", "n": "AA"}]}'),
            (200, {}, b'{"keys": [7]}'),
            (200, {}, b'{"keys": "' + b"x" * 1_100_000 + b'"}'),
        ],
        ids=["redirect", "text", "list", "number", "broken key", "no key", "long"],
    )
    def test_what_is_no_key_set_lets_nobody_in(
        self, verifier: TokenVerifier, jwks: Jwks, answer: Any
    ) -> None:
        jwks.answer = lambda: answer
        refused(verifier, token())
        assert jwks.asked == ["/keys"]

    @pytest.mark.parametrize("url", ["http://id.example/keys", "file:///etc/passwd", "ftp://x/"])
    def test_only_from_where_nobody_listens_in(self, url: str) -> None:
        with pytest.raises(ValueError, match="jwks_url"):
            Issuer(issuer=ISSUER, audience=AUDIENCE, jwks_url=url, algorithms=("RS256",))

    @pytest.mark.parametrize("algorithm", ["HS256", "none", "RS1"])
    def test_only_algorithms_of_public_keys_can_be_set(self, algorithm: str) -> None:
        with pytest.raises(ValueError, match="algorithms"):
            Issuer(
                issuer=ISSUER,
                audience=AUDIENCE,
                jwks_url="https://id.example/keys",
                algorithms=(algorithm,),
            )
