"""apikey, tenant: who may call the service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError

from memgraph.cli import render
from memgraph.cli.common import (
    json_option,
    open_app,
    out,
    print_json,
    settings_options,
    tenant_option,
)
from memgraph.domain.access import Permission, Role
from memgraph.domain.errors import InvalidInput
from memgraph.domain.events.base import Key
from memgraph.domain.values import PiiPolicy
from memgraph.ids import now
from memgraph.services.limits import with_limits
from memgraph.settings import Rates, Settings

_KEY: TypeAdapter[str] = TypeAdapter(Key)
_INHERITED = "default"


@click.group()
def apikey() -> None:
    """Make, list and revoke the API keys of a tenant."""


@apikey.command("create", epilog="Example: memgraph apikey create --name import --role service")
@click.option("--name", default="command line", show_default=True, help="What people call it.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice([role.value for role in Role]),
    default=[Role.ADMIN.value],
    show_default=True,
    help="Role it acts in; may be given several times.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice([permission.value for permission in Permission]),
    help="Permission it is narrowed to; may be given several times.",
)
@click.option("--days", type=click.IntRange(1, 36_500), help="Days until it expires; else never.")
@json_option
@settings_options
@tenant_option
def create_key(
    settings: Settings,
    tenant: str,
    *,
    name: str,
    roles: tuple[str, ...],
    scopes: tuple[str, ...],
    days: int | None,
    as_json: bool,
) -> None:
    """Make an API key and print it. It is shown only now."""
    with open_app(settings) as app:
        kept, key = app.services.access.create_key(
            _checked(tenant),
            name=name,
            roles=[Role(role) for role in roles],
            scopes=[Permission(scope) for scope in scopes],
            expires_at=now() + timedelta(days=days) if days else None,
        )
    if as_json:
        print_json({"api_key": key, "key_id": kept["key_id"]})
    else:
        click.echo(key)


@apikey.command("list", epilog="Example: memgraph apikey list")
@json_option
@settings_options
@tenant_option
def list_keys(settings: Settings, tenant: str, *, as_json: bool) -> None:
    """List the keys of a tenant, newest first, without their secrets."""
    with open_app(settings) as app:
        keys = app.services.access.list_keys(tenant)
    if as_json:
        print_json(keys)
    else:
        out.print(render.api_keys(keys))


@apikey.command("revoke", epilog="Example: memgraph apikey revoke 5f2b9c01d4e7")
@click.argument("key_id")
@json_option
@settings_options
@tenant_option
def revoke_key(settings: Settings, tenant: str, *, key_id: str, as_json: bool) -> None:
    """Revoke a key at once."""
    with open_app(settings) as app:
        app.services.access.revoke_key(tenant, key_id)
    if as_json:
        print_json({"revoked": key_id})
    else:
        click.echo("revoked")


@click.group()
def tenant() -> None:
    """Make, change and list tenants."""


@tenant.command("create", epilog="Example: memgraph tenant create acme --name 'Acme Inc.'")
@click.argument("tenant_id")
@click.option("--name", help="What people call it; the id by default.")
@json_option
@settings_options
def create_tenant(settings: Settings, *, tenant_id: str, name: str | None, as_json: bool) -> None:
    """Make a tenant. Data meets no other tenant's."""
    row = {"name": name or tenant_id, "created_at": now()}
    with open_app(settings) as app:
        app.credentials.create_tenant(_checked(tenant_id), row)
    if as_json:
        print_json({"tenant_id": tenant_id, **row})
    else:
        click.echo("created")


def _rate_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """An option for each limit that a tenant may have of its own."""
    for name, field in reversed(Rates.model_fields.items()):
        option = "--" + name.replace("_", "-")
        command = click.option(option, name, type=field.annotation, help=field.description)(command)
    return command


@tenant.command("update", epilog="Example: memgraph tenant update acme --client-per-s 500")
@click.argument("tenant_id")
@click.option(
    "--pii-policy",
    type=click.Choice([*(policy.value for policy in PiiPolicy), _INHERITED]),
    help="What happens to personal data in what it sends; `default`: as the settings say.",
)
@_rate_options
@click.option("--reset", is_flag=True, help="First take back all limits of its own.")
@json_option
@settings_options
def update_tenant(
    settings: Settings,
    *,
    tenant_id: str,
    pii_policy: str | None,
    reset: bool,
    as_json: bool,
    **rates: float | None,
) -> None:
    """Give a tenant limits and a policy of its own.

    What is not named stays; workers follow within 10 s.
    """
    said = {name: rate for name, rate in rates.items() if rate is not None}
    if not said and not reset and pii_policy is None:
        raise click.UsageError("name a limit, --pii-policy or --reset")
    back = dict.fromkeys(Rates.model_fields) if reset else {}

    def change(known: dict[str, Any]) -> dict[str, Any]:
        policy = known["pii_policy"] if pii_policy is None else pii_policy
        return {
            "limits": with_limits(known["limits"], {**back, **said}),
            "pii_policy": None if policy == _INHERITED else policy,
        }

    with open_app(settings) as app:
        terms = app.credentials.change_terms(_checked(tenant_id), change, now())
    if as_json:
        print_json({"tenant_id": tenant_id, **terms})
    else:
        click.echo("changed")


@tenant.command("list", epilog="Example: memgraph tenant list")
@json_option
@settings_options
def list_tenants(settings: Settings, *, as_json: bool) -> None:
    """List the tenants, with the limits and policies that are their own."""
    with open_app(settings) as app:
        tenants = app.credentials.list_tenants()
    if as_json:
        print_json(tenants)
    else:
        out.print(render.tenants(tenants))


def _checked(tenant_id: str) -> str:
    try:
        return _KEY.validate_python(tenant_id)
    except ValidationError:
        raise InvalidInput("tenant", "must be 1 to 512 characters, no control ones") from None


COMMANDS = (apikey, tenant)
