"""Models and their versions: what they are, and what they cost when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from memgraph.domain import events as ev
from memgraph.domain.errors import Conflict
from memgraph.domain.events.base import EventBase
from memgraph.domain.events.registry import ModelBody, ModelVersionBody
from memgraph.domain.mutations import Outcome
from memgraph.graph.nodes import NodeReader
from memgraph.graph.reader import Reader
from memgraph.ids import now
from memgraph.services.recording import Recorder

Row = dict[str, Any]

PRICE = ("input_usd_per_1k", "output_usd_per_1k", "valid_from")
"""What stays as it was first said: a new price is a new version."""


@dataclass(frozen=True, eq=False)
class Models:
    """The registry of models."""

    recorder: Recorder
    nodes: NodeReader
    reader: Reader

    def get(self, tenant_id: str, model_id: str, *, as_of: datetime | None = None) -> Row:
        """A model with the ``version`` that is valid then, now by default. Raises NotFound."""
        model = self.nodes.get(tenant_id, "Model", (model_id,))
        at = as_of or now()
        valid = (
            row
            for row in self.reader.list_model_versions(tenant_id, model_id)
            if "valid_from" in row and row["valid_from"] <= at
        )
        return {**model, "version": next(valid, None)}

    def list_versions(self, tenant_id: str, model_id: str) -> list[Row]:
        """The versions of a model, latest ``valid_from`` first. Raises NotFound."""
        self.nodes.get(tenant_id, "Model", (model_id,))
        return self.reader.list_model_versions(tenant_id, model_id)

    def register(
        self, tenant_id: str, body: ModelBody, version: ModelVersionBody | None, moment: EventBase
    ) -> tuple[Row, Outcome]:
        """Register a model, or say more of a known one. Raises Conflict for another price."""
        outcome = self._record(tenant_id, body, version, moment)
        return self.get(tenant_id, body.id), outcome

    def add_version(
        self, tenant_id: str, model_id: str, version: ModelVersionBody, moment: EventBase
    ) -> tuple[Row, Outcome]:
        """Add a version to a known model. Raises NotFound, and Conflict for another price."""
        self.nodes.get(tenant_id, "Model", (model_id,))
        outcome = self._record(tenant_id, ModelBody(id=model_id), version, moment)
        key = (model_id, version.version)
        return self.nodes.get(tenant_id, "ModelVersion", key), outcome

    def _record(
        self,
        tenant_id: str,
        body: ModelBody,
        version: ModelVersionBody | None,
        moment: EventBase,
    ) -> Outcome:
        if version is not None:
            version = self._placed(tenant_id, body.id, version)
        event = ev.ModelEvent(**dict(moment), model=body, version=version)
        return self.recorder.record(tenant_id, event)

    def _placed(self, tenant_id: str, model_id: str, version: ModelVersionBody) -> ModelVersionBody:
        """Refuse another price of a known version; a new one follows the latest."""
        known = self.reader.list_model_versions(tenant_id, model_id)
        for row in known:
            if row["version"] == version.version:
                _check_price(version, row)
                return version
        if version.previous_version is None and known:
            return version.model_copy(update={"previous_version": known[0]["version"]})
        return version


def _check_price(version: ModelVersionBody, known: Row) -> None:
    for name in PRICE:
        said = getattr(version, name)
        if said is not None and said != known.get(name, said):
            raise Conflict(f"this version has another {name}; a new price is a new version")
