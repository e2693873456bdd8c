"""Constraints and indexes: what the classes ask for, what the server has, and the difference.

Nothing here changes a server. Migrations hold the statements; ``generate`` writes
their text once, from a difference.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from memgraph.domain.errors import GraphRefused
from memgraph.domain.schema import PLACEHOLDER, TOMBSTONE, GraphModel, NodeSpec, snake_case
from memgraph.graph.session import Graph, Row

TENANT = "tenant_id"
PROMOTED_PREFIX = "metadata_"
"""Properties promoted from metadata, as ``GraphModel`` names them."""
AWAIT_S = 600
"""Longest wait for indexes to come online. Over millions of nodes it takes minutes."""

_DIMENSIONS = "vector.dimensions"
_QUANTIZATION = "vector.quantization.enabled"
_QUANTIZATION_TYPE = "vector.quantization.type"


class Kind(StrEnum):
    """What a schema item is. No class asks for the last three, but a server may have them."""

    UNIQUE = "unique"
    RANGE = "range"
    FULLTEXT = "fulltext"
    VECTOR = "vector"
    TEXT = "text"
    POINT = "point"
    CONSTRAINT = "constraint"

    @property
    def is_constraint(self) -> bool:
        return self in (Kind.UNIQUE, Kind.CONSTRAINT)


@dataclass(frozen=True)
class SchemaItem:
    """A constraint or an index on one label."""

    name: str
    kind: Kind
    label: str
    properties: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the index configuration, those that we set; a server names all."""

    @property
    def is_promoted(self) -> bool:
        """It comes from the setting of promoted metadata, so no migration file holds it."""
        return self.kind is Kind.RANGE and self.properties[-1].startswith(PROMOTED_PREFIX)

    def is_met_by(self, found: SchemaItem) -> bool:
        """Whether ``found`` on the server is this item; options that we do not set are free."""
        same = (self.kind, self.label, self.properties)
        return same == (found.kind, found.label, found.properties) and all(
            found.options.get(name) == value for name, value in self.options.items()
        )

    def __str__(self) -> str:
        options = "".join(f", {name}={value}" for name, value in self.options.items())
        return f"{self.kind} {self.name} on {self.label}({', '.join(self.properties)}){options}"


@dataclass(frozen=True, slots=True)
class Change:
    """An item of the same name that is not what the classes ask for."""

    found: SchemaItem
    wanted: SchemaItem

    @property
    def is_promoted(self) -> bool:
        """It comes from settings: of promoted metadata, or the length of the model's vectors."""
        length = {_DIMENSIONS: self.wanted.options.get(_DIMENSIONS)}
        found = replace(self.found, options={**self.found.options, **length})
        return self.wanted.is_promoted or self.wanted.is_met_by(found)


@dataclass(frozen=True, slots=True)
class SchemaDifference:
    """What a server lacks, has too much, or has otherwise. False when there is nothing."""

    missing: tuple[SchemaItem, ...] = ()
    extra: tuple[SchemaItem, ...] = ()
    changed: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.missing or self.extra or self.changed)

    def lines(self) -> list[str]:
        """One line for people per item."""
        return [
            *(f"missing: {item}" for item in self.missing),
            *(f"changed: {change.found}; wanted: {change.wanted}" for change in self.changed),
            *(f"extra: {item}" for item in self.extra),
        ]

    def steps(self) -> Iterator[tuple[SchemaItem, str]]:
        """Items with the statements that make the server as asked: drops, then creations."""
        for item in (*(change.found for change in self.changed), *self.extra):
            yield item, drop_statement(item)
        for item in (*(change.wanted for change in self.changed), *self.missing):
            yield item, create_statement(item)

    def part(self, *, promoted: bool) -> SchemaDifference:
        """The part that follows settings, or the rest, which migration files hold."""
        return SchemaDifference(
            tuple(item for item in self.missing if item.is_promoted is promoted),
            tuple(item for item in self.extra if item.is_promoted is promoted),
            tuple(change for change in self.changed if change.is_promoted is promoted),
        )


