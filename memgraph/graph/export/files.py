"""Files of an export: written under another name and renamed when complete, gzip by name."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO, cast

from memgraph.domain.errors import InvalidInput

FORMAT = "memgraph-export"
VERSION = 1

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_LEVEL = 3
"""Higher costs several times the time and saves a few per cent of such text."""
_BUFFER = 1 << 20
MANIFEST = "manifest.json"


@contextmanager
def replaced(target: Path) -> Iterator[Path]:
    """Give a name to write to; rename it to ``target`` in the end, or remove it on an error."""
    if not target.parent.is_dir():
        raise InvalidInput("target", "its folder does not exist")
    part = target.with_name(f".{target.name}.{token_hex(4)}.part")
    try:
        yield part
        _put(part, target)
    finally:
        _remove(part)


def _put(part: Path, target: Path) -> None:
    if part.is_dir() and target.is_dir():
        check_directory(target)
        old = target.with_name(f"{part.name}.old")
        target.rename(old)
        part.rename(target)
        shutil.rmtree(old)
    else:
        part.replace(target)


def check_directory(target: Path) -> None:
    """Raise InvalidInput unless ``target`` is free for an export: absent, empty, or an export."""
    if target.is_dir() and any(target.iterdir()) and not (target / MANIFEST).is_file():
        raise InvalidInput("target", "is a folder that holds something else")
    if target.exists() and not target.is_dir():
        raise InvalidInput("target", "is a file; this format writes a folder")


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Output:
    """A file in two parts: relationships are read first and stand last.

    ``write`` goes to the file, ``spool`` to a scratch file that `append_spool`
    puts behind. Only the owner can read either.
    """

    def __init__(self, path: Path, *, compressed: bool) -> None:
        self._stack = ExitStack()
        self._file = self._stack.enter_context(_create(path))
        self._body: BinaryIO = self._file
        if compressed:
            packed = gzip.GzipFile("", "wb", _GZIP_LEVEL, self._file, mtime=0)
            body = io.BufferedWriter(cast(io.RawIOBase, packed), _BUFFER)
            self._body = self._stack.enter_context(body)
        spool = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 - the stack closes it
        self._spool = self._stack.enter_context(spool)
        self.write = self._body.write
        self.spool = self._spool.write

    def append_spool(self) -> None:
        self._spool.seek(0)
        shutil.copyfileobj(self._spool, self._body, _BUFFER)

    def sync(self) -> None:
        """Put everything on the disk: the rename that follows must not come before."""
        if self._body is not self._file:
            self._body.close()
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._stack.close()


def _create(path: Path) -> BinaryIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return os.fdopen(descriptor, "wb", _BUFFER)


def is_compressed(target: Path) -> bool:
    """Whether the name asks for gzip."""
    return target.suffix == ".gz"


@contextmanager
def opened(source: Path) -> Iterator[BinaryIO]:
    """Open for reading, unpacked when it is gzip. Raises InvalidInput when it cannot be read."""
    try:
        with source.open("rb") as file:
            magic = file.read(len(_GZIP_MAGIC))
            file.seek(0)
            if magic != _GZIP_MAGIC:
                yield file
                return
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast(BinaryIO, io.BufferedReader(unpacked, _BUFFER))
    except (EOFError, gzip.BadGzipFile, zlib.error):
        raise InvalidInput("source", "its compression is damaged, or it was cut off") from None
    except OSError as error:
        raise InvalidInput("source", f"cannot be read: {error.strerror}") from None
