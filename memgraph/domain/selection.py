"""What to select of one class: conditions, edges it must have, order. Checked, never trusted.

A selection comes from outside and holds names and values as they were sent.
`check` turns it into what a statement is made from: properties and edges of the
descriptors, values of their types. What breaks a rule is named by its place, such
as ``where.0.field``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite
from typing import Any

from memgraph.domain.errors import InvalidInput
from memgraph.domain.schema import EdgeSpec, GraphModel, NodeSpec, PropertySpec, ValueType
from memgraph.domain.values import MAX_INTEGER, MAX_ITEMS

MAX_CONDITIONS = 32
MAX_RELATED = 8
MAX_VALUE_CHARS = 10_000
"""Longest text that a condition compares with."""

METADATA = "metadata."
"""Before a key of the metadata that settings promote to a property."""


class Operator(StrEnum):
    EQ = "eq"
    NE = "ne"
    """All that `EQ` does not find: what has no value, too."""
    LT = "lt"
    LTE = "lte"
    GT = "gt"
    GTE = "gte"
    IN = "in"
    CONTAINS = "contains"
    """A list has this member; a text has these words, in any order."""
    EXISTS = "exists"


class Way(StrEnum):
    """How an edge runs, seen from what is selected."""

    OUT = "out"
    IN = "in"


@dataclass(frozen=True, slots=True)
class Condition:
    """A field compared with a value."""

    field: str
    operator: Operator
    value: Any = True


@dataclass(frozen=True, slots=True)
class Sort:
    """The field that orders, before the key. What does not have the field is not selected."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Related:
    """An edge to a node. ``direction`` may be left out where only one is possible."""

    type: str
    kind: str
    id: str
    direction: Way | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Nodes of one kind that meet every condition and have every edge."""

    kind: str
    where: tuple[Condition, ...] = ()
    related: tuple[Related, ...] = ()
    sort: Sort | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Test:
    """A condition that was checked. ``operator`` `EXISTS` has its value in ``is_positive``."""

    declared: PropertySpec
    operator: Operator
    value: Any
    is_positive: bool = True

    @property
    def is_words(self) -> bool:
        """The full-text index answers it."""
        return self.operator is Operator.CONTAINS and self.declared.fulltext

    @property
    def is_equality(self) -> bool:
        return self.operator in (Operator.EQ, Operator.IN)

    @property
    def is_range(self) -> bool:
        """An index answers it by a range of entries."""
        return self.operator in _RANGE or (self.operator is Operator.EXISTS and self.is_positive)


@dataclass(frozen=True, slots=True)
class Step:
    """An edge that was checked, to the node with the id ``id`` of the class ``end``."""

    edge: EdgeSpec
    way: Way
    end: NodeSpec
    id: str


@dataclass(frozen=True, slots=True)
class Order:
    """A property that orders, before the key."""

    declared: PropertySpec
    descending: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """A selection in terms of the descriptors."""

    spec: NodeSpec
    tests: tuple[Test, ...]
    steps: tuple[Step, ...]
    order: Order


FindSpec = Callable[[str], NodeSpec]
"""The class of a kind. Raises InvalidInput of the field ``kind``."""

_RANGE = frozenset({Operator.LT, Operator.LTE, Operator.GT, Operator.GTE})
_EQUAL = frozenset({Operator.EQ, Operator.NE})
_ONE_OF = _EQUAL | {Operator.IN}

OPERATORS: dict[ValueType, frozenset[Operator]] = {
    "string": _ONE_OF | _RANGE,
    "integer": _ONE_OF | _RANGE,
    "float": _ONE_OF | _RANGE,
    "datetime": _ONE_OF | _RANGE,
    "boolean": _EQUAL,
    "strings": frozenset({Operator.CONTAINS}),
    "json": frozenset(),
    "floats": frozenset(),
}
"""What a value of each type can be asked; of every type whether it is there."""


def check(model: GraphModel, selection: Selection, find_spec: FindSpec) -> Checked:
    """Check a selection against the classes. Raises InvalidInput naming the place."""
    spec = find_spec(selection.kind)
    steps = _steps(model, spec, selection.related, find_spec)
    return Checked(
        spec,
        check_conditions(spec, selection.where),
        steps,
        _order(spec, selection.sort, is_bounded=bool(steps)),
    )


def operators_of(declared: PropertySpec) -> frozenset[Operator]:
    """What a property can be asked."""
    allowed = _ONE_OF if declared.enum else OPERATORS[declared.type]
    if declared.fulltext:
        allowed |= {Operator.CONTAINS}
    return allowed | {Operator.EXISTS}


def sortable(spec: NodeSpec) -> list[str]:
    """Fields that an index holds in order: the first of the key and those with a range index."""
    indexed = [_field_name(p) for p in spec.properties if p.index and not p.internal]
    return list(dict.fromkeys([*spec.key[:1], *indexed]))


def check_conditions(spec: NodeSpec, where: Sequence[Condition]) -> tuple[Test, ...]:
    """Check conditions on one class. Raises InvalidInput naming the place."""
    if len(where) > MAX_CONDITIONS:
        raise InvalidInput("where", f"must have at most {MAX_CONDITIONS} conditions")
    tests = tuple(_test(spec, c, f"where.{i}") for i, c in enumerate(where))
    words = [i for i, test in enumerate(tests) if test.is_words]
    if len(words) > 1:
        rule = "asks for words a second time; put all words into one condition"
        raise InvalidInput(f"where.{words[1]}.operator", rule)
    return tests


def _test(spec: NodeSpec, condition: Condition, place: str) -> Test:
    declared = _property(spec, condition.field, f"{place}.field")
    allowed = operators_of(declared)
    operator = condition.operator
    if operator not in allowed:
        names = ", ".join(o.value for o in Operator if o in allowed)
        raise InvalidInput(f"{place}.operator", f"must be one of {names} for this field")
    value = _value(declared, operator, condition.value, f"{place}.value")
    is_positive = value if operator is Operator.EXISTS else True
    return Test(declared, operator, value, is_positive)


def _property(spec: NodeSpec, field: str, place: str) -> PropertySpec:
    if field.startswith(METADATA):
        key = field.removeprefix(METADATA)
        for promoted in spec.promoted:
            if promoted.metadata_key == key:
                return promoted
        rule = (
            f"is a metadata key that cannot be queried: add it to the setting "
            f"promoted_metadata (MEMGRAPH_PROMOTED_METADATA) of {spec.label}"
        )
        raise InvalidInput(place, rule)
    declared = spec.by_name.get(field)
    if declared is None or declared.internal or declared.name == "tenant_id":
        raise InvalidInput(place, f"is not a field of {spec.label}")
    return declared


def _field_name(declared: PropertySpec) -> str:
    return METADATA + declared.metadata_key if declared.metadata_key else declared.name


def _value(declared: PropertySpec, operator: Operator, value: Any, place: str) -> Any:
    if operator is Operator.EXISTS:
        return _boolean(value, place)
    if operator is Operator.CONTAINS:
        text = check_text(value, place)
        if declared.fulltext and not words_of(text):
            raise InvalidInput(place, "must hold a word")
        return text
    if operator is not Operator.IN:
        return _typed(declared, value, place)
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_ITEMS:
        raise InvalidInput(place, f"must be a list of 1 to {MAX_ITEMS} values")
    return [_typed(declared, item, f"{place}.{i}") for i, item in enumerate(value)]


def words_of(text: str) -> list[str]:
    """The parts of a text that an index of words can know."""
    return [word for word in text.split() if any(c.isalnum() or ord(c) > 127 for c in word)]


def _typed(declared: PropertySpec, value: Any, place: str) -> Any:
    typed = _CHECKS[declared.type](value, place)
    if declared.enum is not None and typed not in [e.value for e in declared.enum]:
        names = ", ".join(e.value for e in declared.enum)
        raise InvalidInput(place, f"must be one of {names}")
    return typed


def check_text(value: Any, place: str) -> str:
    """A text that a statement can carry. Raises InvalidInput."""
    if not isinstance(value, str) or len(value) > MAX_VALUE_CHARS:
        raise InvalidInput(place, f"must be a text of at most {MAX_VALUE_CHARS} characters")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise InvalidInput(place, "must be Unicode text")
    return str(value)


def _integer(value: Any, place: str) -> int:
    if type(value) is not int or abs(value) > MAX_INTEGER:
        raise InvalidInput(place, "must be an integer of at most 64 bits")
    return value


def _float(value: Any, place: str) -> float:
    if type(value) is int and abs(value) <= MAX_INTEGER:
        return float(value)
    if type(value) is not float or not isfinite(value):
        raise InvalidInput(place, "must be a finite number")
    return value


def _boolean(value: Any, place: str) -> bool:
    if type(value) is not bool:
        raise InvalidInput(place, "must be true or false")
    return value


def _datetime(value: Any, place: str) -> datetime:
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass
    raise InvalidInput(place, "must be a time with its zone, such as 2026-01-31T00:00:00Z")


_CHECKS: dict[ValueType, Callable[[Any, str], Any]] = {
    "string": check_text,
    "integer": _integer,
    "float": _float,
    "boolean": _boolean,
    "datetime": _datetime,
}


def _order(spec: NodeSpec, sort: Sort | None, *, is_bounded: bool) -> Order:
    if sort is None:
        return Order(spec.by_name[spec.key[0]], descending=False)
    declared = _property(spec, sort.field, "sort.field")
    # What hangs on one node is sorted anyway, and the time is how people look at it.
    allowed = [*sortable(spec), *(["created_at"] if is_bounded else [])]
    if _field_name(declared) not in allowed:
        raise InvalidInput("sort.field", "must be one of " + ", ".join(allowed))
    return Order(declared, sort.descending)


def _steps(
    model: GraphModel, spec: NodeSpec, related: Sequence[Related], find_spec: FindSpec
) -> tuple[Step, ...]:
    if len(related) > MAX_RELATED:
        raise InvalidInput("related", f"must name at most {MAX_RELATED} nodes")
    return tuple(_step(model, spec, r, f"related.{i}", find_spec) for i, r in enumerate(related))


def _step(
    model: GraphModel, spec: NodeSpec, related: Related, place: str, find_spec: FindSpec
) -> Step:
    try:
        end = find_spec(related.kind)
    except InvalidInput as error:
        raise InvalidInput(f"{place}.kind", error.rule) from None
    possible = [
        (edge, way)
        for way, ends in (
            (Way.OUT, (spec.label, related.type, end.label)),
            (Way.IN, (end.label, related.type, spec.label)),
        )
        if related.direction in (None, way) and (edge := model.edges.get(ends)) is not None
    ]
    if not possible:
        types = edges_between(model, spec, end)
        rule = f"must be one of {', '.join(types)}" if types else f"has no edge to {end.label}"
        raise InvalidInput(f"{place}.type", f"of {spec.label} and {end.label} {rule}")
    if len(possible) > 1:
        raise InvalidInput(f"{place}.direction", "must be out or in: both are possible")
    return Step(*possible[0], end, related.id)


def edges_between(model: GraphModel, spec: NodeSpec, end: NodeSpec) -> list[str]:
    """Types of edges between two classes, with their direction, seen from the first."""
    ends = (spec.label, end.label)
    found = [f"{e.type} out" for e in model.edges.values() if (e.start, e.end) == ends]
    found += [f"{e.type} in" for e in model.edges.values() if (e.end, e.start) == ends]
    return sorted(found)
