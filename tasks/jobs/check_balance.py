"""Whether anything was lost on its way in."""

from __future__ import annotations

from functools import partial
from typing import Any

from memgraph.bootstrap import App
from memgraph.services.balance import check
from tasks.job import job

MOST = 1_000_000
"""Tenants, and sources of each."""


@job(schedule="10 3 * * *", time_limit_s=1_800)
def check_balance(app: App) -> dict[str, Any]:
    """Compare what was received with what became of it, for every tenant and source."""
    tenants = (row["tenant_id"] for row in app.credentials.list_tenants(limit=MOST))
    return {"sources": check(tenants, partial(app.reader.list_sources, limit=MOST), app.meters)}
