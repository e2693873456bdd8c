"""API keys through HTTP: made, shown once, narrowed, revoked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from memgraph.adapters.cache import Entries, InMemoryCache
from memgraph.api import create_app
from memgraph.bootstrap import App
from memgraph.domain.access import Permission, Role
from memgraph.domain.errors import Unauthenticated
from memgraph.domain.schema import GraphModel
from memgraph.graph.credentials import CredentialStore
from memgraph.graph.session import Graph
from memgraph.ids import iso, now
from memgraph.services.access import Access
from memgraph.services.known_keys import KnownKeys
from tests.api.conftest import Caller, CallerAs, Serve
from tests.support.recording import RecordingGraph

NEW = {"name": "import", "roles": ["service"]}


def create(api: Caller, **more: Any) -> tuple[str, str]:
    """The id of a new key, and the key."""
    answer = api.post("/api-keys", {**NEW, **more})
    assert answer.status_code == 201, answer.json
    return answer.json["key_id"], answer.json["api_key"]


class TestKeys:
    def test_a_key_works_and_is_shown_once(self, api: Caller) -> None:
        key_id, key = create(api)
        assert Caller(api.app, key).post("/sessions", {"id": "s"}).status_code == 201
        listed = api.get("/api-keys")
        [found] = [k for k in listed.json["items"] if k["key_id"] == key_id]
        assert (found["name"], found["roles"]) == ("import", ["service"])
        secret = key.rpartition(".")[2]
        assert secret not in listed.text
        assert not {"secret_sha256", "tenant_id", "write_id"} & found.keys()

    def test_a_revoked_key_ends_at_once(self, api: Caller) -> None:
        key_id, key = create(api)
        assert api("DELETE", f"/api-keys/{key_id}").status_code == 204
        assert Caller(api.app, key).get("/sessions/s").status_code == 401
        assert api("DELETE", f"/api-keys/{key_id}").status_code == 204
        assert api("DELETE", "/api-keys/none").status_code == 404
        [found] = [k for k in api.get("/api-keys").json["items"] if k["key_id"] == key_id]
        assert found["revoked_at"]

    def test_a_key_of_another_tenant_is_as_missing_as_any(
        self, api: Caller, caller: CallerAs
    ) -> None:
        key_id, key = create(api)
        other = caller(tenant_id="another-tenant")
        assert other("DELETE", f"/api-keys/{key_id}").status_code == 404
        assert key_id not in other.get("/api-keys").text
        assert Caller(api.app, key).get("/sessions/none").status_code == 404

    def test_scopes_narrow_it(self, api: Caller) -> None:
        _, key = create(api, scopes=["conversations:read"])
        narrow = Caller(api.app, key)
        assert narrow.get("/sessions/none").status_code == 404
        assert narrow.post("/sessions", {}).status_code == 403

    def test_it_expires(self, api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        _, key = create(api, expires_at=iso(now() + timedelta(hours=1)))
        client = Caller(api.app, key)
        assert client.get("/sessions/none").status_code == 404
        monkeypatch.setattr("memgraph.services.access.now", lambda: now() + timedelta(hours=2))
        assert client.get("/sessions/none").status_code == 401

    @pytest.mark.parametrize(
        ("more", "field"),
        [
            ({"roles": []}, "roles"),
            ({"roles": ["root"]}, "roles.0"),
            ({"scopes": ["all"]}, "scopes.0"),
            ({"scopes": ["access:manage"]}, "scopes"),
            ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
            ({"tenant_id": "other"}, "tenant_id"),
            ({"name": ""}, "name"),
        ],
    )
    def test_what_is_wrong_is_named(self, api: Caller, more: Any, field: str) -> None:
        answer = api.post("/api-keys", {**NEW, **more})
        assert answer.status_code == 422
        assert answer.json["errors"][0]["field"] == field


class TestNobodyGrantsMoreThanTheyHave:
    @pytest.mark.parametrize(
        "wanted",
        [
            {"roles": ["admin"]},
            {"roles": ["service"]},
            {"roles": ["admin"], "scopes": ["conversations:delete"]},
            {"roles": ["admin"], "scopes": ["access:manage", "users:read"]},
        ],
    )
    def test_what_is_beyond_is_refused(self, caller: CallerAs, wanted: Any) -> None:
        scopes = [Permission.MANAGE_ACCESS, Permission.READ_CONVERSATIONS]
        narrow = caller(Role.ADMIN, scopes=scopes)
        answer = narrow.post("/api-keys", {"name": "x", **wanted})
        assert (answer.status_code, answer.json["code"]) == (403, "forbidden")
        assert len(narrow.get("/api-keys").json["items"]) == 1

    def test_what_is_within_is_granted(self, caller: CallerAs) -> None:
        scopes = [Permission.MANAGE_ACCESS, Permission.READ_CONVERSATIONS]
        narrow = caller(Role.ADMIN, scopes=scopes)
        create(narrow, roles=["admin"], scopes=["conversations:read"])

    @pytest.mark.parametrize("role", [r for r in Role if r is not Role.ADMIN])
    def test_only_admins_manage_access(self, caller: CallerAs, role: Role) -> None:
        client = caller(role)
        assert client.get("/api-keys").status_code == 403
        assert client.post("/api-keys", NEW).status_code == 403
        assert client("DELETE", "/api-keys/none").status_code == 403


class TestKnownKeys:
    """Keys are looked up once where all processes share a Redis."""

    def test_a_key_revoked_elsewhere_ends_at_once(self, serve: Serve, redis_url: str) -> None:
        one, other = serve(redis_url), serve(redis_url)
        sent = Caller(one.app, other.credential)
        assert [sent.get("/sessions/none").status_code for _ in range(2)] == [404, 404]
        key_id = str(other.credential).split(".")[1]
        assert Caller(other.app, one.credential)("DELETE", f"/api-keys/{key_id}").status_code == 204
        assert sent.get("/sessions/none").status_code == 401

    def test_a_wrong_secret_is_wrong_though_the_key_is_known(
        self, serve: Serve, redis_url: str
    ) -> None:
        api = serve(redis_url)
        assert api.get("/sessions/none").status_code == 404
        forged = str(api.credential)[:-4] + "AAAA"
        assert Caller(api.app, forged).get("/sessions/none").status_code == 401

    def test_the_graph_is_asked_once(self, graph: Graph, model: GraphModel, tenant: str) -> None:
        asked = RecordingGraph(graph)
        keys = KnownKeys(
            CredentialStore(asked, model), InMemoryCache(Entries(most=10, most_bytes=100_000))
        )
        access = Access(keys)
        expires_at = now() + timedelta(hours=1)
        kept, key = access.create_key(tenant, name="k", roles=[Role.SERVICE], expires_at=expires_at)
        asked.sent.clear()
        assert access.authenticate(key) == access.authenticate(key)
        assert len(asked.sent) == 1
        known = keys.find_api_key(tenant, kept["key_id"])
        assert known is not None
        assert known["expires_at"] == expires_at
        assert keys.find_api_key(tenant, "none") is keys.find_api_key(tenant, "none") is None
        access.revoke_key(tenant, kept["key_id"])
        with pytest.raises(Unauthenticated):
            access.authenticate(key)


class TestTenant:
    def test_limits_in_force_are_told(self, api: Caller, parts: App, tenant: str) -> None:
        before = api.get("/tenants/self")
        assert (before.status_code, before.json["tenant_id"]) == (200, tenant)
        assert before.json["limits"]["client_burst"] == 1_000_000
        assert before.json["pii_policy"] == "flag"
        api.post("/sessions", {"id": "s"})
        terms = {"limits": {"client_burst": 9}, "pii_policy": "refuse"}
        parts.credentials.change_terms(tenant, lambda _: terms, now())
        # Another worker: this one knows the limits for some seconds.
        other = create_app(App(parts.settings, parts.model, parts.graph).services)
        told = Caller(other, api.credential).get("/tenants/self").json
        assert told["name"] == tenant
        assert told["limits"] == {**before.json["limits"], "client_burst": 9}
        assert told["pii_policy"] == "refuse"

    def test_it_is_for_those_who_manage_access(self, caller: CallerAs) -> None:
        assert caller(Role.ML_ENGINEER).get("/tenants/self").status_code == 403