def desired_items(model: GraphModel) -> list[SchemaItem]:
    """List what the classes ask for, class by class."""
    items = [item for spec in model.nodes.values() for item in items_of(spec)]
    items += [_range(label, TENANT) for label in (PLACEHOLDER, TOMBSTONE)]
    twice = {name for name, count in Counter(i.name for i in items).items() if count > 1}
    if twice:
        raise TypeError(f"two schema items of one name: {sorted(twice)}")
    return items


def items_of(spec: NodeSpec) -> Iterator[SchemaItem]:
    """What one class asks for."""
    key = "_".join(spec.key or (TENANT,))
    yield SchemaItem(f"{spec.snake}_{key}_unique", Kind.UNIQUE, spec.label, spec.identity)
    for declared in spec.properties:
        if declared.index:
            yield _range(spec.label, TENANT, declared.name)
        if declared.fulltext:
            yield _index(Kind.FULLTEXT, spec.label, declared.name, _FULLTEXT_OPTIONS)
        if declared.vector:
            yield _index(Kind.VECTOR, spec.label, declared.name, _vector_options(declared.vector))


_FULLTEXT_OPTIONS = {"fulltext.eventually_consistent": True}
"""Updated in the background: the write path does not wait for it."""


def _vector_options(dimensions: int) -> dict[str, Any]:
    return {
        _DIMENSIONS: dimensions,
        "vector.similarity_function": "COSINE",
        # Measured: with the default quantization three of ten neighbours are lost.
        _QUANTIZATION: False,
    }


def _range(label: str, *properties: str) -> SchemaItem:
    name = f"{snake_case(label)}_{properties[-1]}_range"
    return SchemaItem(name, Kind.RANGE, label, properties)


def _index(kind: Kind, label: str, property_: str, options: Mapping[str, Any]) -> SchemaItem:
    # A vector index keeps the tenant next to the vector, so that a search filters inside it.
    properties = (property_, TENANT) if kind is Kind.VECTOR else (property_,)
    return SchemaItem(f"{snake_case(label)}_{property_}_{kind}", kind, label, properties, options)


def create_statement(item: SchemaItem) -> str:
    """Return the idempotent statement that creates an item."""
    name, label, properties = _quoted(item.name), _quoted(item.label), _properties(item)
    head = f"INDEX {name} IF NOT EXISTS\nFOR (n:{label}) ON"
    every = ", ".join(properties)
    match item.kind:
        case Kind.UNIQUE:
            return (
                f"CREATE CONSTRAINT {name} IF NOT EXISTS\n"
                f"FOR (n:{label}) REQUIRE ({every}) IS UNIQUE"
            )
        case Kind.RANGE:
            return f"CREATE RANGE {head} ({every})"
        case Kind.FULLTEXT:
            return f"CREATE FULLTEXT {head} EACH [{every}]\n{_options(item)}"
        case Kind.VECTOR:
            # Filter properties are Cypher 25; a server may have Cypher 5 as its default.
            return (
                f"CYPHER 25 CREATE VECTOR {head} ({properties[0]}) "
                f"WITH [{', '.join(properties[1:])}]\n{_options(item)}"
            )
    raise TypeError(f"no class asks for {item}")


def drop_statement(item: SchemaItem) -> str:
    """Return the idempotent statement that drops an item."""
    return f"DROP {_thing(item)} {_quoted(item.name)} IF EXISTS"


def _thing(item: SchemaItem) -> str:
    return "CONSTRAINT" if item.kind.is_constraint else "INDEX"


def _properties(item: SchemaItem) -> list[str]:
    return [f"n.{_quoted(name)}" for name in item.properties]


def _options(item: SchemaItem) -> str:
    config = ", ".join(f"{_quoted(k)}: {_literal(v)}" for k, v in item.options.items())
    return f"OPTIONS {{indexConfig: {{{config}}}}}"


def _literal(value: Any) -> str:
    return f"'{value}'" if isinstance(value, str) else str(value).lower()


