"""apikey and tenant as an operator runs them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from memgraph.bootstrap import App
from memgraph.domain.access import Permission, Role
from memgraph.domain.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from memgraph.domain.schema import GraphModel
from memgraph.graph.nodes import NodeReader
from memgraph.graph.session import Graph
from memgraph.ids import now
from memgraph.services.access import Access
from memgraph.settings import Settings
from tests.functional.conftest import Run
from tests.support.events import at, event


@pytest.fixture
def access(graph: Graph, model: GraphModel) -> Access:
    return Access(App(Settings(), model, graph).credentials)


class TestKeys:
    def test_a_key_is_made_listed_and_revoked(self, run: Run, access: Access, tenant: str) -> None:
        made = run("apikey", "create", "--name", "import", "--role", "service", "--json")
        assert made.code == 0, made.error
        principal = access.authenticate(made.json["api_key"])
        assert (principal.tenant_id, principal.roles) == (tenant, frozenset({Role.SERVICE}))
        listed = run("apikey", "list")
        assert "import" in listed.out
        assert made.json["api_key"].rpartition(".")[2] not in listed.out
        [row] = run("apikey", "list", "--json").json
        assert row["key_id"] == made.json["key_id"]
        assert run("apikey", "revoke", row["key_id"]).out.strip() == "revoked"
        with pytest.raises(Unauthenticated):
            access.authenticate(made.json["api_key"])
        assert run("apikey", "list", "--json").json[0]["revoked_at"]

    def test_text_is_the_key_alone(self, run: Run, access: Access) -> None:
        key = run("apikey", "create").out.strip()
        assert access.authenticate(key).roles == {Role.ADMIN}

    def test_scopes_and_expiry(
        self, run: Run, access: Access, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        arguments = ("--scope", "users:read", "--scope", "models:read", "--days", "2")
        key = run("apikey", "create", *arguments).out.strip()
        expected = {Permission.READ_USERS, Permission.READ_MODELS}
        assert access.authenticate(key).permissions == expected
        monkeypatch.setattr("memgraph.services.access.now", lambda: now() + timedelta(days=3))
        with pytest.raises(Unauthenticated):
            access.authenticate(key)

    def test_what_is_refused(self, run: Run) -> None:
        assert run("apikey", "create", "--role", "root").code == 2
        narrow = run("apikey", "create", "--role", "service", "--scope", "access:manage")
        assert isinstance(narrow.error, InvalidInput)
        assert isinstance(run("apikey", "create", "--tenant", "a\nb").error, InvalidInput)
        assert isinstance(run("apikey", "revoke", "none").error, NotFound)


class TestTenants:
    def test_a_tenant_is_made_once_and_listed(self, run: Run, tenant: str) -> None:
        made = run("tenant", "create", tenant, "--name", "Acme Inc.", "--json")
        assert (made.code, made.json["tenant_id"]) == (0, tenant)
        rows = {row["tenant_id"]: row["name"] for row in run("tenant", "list", "--json").json}
        assert rows[tenant] == "Acme Inc."
        assert isinstance(run("tenant", "create", tenant).error, Conflict)
        assert "Acme Inc." in run("tenant", "list").out

    def test_a_tenant_has_limits_of_its_own(self, run: Run, tenant: str) -> None:
        run("tenant", "create", tenant)
        change = ("tenant", "update", tenant, "--json")
        assert run(*change, "--client-per-s", "2.5").json["limits"] == {"client_per_s": 2.5}
        both = {"client_per_s": 2.5, "tenant_burst": 7}
        assert run(*change, "--tenant-burst", "7").json["limits"] == both
        rows = {row["tenant_id"]: row["limits"] for row in run("tenant", "list", "--json").json}
        assert rows[tenant] == both
        assert run(*change, "--reset", "--client-burst", "3").json["limits"] == {"client_burst": 3}
        assert run(*change, "--reset").json["limits"] == {}
        assert "changed" in run("tenant", "update", tenant, "--client-burst", "4").out

    def test_a_policy_decides_on_what_comes_next(
        self, run: Run, graph: Graph, model: GraphModel, tenant: str, tmp_path: Path
    ) -> None:
        told = "Write to maria.keller@example.com"

        def stored(policy: str) -> dict[str, Any]:
            """The prompt that was sent under a policy; a process of its own has nothing kept."""
            assert run("tenant", "update", tenant, "--pii-policy", policy).code == 0
            path = tmp_path / f"{policy}.jsonl"
            said = {"prompt": {"text": told}, "session": {"id": "s"}, "model": {"id": "m"}}
            path.write_bytes(event(event_id=policy, timestamp=at(0), **said))
            run("ingest", path, "--format", "events")
            return NodeReader(graph, model).find(tenant, "Prompt", (policy,)) or {}

        run("tenant", "create", tenant)
        assert stored("redact")["text"] == "Write to [email]"
        assert "has_pii" not in stored("off")
        assert stored("refuse") == {}
        assert stored("flag")["pii_kinds"] == ["email"]
        assert stored("default")["text"] == told

    def test_a_policy_is_told_and_taken_back(self, run: Run, tenant: str) -> None:
        run("tenant", "create", tenant)
        change = ("tenant", "update", tenant, "--json")
        both = run(*change, "--pii-policy", "refuse", "--client-burst", "3").json
        assert both == {
            "tenant_id": tenant,
            "limits": {"client_burst": 3},
            "pii_policy": "refuse",
        }
        assert run(*change, "--reset").json["pii_policy"] == "refuse"
        rows = {row["tenant_id"]: row for row in run("tenant", "list", "--json").json}
        assert rows[tenant]["pii_policy"] == "refuse"
        assert run(*change, "--pii-policy", "default").json["pii_policy"] is None
        assert run(*change, "--pii-policy", "hide").code == 2

    def test_limits_that_are_wrong(self, run: Run, tenant: str) -> None:
        run("tenant", "create", tenant)
        refused = run("tenant", "update", tenant, "--client-burst", "0").error
        assert isinstance(refused, InvalidInput)
        assert refused.field == "client_burst"
        assert run("tenant", "update", tenant).code == 2
        missing = run("tenant", "update", f"{tenant}-none", "--client-burst", "1").error
        assert isinstance(missing, NotFound)

    def test_a_tenant_needs_a_good_id(self, run: Run) -> None:
        assert isinstance(run("tenant", "create", "").error, InvalidInput)
        assert isinstance(run("tenant", "create", "a\x00b").error, InvalidInput)
