"""Cut JSON files into records without loading them.

A file is a JSON array of records, has one record per line (JSONL), or is a single
pretty-printed object; each may be compressed with gzip. Cutting looks at brackets,
commas, line ends and strings only: a record that is broken inside is handed on as it
is, and refused alone by whoever parses it. Memory: one chunk and one record.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import orjson

from memgraph.domain.errors import InvalidInput, shown
from memgraph.services.ingest.formats.records import Problem

CHUNK_BYTES = 1 << 18
MAX_RECORD_BYTES = 32 * 1024 * 1024
"""Largest record; one that is larger is refused and skipped."""

_File = io.BufferedReader | gzip.GzipFile
_BLANKS = b" \t\r\n"
_GZIP = b"\x1f\x8b"
_UTF_16_OR_32 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_HEAD_BYTES = 1024
_OPENS_DOCUMENT = re.compile(rb'\{[ \t\r]*\n[ \t\r\n]*["}]')
_MARK = re.compile(rb'["\[\]{},]')
_INNER_MARK = re.compile(rb'["\[\]{}]')
_REST_OF_STRING = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Raw:
    """The bytes of one record, its number from 1 (refused ones count), and its first byte."""

    data: bytes
    number: int
    line: int
    column: int
    position: str


def raw_records(path: Path) -> Iterator[Raw | Problem]:
    """Yield the records of a file. Raises InvalidInput if it cannot be opened."""
    with _open(path) as file:
        yield from split(_chunks(file))


def parse(raw: Raw) -> Any:
    """Read a record as standard JSON. Raises InvalidInput with line and column in the file."""
    try:
        return orjson.loads(raw.data)
    except orjson.JSONDecodeError as error:
        rule, line, column = f"is not JSON: {error.msg}", error.lineno, error.colno
    try:
        raw.data.decode()
    except UnicodeDecodeError as error:
        before = raw.data[: error.start]
        rule, line, column = "is not UTF-8", *_after(1, 1, before)
    if line == 1:
        column += raw.column - 1
    raise InvalidInput("record", f"{rule} (line {raw.line + line - 1}, column {column})")


def parse_object(raw: Raw) -> dict[str, Any]:
    """Read a record that must be a JSON object."""
    value = parse(raw)
    if not isinstance(value, dict):
        raise InvalidInput("record", "must be a JSON object")
    return value


def split(chunks: Iterable[bytes]) -> Iterator[Raw | Problem]:
    """Cut a stream into records, however it is divided into chunks."""
    stream = iter(chunks)
    cutter = _Cutter()
    try:
        head = cutter.pass_blanks(_head(stream, cutter).removeprefix(codecs.BOM_UTF8))
        rest = chain([head], stream)
        if head.startswith(_UTF_16_OR_32):
            yield cutter.problem("is not UTF-8")
        elif head.startswith(b"["):
            cutter.pass_over(head[:1])
            yield from _array(chain([head[1:]], stream), cutter)
        elif _OPENS_DOCUMENT.match(head):
            # A single object is an array of one without its brackets.
            yield from _array(chain(rest, [b"]"]), cutter)
        else:
            yield from _lines(rest, cutter)
    except _DamagedError as damage:
        yield cutter.problem(str(damage))


class _DamagedError(Exception):
    """The file cannot be read to its end."""


@contextmanager
def _open(path: Path) -> Iterator[_File]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise InvalidInput(shown(path.name), f"cannot be opened: {error.strerror}") from error
    with file:
        if file.peek(2).startswith(_GZIP):
            with gzip.open(file) as inflated:
                yield inflated
        else:
            yield file


def _chunks(file: _File) -> Iterator[bytes]:
    try:
        # One read at a time: what comes before the damage is not lost with it.
        while chunk := file.read1(CHUNK_BYTES):
            yield chunk
    except (EOFError, zlib.error, OSError) as error:
        raise _DamagedError("the file cannot be read beyond this place: it is damaged") from error


def _head(stream: Iterator[bytes], cutter: _Cutter) -> bytes:
    """Take enough from the stream to tell the layout; leading blanks are passed over."""
    head = b""
    while len(head) < _HEAD_BYTES and (chunk := next(stream, b"")):
        head = cutter.pass_blanks(head + chunk)
    return head


def _lines(chunks: Iterable[bytes], cutter: _Cutter) -> Iterator[Raw | Problem]:
    for chunk in chunks:
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            cutter.take(chunk[start:end])
            if cutter.holds_something:
                yield cutter.cut("line {line}")
            cutter.pass_over(b"\n")
            start = end + 1
        cutter.take(chunk[start:])
    if cutter.holds_something:
        yield cutter.cut("line {line}")


def _array(chunks: Iterable[bytes], cutter: _Cutter) -> Iterator[Raw | Problem]:
    """Cut an array whose opening bracket has been read."""
    nesting = _Nesting()
    stream = iter(chunks)
    for chunk in stream:
        start = 0
        for end in nesting.ends(chunk):
            cutter.take(chunk[start:end])
            start = end + 1
            closes = chunk[end:start] == b"]"
            if cutter.holds_something or cutter.number or not closes:
                yield cutter.cut("record {number} (line {line})")
            cutter.pass_over(chunk[end:start])
            if closes:
                yield from _trailer(chain([chunk[start:]], stream), cutter)
                return
        cutter.take(chunk[start:])
    if cutter.holds_something and nesting.is_outermost and cutter.ends_with(b"}"):
        yield cutter.cut("record {number} (line {line})")
    yield cutter.problem("the file ends before its array is closed")


def _trailer(chunks: Iterable[bytes], cutter: _Cutter) -> Iterator[Problem]:
    for chunk in chunks:
        if cutter.pass_blanks(chunk):
            yield cutter.problem("something follows the end of the array")
            return


class _Nesting:
    """Where the elements of an array end, given its text after ``[`` in chunks."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._is_escaped = False

    @property
    def is_outermost(self) -> bool:
        return not self._depth and not self._in_string

    def ends(self, chunk: bytes) -> Iterator[int]:
        """Yield the places of the commas between elements and of the closing bracket."""
        at = 0
        while at < len(chunk):
            if self._in_string:
                at = self._skip_string(chunk, at)
                continue
            found = (_INNER_MARK if self._depth else _MARK).search(chunk, at)
            if found is None:
                return
            at = found.end()
            mark = found[0]
            if mark == b'"':
                self._in_string = True
            elif mark in b"[{":
                self._depth += 1
            elif self._depth:
                self._depth -= 1
            elif mark != b"}":
                yield found.start()

    def _skip_string(self, chunk: bytes, at: int) -> int:
        if self._is_escaped:
            self._is_escaped = False
            at += 1
        found = _REST_OF_STRING.match(chunk, at)
        at = found.end() if found else at
        if at < len(chunk):
            # A quote, or a backslash whose other half is in the next chunk.
            self._in_string = chunk[at : at + 1] != b'"'
            self._is_escaped = self._in_string
        return at + 1


class _Cutter:
    """Collects the pieces of one record and knows where in the file it stands."""

    def __init__(self) -> None:
        self.number = 0
        """Records cut so far."""
        self._line, self._column = 1, 1
        self._start = (1, 1)
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def holds_something(self) -> bool:
        return self._size > 0

    def ends_with(self, suffix: bytes) -> bool:
        return b"".join(self._pieces).rstrip(_BLANKS).endswith(suffix)

    def pass_over(self, data: bytes) -> None:
        self._line, self._column = _after(self._line, self._column, data)

    def pass_blanks(self, data: bytes) -> bytes:
        """Pass over leading blanks and return the rest."""
        rest = data.lstrip(_BLANKS)
        self.pass_over(data[: len(data) - len(rest)])
        return rest

    def take(self, piece: bytes) -> None:
        if not self._size:
            piece = self.pass_blanks(piece)
            self._start = (self._line, self._column)
        self._size += len(piece)
        if self._size <= MAX_RECORD_BYTES:
            self._pieces.append(piece)
        else:
            self._pieces.clear()
        self.pass_over(piece)

    def cut(self, place: str) -> Raw | Problem:
        """Finish the record."""
        self.number += 1
        line, column = self._start
        position = place.format(number=self.number, line=line)
        data, size = b"".join(self._pieces), self._size
        self._pieces, self._size = [], 0
        if size > MAX_RECORD_BYTES:
            limit = MAX_RECORD_BYTES // 1024**2
            return Problem(position, InvalidInput("record", f"must not exceed {limit} MiB"))
        if not size:
            return Problem(position, InvalidInput("record", "is empty: a comma too many"))
        return Raw(data.rstrip(_BLANKS), self.number, line, column, position)

    def problem(self, rule: str) -> Problem:
        """Report what is wrong with the file at the record under way, else at this place."""
        line, column = self._start if self._size else (self._line, self._column)
        return Problem(f"line {line}, column {column}", InvalidInput("file", rule))


def _after(line: int, column: int, data: bytes) -> tuple[int, int]:
    """Line and column behind ``data`` that begins at ``line`` and ``column``; in bytes."""
    lines = data.count(b"\n")
    return (line + lines, len(data) - data.rfind(b"\n")) if lines else (line, column + len(data))
