"""Choose how a selection finds its nodes. The choice is ours, so that it can be told and tested.

Words are asked of the full-text index whatever else is asked, because nothing else
knows them. Else a key is best, then what hangs on a given node, then an index:
equality before a range before the index of the order. An enumeration has few
values, so each holds much of the class: a page comes faster in the order of its
index than by collecting and sorting all that is equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from memgraph.domain.schema import NodeSpec
from memgraph.domain.selection import Checked, Order, Test
from memgraph.graph.ddl import Kind, SchemaItem, items_of

Method = Literal["key", "traversal", "fulltext", "vector", "range"]


@dataclass(frozen=True, slots=True)
class Access:
    """How the first nodes of a statement are found: by the entries of an index."""

    method: Method
    index: str
    properties: tuple[str, ...]
    """Of the index, in its order."""


def choose(checked: Checked, *, is_ordered: bool) -> Access:
    """The access of a page (ordered) or of a count."""
    spec, tests = checked.spec, checked.tests
    words = next((t for t in tests if t.is_words), None)
    if words is not None:
        return access("fulltext", spec, Kind.FULLTEXT, words.declared.name)
    if _equal(tests).issuperset(spec.key):
        return access("key", spec, Kind.UNIQUE)
    if checked.steps:
        return access("traversal", checked.steps[0].end, Kind.UNIQUE)
    return next(_ranges(spec, tests, checked.order if is_ordered else None))


def access(method: Method, spec: NodeSpec, kind: Kind, name: str | None = None) -> Access:
    """The access by the index of a class that has ``name``; by the first when there is none."""
    item = next(i for i in _items(spec) if i.kind is kind and name in (None, *i.properties))
    return Access(method, item.name, item.properties)


@lru_cache(maxsize=256)
def _items(spec: NodeSpec) -> tuple[SchemaItem, ...]:
    return tuple(items_of(spec))


def _equal(tests: Sequence[Test]) -> set[str]:
    return {t.declared.name for t in tests if t.is_equality}


def _ranges(spec: NodeSpec, tests: Sequence[Test], order: Order | None) -> Iterator[Access]:
    """What serves, best first."""
    equal = [t for t in tests if t.is_equality]
    enumerated = [t for t in equal if t.declared.enum]
    wanted = [t for t in equal if not t.declared.enum] + [t for t in tests if t.is_range]
    names = [t.declared.name for t in wanted]
    names += [order.declared.name] if order else []
    names += [t.declared.name for t in enumerated]
    yield from (found for name in names if (found := _index_of(spec, name)) is not None)
    yield access("range", spec, Kind.UNIQUE)


def _index_of(spec: NodeSpec, name: str) -> Access | None:
    """The index that begins, after the tenant, with a property."""
    if name == spec.key[0]:
        return access("range", spec, Kind.UNIQUE)
    return access("range", spec, Kind.RANGE, name) if spec.by_name[name].index else None
