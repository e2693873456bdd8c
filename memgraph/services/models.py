"""Models and their versions: what they are, and what they cost when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memgraph.domain import events as ev
from memgraph.domain.errors import Conflict
from memgraph.domain.events.base import EventBase
from memgraph.domain.events.registry import ModelBody, ModelVersionBody
from memgraph.domain.mutations import Outcome
from memgraph.domain.times import END_OF_TIME, BiTemporal
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

    def get(self, tenant_id: str, model_id: str, *, at: BiTemporal | None = None) -> Row:
        """A model with the ``version`` that is valid then, now by default. Raises NotFound.

        Of what was recorded by an earlier time only the prices are told: what else a version
        says may have come later.
        """
        model = self.nodes.get(tenant_id, "Model", (model_id,))
        at = at or BiTemporal(now())
        if at.recorded == END_OF_TIME:
            versions = self.reader.list_model_versions(tenant_id, model_id)
        else:
            said = self.reader.list_model_prices(tenant_id, model_id, at.recorded)
            versions = _priced(model_id, said)
        valid = (v for v in versions if "valid_from" in v and v["valid_from"] <= at.valid)
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


def _priced(model_id: str, said: list[Row]) -> list[Row]:
    """Versions out of what was ``said`` of their prices, latest ``valid_from`` first."""
    versions: dict[str, Row] = {}
    for price in reversed(said):
        # A price whose beginning nobody names holds from the first word about it.
        first = {"created_at": price["created_at"], "valid_from": price["created_at"]}
        known = versions.setdefault(price["version"], {"model_id": model_id, **first})
        known |= {name: price[name] for name in ("version", *PRICE) if name in price}
    return sorted(versions.values(), key=lambda v: (v["valid_from"], v["version"]), reverse=True)


def _check_price(version: ModelVersionBody, known: Row) -> None:
    for name in PRICE:
        said = getattr(version, name)
        if said is not None and said != known.get(name, said):
            raise Conflict(f"this version has another {name}; a new price is a new version")