def _quoted(name: str) -> str:
    """A name as Cypher reads it; keys of promoted metadata may be anything."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f"`{name.replace('`', '``')}`"


_SHOW_CONSTRAINTS = """
SHOW CONSTRAINTS YIELD name, type, entityType, labelsOrTypes, properties
WHERE entityType = 'NODE'
RETURN name, type, labelsOrTypes AS labels, properties, {} AS options
"""
_SHOW_INDEXES = """
SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, options, owningConstraint
WHERE entityType = 'NODE' AND type <> 'LOOKUP' AND owningConstraint IS NULL
RETURN name, type, labelsOrTypes AS labels, properties, options.indexConfig AS options
"""


def server_items(graph: Graph) -> list[SchemaItem]:
    """Read the constraints and indexes on nodes, by name. Two round trips.

    Left out are token look-up indexes and those that back a constraint.
    """
    rows = [*graph.read(_SHOW_CONSTRAINTS), *graph.read(_SHOW_INDEXES)]
    return sorted(map(_item_of, rows), key=lambda item: item.name)


def _item_of(row: Row) -> SchemaItem:
    is_unique = row["type"] == "NODE_PROPERTY_UNIQUENESS"
    known = {kind.upper(): kind for kind in Kind if not kind.is_constraint}
    return SchemaItem(
        name=row["name"],
        kind=Kind.UNIQUE if is_unique else known.get(row["type"], Kind.CONSTRAINT),
        # A full-text index can be on several labels; ours never are.
        label="|".join(row["labels"]),
        properties=tuple(row["properties"]),
        options=_without_dialect(row["options"]),
    )


def _without_dialect(options: Mapping[str, Any]) -> dict[str, Any]:
    """Newer servers take the switch of quantization and answer with its type."""
    plain = dict(options)
    if _QUANTIZATION_TYPE in plain:
        plain[_QUANTIZATION] = plain.pop(_QUANTIZATION_TYPE) != "NONE"
    return plain


def difference(model: GraphModel, graph: Graph) -> SchemaDifference:
    """Compare the server with the classes. Two round trips."""
    return compare(desired_items(model), server_items(graph))


def compare(wanted: Iterable[SchemaItem], found: Iterable[SchemaItem]) -> SchemaDifference:
    """Compare by name. Items on labels that no wanted item is on are none of our business."""
    wanted_by_name = {item.name: item for item in wanted}
    found_by_name = {item.name: item for item in found}
    labels = {item.label for item in wanted_by_name.values()}
    both = [name for name in wanted_by_name if name in found_by_name]
    changes = (Change(found_by_name[name], wanted_by_name[name]) for name in both)
    return SchemaDifference(
        missing=tuple(i for i in wanted_by_name.values() if i.name not in found_by_name),
        extra=tuple(
            item
            for item in found_by_name.values()
            if item.name not in wanted_by_name and labels.intersection(item.label.split("|"))
        ),
        changed=tuple(c for c in changes if not c.wanted.is_met_by(c.found)),
    )


def await_indexes(graph: Graph, timeout_s: int = AWAIT_S) -> None:
    """Wait until every index is online. Raises GraphRefused when one failed or takes too long."""
    try:
        graph.run("CALL db.awaitIndexes($timeout_s)", timeout_s=timeout_s)
    except GraphRefused as error:
        raise GraphRefused(
            f"an index failed or is not online after {timeout_s} s; "
            "`SHOW INDEXES YIELD name, state, failureMessage` tells which",
            **error.facts,
        ) from error


_HEADER = """\
// Constraints and indexes of the node classes, as far as earlier migrations do not make them.
// Derived from the classes, then kept: an applied file is never edited, a change of a class
// comes as a new file. Every statement is idempotent: after a failure, mend and run again.
"""


def generate(change: SchemaDifference) -> str:
    """Return the text of a migration file that makes the server as the classes ask.

    Indexes of promoted metadata are left out: they follow the settings.
    """
    sections = [_HEADER]
    label = ""
    for item, statement in change.part(promoted=False).steps():
        heading = f"// {item.label}\n" if item.label != label else ""
        label = item.label
        sections.append(f"{heading}{statement};\n")
    return "\n".join(sections)
