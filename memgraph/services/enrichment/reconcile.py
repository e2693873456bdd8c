"""Complete what stages left out because something they need was away."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from memgraph.domain.errors import MemgraphError
from memgraph.graph.pending import ADDABLE, LABELS, PendingMessages
from memgraph.services.enrichment.items import Registry
from memgraph.services.enrichment.metadata import cost_at
from memgraph.services.enrichment.texts import Texts

_log = structlog.get_logger()

Row = Mapping[str, Any]
TOGETHER = 500
FIRST_PAUSE_S = 5.0
"""Until then what was noticed is written, and what was loading is loaded."""
LONGEST_PAUSE_S = 300.0


@dataclass(frozen=True, eq=False)
class Reconciliation:
    """Looks again at messages that are not complete. Any number may run."""

    pending: PendingMessages
    texts: Texts
    registry: Registry

    def run(self, tenant_id: str) -> int:
        """Complete the messages of a tenant as far as that works now; how many are whole.

        Raises GraphUnavailable. What is still missing is tried again next time.
        """
        return sum(self._run(tenant_id, label) for label in LABELS)

    def is_left(self, tenant_id: str) -> bool:
        """Whether something is still missing."""
        return any(self.pending.list_pending(tenant_id, label, 1) for label in LABELS)

    def _run(self, tenant_id: str, label: str) -> int:
        whole = 0
        while True:
            found = self.pending.list_pending(tenant_id, label, TOGETHER)
            rows = [self._complete(tenant_id, label, message) for message in found]
            if rows:
                self.pending.complete(tenant_id, label, rows)
            done = sum(row["pending"] is None for row in rows)
            whole += done
            # Without progress the rest waits for the next run.
            if len(found) < TOGETHER or not done:
                return whole

    def _complete(self, tenant_id: str, label: str, message: Row) -> dict[str, Any]:
        key = f"{label.lower()}_id"
        row: dict[str, Any] = {key: message[key], "pending": None, "computed": None}
        row |= dict.fromkeys(ADDABLE)
        left = []
        for name in message["enrichment_pending"].split():
            try:
                row[name] = self._find(tenant_id, name, message)
            except MemgraphError:
                left.append(name)
        if left:
            row["pending"] = " ".join(left)
        if row["cost_usd"] is not None:
            row["computed"] = ["cost_usd"]
        return row

    def _find(self, tenant_id: str, name: str, message: Row) -> Any:
        text = message.get("text")
        if name == "cost_usd":
            prices = self.registry.prices(tenant_id, message["model_id"])
            tokens = (message["prompt_tokens"], message["completion_tokens"])
            return cost_at(message["created_at"], *tokens, prices)
        if not text:
            return None
        if name == "language":
            return self.texts.language(text)
        return self.registry.match_template(tenant_id, text)


class Reconciler:
    """Completes beside the work what it left out, tenant by tenant. Threads share it.

    Its thread lives only while something is left. What a process that ended did not
    complete waits in the graph for `memgraph reconcile`.
    """

    def __init__(
        self,
        reconciliation: Reconciliation,
        *,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._reconciliation = reconciliation
        self._pause_s = first_pause_s
        self._lock = threading.Lock()
        self._tenants: set[str] = set()
        self._thread: threading.Thread | None = None

    def note(self, tenant_id: str) -> None:
        """Something of the tenant is to be completed, soon."""
        with self._lock:
            self._tenants.add(tenant_id)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="memgraph-reconciler", daemon=True
                )
                self._thread.start()

    def _work(self) -> None:
        pause_s = self._pause_s
        while True:
            time.sleep(pause_s)
            with self._lock:
                tenants, self._tenants = self._tenants, set()
            left = {tenant_id for tenant_id in tenants if not self._complete(tenant_id)}
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S) if left else self._pause_s
            with self._lock:
                self._tenants |= left
                if not self._tenants:
                    self._thread = None
                    return

    def _complete(self, tenant_id: str) -> bool:
        try:
            self._reconciliation.run(tenant_id)
            return not self._reconciliation.is_left(tenant_id)
        except MemgraphError as error:
            _log.warning("reconciliation waits", code=error.code)
            return not error.retryable  # what would not pass is left to the command
