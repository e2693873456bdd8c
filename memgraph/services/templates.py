"""Templates: register, new versions, inheritance, and prompts made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from memgraph.domain import events as ev
from memgraph.domain.errors import Conflict, InvalidInput, NotFound, shown
from memgraph.domain.events.base import EventPart
from memgraph.domain.events.conversation import PromptBody, SessionRef, TemplateRef
from memgraph.domain.events.registry import TemplateBody, TemplateParent
from memgraph.domain.mutations import Outcome
from memgraph.domain.templates import (
    ResolvedTemplate,
    SemanticVersion,
    TemplateKey,
    TemplateVersion,
    VariableSpec,
    VersionLevel,
    check_declared,
    parse,
    render,
    resolve,
    text_diff_summary,
    validate_bindings,
)
from memgraph.domain.times import BiTemporal
from memgraph.graph.nodes import NodeReader
from memgraph.graph.reader import Reader
from memgraph.ids import uuid7
from memgraph.services.recording import Recorder

Part = TypeVar("Part", bound=EventPart)
Row = dict[str, Any]
Line = dict[TemplateKey, TemplateVersion]
"""Versions by key: one and all that it inherits from."""

_CARRIED = ("name", "description", "author", "tags", "variables", "metadata")
"""What a new version takes over from the one before, unless it says otherwise."""


@dataclass(frozen=True, eq=False)
class Templates:
    """The life of templates. A version is a fact; what changes is a new version."""

    recorder: Recorder
    nodes: NodeReader
    reader: Reader

    def get(
        self,
        tenant_id: str,
        template_id: str,
        *,
        version: str | None = None,
        at: BiTemporal | None = None,
    ) -> Row:
        """A version, the highest by default, among those known ``at`` a time.

        Raises NotFound.
        """
        known = [
            row["version"]
            for row in self.list_versions(tenant_id, template_id)
            if (version is None or row["version"] == version) and (at is None or _is_known(row, at))
        ]
        if not known:
            raise NotFound("no such version of this template", kind="template")
        newest = max(known, key=SemanticVersion.parse)
        return self.nodes.get(tenant_id, "PromptTemplate", (template_id, newest))

    def list_versions(self, tenant_id: str, template_id: str) -> list[Row]:
        """The versions, the highest first, each with the comment it was made with."""
        rows = self.reader.list_template_versions(tenant_id, template_id)
        if not rows:
            raise NotFound(f"no template {shown(template_id)} in this tenant", kind="template")
        for row in rows:
            row["comment"] = (row.pop("metadata") or {}).get("comment")
        return sorted(rows, key=lambda row: SemanticVersion.parse(row["version"]), reverse=True)

    def register(self, tenant_id: str, body: TemplateBody, at: datetime) -> tuple[Row, Outcome]:
        """Register the first version of a template.

        Raises InvalidInput, TemplateCycle, and Conflict when there is a template with this id.
        """
        known = self.reader.list_template_versions(tenant_id, body.id)
        if known and body.version not in {row["version"] for row in known}:
            raise Conflict("there is a template with this id; add a version to it")
        return self._record(tenant_id, body, at)

    def add_version(
        self,
        tenant_id: str,
        template_id: str,
        said: Mapping[str, Any],
        *,
        bump: VersionLevel,
        comment: str | None,
        at: datetime,
    ) -> tuple[Row, Outcome]:
        """Register the version after the highest one. What is not ``said`` is as it was there.

        ``parent`` None ends the inheritance. Raises NotFound, InvalidInput, TemplateCycle.
        """
        before = self.get(tenant_id, template_id)
        carried = {name: before.get(name) for name in _CARRIED}
        carried["variables"] = _variables(before.get("variables"))
        carried["text"] = before.get("template_text")
        carried["parent"] = _parent(before)
        values = {**carried, **said}
        metadata = {**(values.pop("metadata") or {})}
        metadata.pop("comment", None)
        if comment is not None:
            metadata["comment"] = comment
        body = _checked(
            TemplateBody,
            **values,
            id=template_id,
            version=str(SemanticVersion.parse(before["version"]).bump(bump)),
            previous_version=before["version"],
            metadata=metadata or None,
        )
        return self._record(tenant_id, body, at)

    def instantiate(
        self,
        tenant_id: str,
        template_id: str,
        *,
        version: str | None,
        bindings: Mapping[str, Any],
        session_id: str,
        prompt: Mapping[str, Any],
    ) -> tuple[Row, Outcome]:
        """Fill a version and record it as a prompt; ``prompt`` is the rest of the event.

        Raises NotFound, and InvalidInput for a value that does not fit.
        """
        found = self.get(tenant_id, template_id, version=version)
        resolved = self._resolved(tenant_id, (template_id, found["version"]))
        text = render(resolved.text, resolved.variables, bindings)
        if not text:
            raise InvalidInput("bindings", "make an empty text")
        values = validate_bindings(resolved.variables, bindings)
        event = _checked(
            ev.PromptEvent,
            **prompt,
            prompt=PromptBody(text=text),
            session=SessionRef(id=session_id),
            template=TemplateRef(id=template_id, version=found["version"], bindings=values),
        )
        outcome = self.recorder.record(tenant_id, event)
        return {
            "id": event.event_id,
            "outcome": outcome.value,
            "template_id": template_id,
            "version": found["version"],
            "text": text,
        }, outcome

    def _record(self, tenant_id: str, body: TemplateBody, at: datetime) -> tuple[Row, Outcome]:
        event = ev.TemplateEvent(
            event_id=uuid7(), timestamp=at, template=self._placed(tenant_id, body)
        )
        outcome = self.recorder.record(tenant_id, event)
        key = (body.id, body.version)
        return self.nodes.get(tenant_id, "PromptTemplate", key), outcome

    def _placed(self, tenant_id: str, body: TemplateBody) -> TemplateBody:
        """Check text, variables and parent; say what the version overrides and how deep it is."""
        key = (body.id, body.version)
        parent = (body.parent.id, body.parent.version) if body.parent else None
        own = TemplateVersion(*key, body.text, tuple(body.variables or ()), parent)
        line = self._line(tenant_id, parent) if parent else {}
        resolved = _resolve({**line, key: own}, key)
        if parent is None:
            return body
        return body.model_copy(
            update={
                "override_sections": list(resolved.override_sections) or None,
                "version_diff": body.version_diff
                or text_diff_summary(resolve(line, parent).text, resolved.text),
                "depth": resolved.depth,
            }
        )

    def _resolved(self, tenant_id: str, key: TemplateKey) -> ResolvedTemplate:
        return _resolve(self._line(tenant_id, key), key)

    def _line(self, tenant_id: str, key: TemplateKey) -> Line:
        return {
            (row["template_id"], row["version"]): TemplateVersion(
                row["template_id"],
                row["version"],
                row["template_text"] or "",
                tuple(_variables(row["variables"]) or ()),
                tuple(row["parent"]) if row["parent"] else None,
            )
            for row in self.reader.list_template_line(tenant_id, *key)
        }


def _is_known(version: Row, at: BiTemporal) -> bool:
    return bool(version["created_at"] <= at.valid and version["recorded_at"] <= at.recorded)


def _resolve(line: Line, key: TemplateKey) -> ResolvedTemplate:
    """Apply the line. A version that declares no variables means those that its text uses."""
    try:
        resolved = resolve(line, key)
        template = parse(resolved.text)
        if not line[key].variables:
            known = {spec.name for spec in resolved.variables}
            implied = (VariableSpec(name=n) for n in template.variables if n not in known)
            resolved = replace(resolved, variables=(*resolved.variables, *implied))
        check_declared(template, resolved.variables)
    except InvalidInput as error:
        if error.field != "template_text":
            raise
        # What the graph calls template_text is `text` for those who send it.
        raise InvalidInput("text", error.rule) from None
    return resolved


def _variables(stored: list[Row] | None) -> list[VariableSpec] | None:
    try:
        return [VariableSpec(**row) for row in stored] if stored else None
    except ValidationError:
        raise InvalidInput("variables", "of the version before are not valid any more") from None


def _parent(template: Row) -> TemplateParent | None:
    for link in template["links"]:
        if link["type"] == "INHERITS":
            template_id, _, version = link["id"].rpartition("@")
            return TemplateParent(id=template_id, version=version)
    return None


def _checked(part: type[Part], **values: Any) -> Part:
    """What is made of good parts may still be too large as a whole. Raises InvalidInput."""
    try:
        return part(**values)
    except ValidationError as error:
        raise ev.first_problem(error) from None
