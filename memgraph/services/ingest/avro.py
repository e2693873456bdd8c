"""Avro's binary encoding as JSON, by the schema that it was written with (Avro 1.12).

Schemas and bytes are a sender's, so both are hostile. Libraries put no bounds here: a few
bytes may stand for 2**60 nulls, or for a list of lists as deep as they are long, which
overruns the stack of a C extension. Here every value pays for the JSON that it becomes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from math import isfinite
from typing import Any, TypeVar

import orjson

from memgraph.domain.errors import InvalidInput

MOST_BYTES = 8 * 1_024 * 1_024
"""Of the JSON that a value becomes, about."""
LEAST_BYTES, TIMES = 64 * 1_024, 64
"""What a value may become however short it is, and by how much it may grow beyond that: a batch
is bounded by what came in.
"""
MOST_DEPTH = 64
"""Of a value and of a schema; events nest less deep."""
PER_VALUE = 16
"""What a value costs besides its characters: quotes, digits, a comma."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONG = 1 << 64
_ONE_EACH = "latin-1"
_MOST_SCALE = 38


@dataclass(slots=True)
class _Source:
    """Bytes on their way to be read, and what may still be made of them."""

    data: bytes
    left: int
    at: int = 0

    def pay(self, cost: int) -> None:
        """Count what a value becomes."""
        self.left -= cost
        if self.left < 0:
            raise _broken("becomes too large an event")

    def take(self, size: int) -> bytes:
        """The next bytes, whatever they mean."""
        end = self.at + size
        if size < 0 or end > len(self.data):
            raise _broken("ends before its schema does")
        taken = self.data[self.at : end]
        self.at = end
        return taken

    def integer(self) -> int:
        """A number of variable length: seven bits a byte, the lowest first, zigzag."""
        number = shift = 0
        while True:
            (byte,) = self.take(1)
            number |= (byte & 0x7F) << shift
            if number >= _LONG or shift > 63:
                raise _broken("has an integer of more than 64 bits")
            if byte < 0x80:
                return (number >> 1) ^ -(number & 1)
            shift += 7

    def counts(self) -> Iterator[int]:
        """How many items each block of an array or a map has."""
        while count := self.integer():
            if count < 0:
                self.integer()  # the size of the block, for whoever skips it
            yield abs(count)

    def text(self) -> str:
        """A string."""
        taken = self.take(self.integer())
        self.pay(len(taken))
        try:
            return taken.decode()
        except UnicodeDecodeError:
            raise _broken("has text that is not UTF-8") from None


T = TypeVar("T")
Read = Callable[[_Source, int], Any]
"""Reads a value at a depth."""


def compile_schema(schema: bytes) -> Callable[[bytes], bytes]:
    """Make the function that turns bytes into JSON. Both raise InvalidInput."""
    try:
        told = orjson.loads(schema)
    except orjson.JSONDecodeError:
        raise _unreadable("is no JSON") from None
    read = _Schema().read_of(told, "", 0)

    def decode(data: bytes) -> bytes:
        source = _Source(data, min(MOST_BYTES, LEAST_BYTES + TIMES * len(data)))
        found = read(source, 0)
        if source.at != len(data):
            raise _broken("goes on after its schema ends")
        return orjson.dumps(found)

    return decode


@dataclass(slots=True)
class _Schema:
    """A schema on its way to be understood."""

    named: dict[str, Read] = field(default_factory=dict)

    def read_of(self, schema: Any, namespace: str, depth: int) -> Read:
        """How a value of this type is read."""
        if depth > MOST_DEPTH:
            raise _unreadable(f"nests deeper than {MOST_DEPTH}")
        match schema:
            case str():
                return _PRIMITIVES.get(schema) or self._named(schema, namespace)
            case list():
                return _union([self.read_of(branch, namespace, depth + 1) for branch in schema])
            case {"type": "record", "name": str(), "fields": list(fields)}:
                return self._record(schema, namespace, fields, depth)
            case {"type": "enum", "name": str(), "symbols": list(symbols)}:
                return self._declare(schema, namespace, _enum([str(each) for each in symbols]))
            case {"type": "fixed", "name": str(), "size": int(size)}:
                return self._declare(schema, namespace, _logical(schema, _fixed(size)))
            case {"type": "array", "items": items}:
                return _array(self.read_of(items, namespace, depth + 1))
            case {"type": "map", "values": values}:
                return _map(self.read_of(values, namespace, depth + 1))
            case {"type": inner} if inner not in _COMPLEX:
                return _logical(schema, self.read_of(inner, namespace, depth + 1))
        raise _unreadable("is no schema of Avro")

    def _named(self, name: str, namespace: str) -> Read:
        for full in (_full(name, namespace), name):
            if full in self.named:
                # Looked up when it is used: a record may hold itself.
                return lambda source, depth: self.named[full](source, depth)
        raise _unreadable("names a type that it does not declare")

    def _declare(self, schema: Mapping[str, Any], namespace: str, read: Read) -> Read:
        self.named[_full(schema["name"], str(schema.get("namespace") or namespace))] = read
        return read

    def _record(
        self, schema: Mapping[str, Any], namespace: str, fields: Sequence[Any], depth: int
    ) -> Read:
        full = _full(schema["name"], str(schema.get("namespace") or namespace))
        self.named[full] = _unknown_yet
        reads: list[tuple[str, Read]] = []
        for each in fields:
            match each:
                case {"name": str(name), "type": kind}:
                    within = full.rpartition(".")[0]
                    reads.append((name, self.read_of(kind, within, depth + 1)))
                case _:
                    raise _unreadable("has a field without name or type")
        read = self.named[full] = _record(reads)
        return read


