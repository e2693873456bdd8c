"""Test factories: valid and varied instances of every class, made from its descriptor.

The same seed gives the same instance. Values are those that break things: every
script, quotes and line ends, empty texts and lists, the ends of 64 bits, microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from memgraph.domain.schema import EdgeSpec, NodeSpec, PropertySpec, ValueType
from memgraph.domain.values import MAX_INTEGER

Seed = int | Random

TEXTS = (
    "plain words",
    "",
    "Zürich, naïve, Ελλάδα, Київ",
    "東京で会いましょう",
    "مرحبا بالعالم",
    "e\u0301 \U0001f469\u200d\U0001f4bb \U0001f1e8\U0001f1ed",  # combining mark, joined emoji, flag
    "\"double\" 'single' `back` \\slash\\",
    "line one\nline two\r\n\tindented\u2028separated",
    "$param {{variable}} //comment ${x} %s",
)
INTEGERS = (0, 1, -1, 2**31, 2**53 + 1, MAX_INTEGER, -MAX_INTEGER - 1)
FLOATS = (0.0, -1.5, 0.1 + 0.2, 1e-7, 5e-324, 1.7976931348623157e308)
DOCUMENTS: tuple[dict[str, Any], ...] = (
    {},
    {"flat": "text", "none": None, "yes": True, "no": False},
    {"numbers": [0, -1, 2.5, 2**53 + 1, MAX_INTEGER], "empty": {"list": [], "object": {}}},
    {"Schlüssel": {"nested": [{"deeper": ["東京", {"deepest": ["\U0001f469\u200d\U0001f4bb"]}]}]}},
)
FIRST_TIME = datetime(2015, 1, 1, tzinfo=UTC)
LAST_TIME = datetime(2035, 1, 1, tzinfo=UTC)


def make_node(
    spec: NodeSpec, seed: Seed, *, tenant_id: str = "tenant", full: bool = True
) -> dict[str, Any]:
    """An instance with tenant, key and properties; without ``full`` only what is required.

    What the writer keeps for itself is left out.
    """
    rng = _rng(seed)
    key = dict(zip(spec.key, make_key(spec, rng), strict=True))
    return {"tenant_id": tenant_id, **key, **make_properties(spec, rng, full=full)}


def make_key(spec: NodeSpec, seed: Seed) -> tuple[Any, ...]:
    """Values of the key properties. Two keys of a class are never the same."""
    rng = _rng(seed)
    return tuple(_key_value(spec.by_name[name], rng) for name in spec.key)


def make_properties(spec: NodeSpec | EdgeSpec, seed: Seed, *, full: bool = True) -> dict[str, Any]:
    """Values of the properties that are no part of the key, promoted metadata included."""
    rng = _rng(seed)
    identity = spec.identity if isinstance(spec, NodeSpec) else ()
    chosen = [p for p in spec.properties if p.name not in identity and (full or p.required)]
    values = {p.name: make_value(p, rng) for p in chosen if not (p.internal or p.metadata_key)}
    promoted = {p.name: make_value(p, rng) for p in chosen if p.metadata_key}
    if promoted:
        keys = {p.metadata_key: promoted[p.name] for p in chosen if p.metadata_key}
        values |= {"metadata": {**values["metadata"], **keys}, **promoted}
    return values


def make_value(declared: PropertySpec, seed: Seed) -> Any:
    """A value of one property."""
    rng = _rng(seed)
    if declared.enum is not None:
        return rng.choice(list(declared.enum)).value
    if declared.vector is not None:
        return [rng.uniform(-1, 1) for _ in range(declared.vector)]
    return _MAKERS[declared.type](rng)


def _key_value(declared: PropertySpec, rng: Random) -> Any:
    if declared.enum is not None:
        return make_value(declared, rng)
    match declared.type:
        case "string":
            return f"{declared.name} {rng.getrandbits(64):016x} ключ"
        case "integer":
            return rng.randrange(MAX_INTEGER)
        case _:
            return make_value(declared, rng)


def _time(rng: Random) -> datetime:
    span = LAST_TIME - FIRST_TIME
    return FIRST_TIME + timedelta(microseconds=rng.randrange(span // timedelta(microseconds=1)))


_MAKERS: dict[ValueType, Callable[[Random], Any]] = {
    "string": lambda rng: rng.choice(TEXTS),
    "integer": lambda rng: rng.choice(INTEGERS),
    "float": lambda rng: rng.choice(FLOATS),
    "boolean": lambda rng: rng.random() < 0.5,
    "datetime": _time,
    "json": lambda rng: rng.choice(DOCUMENTS),
    "strings": lambda rng: rng.sample(TEXTS, rng.randrange(4)),
    "floats": lambda rng: rng.sample(FLOATS, rng.randrange(4)),
}


def _rng(seed: Seed) -> Random:
    return seed if isinstance(seed, Random) else Random(seed)  # noqa: S311 - no secret
