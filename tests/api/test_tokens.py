"""Tokens of an issuer through HTTP: tenant and rights come from the claims and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.conftest import Caller, Serve
from tests.support.tokens import OTHER, Jwks, issuer, publishing, token


@pytest.fixture
def jwks() -> Iterator[Jwks]:
    with publishing() as server:
        yield server


@pytest.fixture
def api(serve: Serve, jwks: Jwks) -> Caller:
    return serve(tokens={"issuers": [issuer(jwks).model_dump()]})


def test_a_token_lets_in_with_the_rights_of_its_roles(api: Caller, tenant: str) -> None:
    body = {"prompt": {"text": "x"}}
    service = Caller(api.app, token(tenant_id=tenant, roles=["service"]))
    made = service.post("/sessions/s/prompts", body)
    assert made.status_code == 201
    reader = Caller(api.app, token(tenant_id=tenant, roles=["data_scientist"]))
    assert reader.get(f"/prompts/{made.json['id']}").status_code == 200
    assert reader.post("/sessions/s/prompts", body).status_code == 403
    foreign = Caller(api.app, token(tenant_id=f"{tenant}-2", roles=["admin"]))
    assert foreign.get(f"/prompts/{made.json['id']}").status_code == 404


def test_a_wrong_token_says_no_more_than_a_wrong_key(api: Caller, tenant: str) -> None:
    answers = [
        Caller(api.app, credential).get("/sessions/s")
        for credential in (token(OTHER, tenant_id=tenant), token(exp=1), "mg_x.y.z", "x")
    ]
    assert {a.status_code for a in answers} == {401}
    assert len({a.json["detail"] for a in answers}) == 1
    assert answers[0].headers["WWW-Authenticate"] == "Bearer"


def test_without_issuers_there_are_no_tokens(serve: Serve, tenant: str) -> None:
    api = Caller(serve().app, token(tenant_id=tenant))
    assert api.get("/sessions/s").status_code == 401
