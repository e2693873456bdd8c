"""GraphNode, GraphRel and the frozen descriptors that are read once from their subclasses.

Everything that lists fields is derived from these descriptors: merge statements,
row mappers, constraints and indexes, the data-model page, JSON schemas, test
factories. A class stays an ordinary neomodel class.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any, ClassVar, Literal, cast

from neomodel import (
    ArrayProperty,
    BooleanProperty,
    DateTimeNeo4jFormatProperty,
    FloatProperty,
    IntegerProperty,
    JSONProperty,
    RelationshipFrom,
    RelationshipTo,
    StringProperty,
    StructuredNode,
    StructuredRel,
)
from neomodel.properties import FulltextIndex, Property, VectorIndex

from memgraph.domain.values import Lifecycle

NODES_PACKAGE = "memgraph.domain.nodes"
PLACEHOLDER = "Placeholder"
"""Extra label of a node that an edge names and whose own event has not arrived."""
COMPUTED = "computed_properties"
"""Property that names those of its node that enrichment computed because no sender said them."""
TOMBSTONE = "Tombstone"
"""Extra label of what is left of a deleted node while a replay could bring it back."""
RECORDED_AT = "recorded_at"
"""Property of the facts whose recorded time is kept, see `recorded_time`."""

ValueType = Literal[
    "string", "integer", "float", "boolean", "datetime", "json", "strings", "floats"
]
EnumClass = type[StrEnum]
Upstream = Literal["start", "end"]


class GraphNode(StructuredNode):
    """Base of every node class.

    ``key`` names the properties that identify a node within its tenant,
    ``lifecycle`` how it may change. A property declares type, description and,
    by keyword, ``unit``, ``enum``, ``index=True`` (a range index over tenant and
    property), ``enriched=True`` (added after the fact by enrichment, no part of
    its content), ``internal=True`` (bookkeeping of the writer).
    """

    __abstract_node__ = True
    __optional_labels__: ClassVar[list[str]] = [PLACEHOLDER, TOMBSTONE]
    key: ClassVar[tuple[str, ...]] = ()
    lifecycle: ClassVar[Lifecycle] = Lifecycle.RECORD
    caption: ClassVar[str] = ""
    """The property that names a node for people."""
    is_content: ClassVar[bool] = True
    """Part of what a tenant put in: digest and export hold it. False for bookkeeping."""
    is_hub: ClassVar[bool] = False
    """Unrelated things meet here, so lineage ends here instead of passing through."""

    tenant_id = StringProperty(required=True, help_text="Tenant that owns the node.")
    created_at = DateTimeNeo4jFormatProperty(
        required=True, help_text="When it happened or was first named, UTC."
    )
    write_id = IntegerProperty(internal=True, help_text="Batch that last wrote the node.")


class FactNode(GraphNode):
    """A node that is written once. ``fact_hash`` and ``write_id`` are integers, which Neo4j
    stores inline: one MERGE tells new from known cheaply.
    """

    __abstract_node__ = True
    lifecycle = Lifecycle.FACT

    fact_hash = IntegerProperty(
        internal=True, help_text="BLAKE2b-64 of the canonical content, signed."
    )


class LivingNode(GraphNode):
    """A node that events change, last writer wins per property by (occurred_at, event id)."""

    __abstract_node__ = True
    lifecycle = Lifecycle.LIVING

    updated_at = DateTimeNeo4jFormatProperty(help_text="Time of the newest event that said more.")
    clocks = JSONProperty(
        internal=True, help_text="Per property the (time, event id) that set it; `*` is the rest."
    )


class GraphRel(StructuredRel):
    """Base of every relationship class.

    ``upstream`` says which end the other one came from, and so which way lineage
    runs: ``end`` for (:Response)-[:RESPONDS_TO]->(:Prompt), None when neither
    came from the other.
    """

    type_name: ClassVar[str]
    upstream: ClassVar[Upstream | None] = None
    is_fact: ClassVar[bool] = False
    """The edge is all that its event says, so it carries ``fact_hash`` and ``write_id``."""


def recorded_time() -> DateTimeNeo4jFormatProperty:
    """Declare when the graph learned of a fact, for questions about what was known when.

    It is no part of the content: sent again, the fact keeps the time of the first.
    """
    return DateTimeNeo4jFormatProperty(
        internal=True, help_text="When it was first written here, UTC."
    )


def outgoing(rel: type[GraphRel], end: str) -> RelationshipTo:
    """Declare an edge from this class to the class with label ``end``."""
    return RelationshipTo(f"{NODES_PACKAGE}.{end}", rel.type_name, model=rel)


def incoming(rel: type[GraphRel], start: str) -> RelationshipFrom:
    """Give this class a manager for an edge that the class ``start`` declares."""
    return RelationshipFrom(f"{NODES_PACKAGE}.{start}", rel.type_name, model=rel)


@dataclass(frozen=True, slots=True)
class PropertySpec:
    """One property: what the class says about it, nothing else."""

    name: str
    type: ValueType
    description: str
    required: bool = False
    unit: str | None = None
    enum: EnumClass | None = None
    index: bool = False
    fulltext: bool = False
    vector: int | None = None
    """Dimensions of the vector index."""
    enriched: bool = False
    internal: bool = False
    metadata_key: str | None = None
    """Promoted from this key of ``metadata``."""


@dataclass(frozen=True, eq=False)
class NodeSpec:
    """A node class, frozen."""

    label: str
    key: tuple[str, ...]
    lifecycle: Lifecycle
    caption: str
    is_content: bool
    is_hub: bool
    description: str
    properties: tuple[PropertySpec, ...]
    promoted: tuple[PropertySpec, ...] = ()

    @cached_property
    def by_name(self) -> dict[str, PropertySpec]:
        return {p.name: p for p in self.properties}

    @property
    def identity(self) -> tuple[str, ...]:
        """The properties of the uniqueness constraint: the tenant, then the key."""
        return ("tenant_id", *self.key)

    @property
    def snake(self) -> str:
        return snake_case(self.label)


@dataclass(frozen=True, eq=False)
class EdgeSpec:
    """A relationship class between two labels, frozen."""

    type: str
    start: str
    end: str
    properties: tuple[PropertySpec, ...]
    description: str
    upstream: Upstream | None = None
    is_fact: bool = False

    @property
    def ends(self) -> tuple[str, str, str]:
        return (self.start, self.type, self.end)

    @cached_property
    def by_name(self) -> dict[str, PropertySpec]:
        return {p.name: p for p in self.properties}


@dataclass(frozen=True, eq=False)
class GraphModel:
    """Descriptors of every class. ``nodes`` by label, ``edges`` by (start, type, end)."""

    nodes: dict[str, NodeSpec]
    edges: dict[tuple[str, str, str], EdgeSpec] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        classes: Iterable[type[GraphNode]],
        promoted: dict[str, tuple[str, ...]] | None = None,
        *,
        dimensions: int | None = None,
    ) -> GraphModel:
        """Read the classes once. ``promoted`` names metadata keys per label that get a property.

        ``dimensions`` is how many numbers vectors have, where that is not what the classes say.
        """
        nodes: dict[str, NodeSpec] = {}
        edges: dict[tuple[str, str, str], EdgeSpec] = {}
        for node_class in classes:
            spec = _node_spec(node_class, (promoted or {}).get(node_class.__label__, ()))
            if dimensions is not None:
                spec = _with_dimensions(spec, dimensions)
            nodes[spec.label] = spec
            for edge in _edge_specs(node_class):
                edges[edge.ends] = edge
        return cls(nodes, edges)

    def edge(self, start: str, type_: str, end: str) -> EdgeSpec:
        return self.edges[(start, type_, end)]

    @cached_property
    def edge_types(self) -> dict[str, tuple[EdgeSpec, ...]]:
        """Edges by type name, each with its possible ends."""
        types: dict[str, tuple[EdgeSpec, ...]] = {}
        for edge in self.edges.values():
            types[edge.type] = (*types.get(edge.type, ()), edge)
        return types


def snake_case(label: str) -> str:
    """``ToolInvocation`` to ``tool_invocation``."""
    return "".join("_" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(label))


def _node_spec(node_class: type[GraphNode], promoted: tuple[str, ...]) -> NodeSpec:
    properties = tuple(
        _property_spec(name, declared)
        for name, declared in node_class.defined_properties(aliases=False, rels=False).items()
    )
    by_name = {p.name: p for p in properties}
    missing = [name for name in node_class.key if name not in by_name]
    if missing:
        raise TypeError(f"{node_class.__label__}: key names no property: {missing}")
    # The identity leads, so that rows and pages read the same everywhere.
    first = ("tenant_id", *node_class.key)
    ordered = tuple(by_name[n] for n in first) + tuple(p for p in properties if p.name not in first)
    extra = tuple(
        PropertySpec(
            name=f"metadata_{key}",
            type="string",
            description=f"`{key}` of the metadata, so that it can be queried.",
            index=True,
            metadata_key=key,
        )
        for key in promoted
    )
    return NodeSpec(
        label=node_class.__label__,
        key=node_class.key,
        lifecycle=node_class.lifecycle,
        caption=node_class.caption or (node_class.key or ("tenant_id",))[-1],
        is_content=node_class.is_content,
        is_hub=node_class.is_hub,
        description=_first_paragraph(node_class),
        properties=ordered + extra,
        promoted=extra,
    )


def _with_dimensions(spec: NodeSpec, dimensions: int) -> NodeSpec:
    properties = (replace(p, vector=dimensions) if p.vector else p for p in spec.properties)
    return replace(spec, properties=tuple(properties))


def _edge_specs(node_class: type[GraphNode]) -> Iterable[EdgeSpec]:
    relationships = node_class.defined_properties(aliases=False, properties=False)
    for declared in relationships.values():
        if not isinstance(declared, RelationshipTo):
            continue
        rel = cast(type[GraphRel], declared.definition["model"])
        properties = rel.defined_properties(aliases=False, rels=False)
        yield EdgeSpec(
            type=rel.type_name,
            start=node_class.__label__,
            end=str(declared._raw_class).rpartition(".")[2],
            properties=tuple(_property_spec(n, p) for n, p in properties.items()),
            description=_first_paragraph(rel),
            upstream=rel.upstream,
            is_fact=rel.is_fact,
        )


_TYPES: tuple[tuple[type[Property[Any]], ValueType], ...] = (
    (JSONProperty, "json"),
    (DateTimeNeo4jFormatProperty, "datetime"),
    (StringProperty, "string"),
    (IntegerProperty, "integer"),
    (FloatProperty, "float"),
    (BooleanProperty, "boolean"),
)


def _property_spec(name: str, declared: Property[Any]) -> PropertySpec:
    if not declared.help_text:
        raise TypeError(f"property {name} has no help_text")
    vector: VectorIndex | None = declared.vector_index
    fulltext: FulltextIndex | None = declared.fulltext_index
    return PropertySpec(
        name=name,
        type=_value_type(name, declared),
        description=declared.help_text,
        required=declared.required,
        unit=getattr(declared, "unit", None),
        enum=getattr(declared, "enum", None),
        index=declared.index,
        fulltext=fulltext is not None,
        vector=vector.dimensions if vector else None,
        enriched=getattr(declared, "enriched", False),
        internal=getattr(declared, "internal", False),
    )


def _value_type(name: str, declared: Property[Any]) -> ValueType:
    if isinstance(declared, ArrayProperty):
        return "floats" if isinstance(declared.base_property, FloatProperty) else "strings"
    for property_class, value_type in _TYPES:
        if isinstance(declared, property_class):
            return value_type
    raise TypeError(f"property {name}: no stored type for {type(declared).__name__}")


def _first_paragraph(documented: type) -> str:
    text = (documented.__doc__ or "").strip().split("\n\n")[0]
    if not text:
        raise TypeError(f"{documented.__name__} has no docstring")
    return " ".join(text.split())
