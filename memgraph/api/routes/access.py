"""The caller's tenant and its API keys."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from memgraph.api import resources as res
from memgraph.api.answers import Answer
from memgraph.api.operations import API, Call, Routes
from memgraph.api.schemas import RequestPart, Resource, resource_of
from memgraph.domain.access import Permission, Role
from memgraph.domain.events.base import AnyTime, Name
from memgraph.domain.values import PiiPolicy
from memgraph.services.enrichment.toolbox import policy_of
from memgraph.settings import Rates

routes = Routes("access")

MANAGE = Permission.MANAGE_ACCESS

_RATES = Rates.model_fields
ApiKey = resource_of(res.MODEL.nodes["ApiKey"])


class NewApiKey(RequestPart):
    """A credential that is wanted."""

    name: Name = Field(description="What people call it.")
    roles: list[Role] = Field(min_length=1, max_length=10, description="Roles it acts in.")
    scopes: list[Permission] = Field(
        [], max_length=100, description="Permissions it is narrowed to; none: all of its roles."
    )
    expires_at: AnyTime | None = Field(None, description="When it stops to work; else never.")


class IssuedApiKey(ApiKey):  # type: ignore[misc,valid-type]
    """A new credential with its secret."""

    api_key: str = Field(description="Send it as `Authorization: Bearer`. It is not shown again.")


class ApiKeys(Resource):
    """The keys of the tenant, newest first."""

    items: list[ApiKey]  # type: ignore[valid-type]


class TenantSummary(Resource):
    """The tenant of the caller."""

    tenant_id: str
    name: str | None
    created_at: datetime | None = Field(description="None: it has neither data nor a name yet.")
    limits: Rates = Field(description="In force; an operator may give a tenant its own.")
    pii_policy: PiiPolicy = Field(
        description="What happens to personal data in what it sends; an operator says so."
    )


@routes.get("/tenants/self", permission=MANAGE, answers=TenantSummary)
def read_tenant(call: Call) -> Answer:
    """Read the tenant of the caller with the limits and the policy in force."""
    found = call.services.nodes.find(call.tenant_id, "Tenant", ()) or {}
    default = PiiPolicy(call.services.settings.ingest.pii_policy)
    summary = {
        "tenant_id": call.tenant_id,
        "name": found.get("name"),
        "created_at": found.get("created_at"),
        "limits": call.services.limits.rates(call.tenant_id).model_dump(include=set(_RATES)),
        "pii_policy": policy_of(found, default),
    }
    return Answer(summary)


@routes.get("/api-keys", permission=MANAGE, answers=ApiKeys)
def list_api_keys(call: Call) -> Answer:
    """List the keys of the tenant, revoked ones too."""
    return Answer({"items": call.services.access.list_keys(call.tenant_id)})


@routes.post(
    "/api-keys",
    permission=MANAGE,
    body=NewApiKey,
    answers=IssuedApiKey,
    status=201,
    example={"name": "nightly import", "roles": ["service"], "scopes": ["conversations:write"]},
)
def create_api_key(call: Call) -> Answer:
    """Make a key. It can do no more than you may, and is shown only now."""
    sent = call.body
    kept, key = call.services.access.issue_key(
        call.principal,
        name=sent.name,
        roles=sent.roles,
        scopes=sent.scopes,
        expires_at=sent.expires_at,
    )
    place = f"{API}/api-keys/{kept['key_id']}"
    return Answer({**kept, "api_key": key}, headers={"Location": place})


@routes.delete("/api-keys/<id:key_id>", permission=MANAGE, status=204)
def revoke_api_key(call: Call, key_id: str) -> Answer:
    """Revoke a key at once. Revoking it again does no harm."""
    call.services.access.revoke_key(call.tenant_id, key_id)
    return Answer()