def _full(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _null(source: _Source, _: int) -> None:
    source.pay(PER_VALUE)


def _boolean(source: _Source, _: int) -> bool:
    source.pay(PER_VALUE)
    return source.take(1) != b"\0"


def _integer(source: _Source, _: int) -> int:
    source.pay(PER_VALUE)
    return source.integer()


def _number(form: str) -> Read:
    unpack, size = struct.Struct(form).unpack, struct.calcsize(form)

    def read(source: _Source, _: int) -> float:
        source.pay(PER_VALUE)
        (found,) = unpack(source.take(size))
        if not isfinite(found):
            raise _broken("has a number that JSON cannot say")
        return float(found)

    return read


def _string(source: _Source, _: int) -> str:
    source.pay(PER_VALUE)
    return source.text()


def _bytes(source: _Source, _: int) -> str:
    return _characters(source, source.integer())


def _fixed(size: int) -> Read:
    return lambda source, _: _characters(source, size)


def _characters(source: _Source, size: int) -> str:
    """Bytes, a character each, as the standard has them in JSON."""
    taken = source.take(size)
    source.pay(PER_VALUE + size)
    return taken.decode(_ONE_EACH)


def _enum(symbols: Sequence[str]) -> Read:
    def read(source: _Source, _: int) -> str:
        symbol = _of(symbols, source.integer())
        source.pay(PER_VALUE + len(symbol))
        return symbol

    return read


def _union(branches: Sequence[Read]) -> Read:
    def read(source: _Source, depth: int) -> Any:
        return _of(branches, source.integer())(source, depth)

    return read


def _of(choices: Sequence[T], index: int) -> T:
    if not 0 <= index < len(choices):
        raise _broken("chooses what its schema does not have")
    return choices[index]


def _array(item: Read) -> Read:
    def read(source: _Source, depth: int) -> list[Any]:
        _enter(source, depth)
        return [item(source, depth + 1) for count in source.counts() for _ in range(count)]

    return read


def _map(value: Read) -> Read:
    def read(source: _Source, depth: int) -> dict[str, Any]:
        _enter(source, depth)
        found = {}
        for count in source.counts():
            for _ in range(count):
                name = source.text()
                found[name] = value(source, depth + 1)
        return found

    return read


def _record(fields: Sequence[tuple[str, Read]]) -> Read:
    names = sum(len(name) for name, _ in fields)

    def read(source: _Source, depth: int) -> dict[str, Any]:
        _enter(source, depth)
        source.pay(names)
        found = {name: read_field(source, depth + 1) for name, read_field in fields}
        # Fields of a record are always there: null is how Avro leaves one out.
        return {name: value for name, value in found.items() if value is not None}

    return read


def _enter(source: _Source, depth: int) -> None:
    if depth > MOST_DEPTH:
        raise _broken(f"nests deeper than {MOST_DEPTH}")
    source.pay(4 * PER_VALUE)  # in memory, a container is larger than its JSON


def _unknown_yet(source: _Source, depth: int) -> Any:
    raise AssertionError("a record is known before bytes are read")


def _logical(schema: Mapping[str, Any], read: Read) -> Read:
    """What a value means besides its type; what is unknown or out of range keeps its own."""
    match schema:
        case {"logicalType": "decimal", "scale": int(scale)} if 0 <= scale <= _MOST_SCALE:
            return _as(read, lambda said: _decimal(said, scale))
        case {"logicalType": "decimal"} if "scale" not in schema:
            return _as(read, lambda said: _decimal(said, 0))
        case {"logicalType": str(kind)} if kind in _MEANINGS:
            return _as(read, _MEANINGS[kind])
    return read


def _decimal(said: str, scale: int) -> float:
    number = int.from_bytes(said.encode(_ONE_EACH), signed=True)
    return number / float(10**scale)


def _as(read: Read, meaning: Callable[[Any], Any]) -> Read:
    def converted(source: _Source, depth: int) -> Any:
        said = read(source, depth)
        try:
            return meaning(said)
        except (TypeError, AttributeError, ValueError, ArithmeticError):
            return said

    return converted


_COMPLEX = ("record", "enum", "fixed", "array", "map")
_PRIMITIVES: Mapping[str, Read] = {
    "null": _null,
    "boolean": _boolean,
    "int": _integer,
    "long": _integer,
    "float": _number("<f"),
    "double": _number("<d"),
    "bytes": _bytes,
    "string": _string,
}
_MEANINGS: Mapping[str, Callable[[Any], Any]] = {
    "timestamp-millis": lambda said: _EPOCH + timedelta(milliseconds=said),
    "timestamp-micros": lambda said: _EPOCH + timedelta(microseconds=said),
    "date": lambda said: date.fromordinal(date(1970, 1, 1).toordinal() + said),
}


def _broken(rule: str) -> InvalidInput:
    return InvalidInput("value", rule)


def _unreadable(rule: str) -> InvalidInput:
    return InvalidInput("value", f"was written with a schema that {rule}")
