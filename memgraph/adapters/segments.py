"""Vectors on disk by the hash of their text: append-only files in half precision.

A model has a folder of its own, in it ``000001.vectors`` and so on, and a file ``lock``.
All integers are unsigned and little-endian. A file is a header and blocks::

    header   8 bytes   magic "MGVECTOR"
             4 bytes   version, 1
             4 bytes   dimensions d
            32 bytes   SHA-256 of the model's id
             4 bytes   CRC-32 (as in zlib) of the bytes before
    block    4 bytes   magic "VBLK"
             4 bytes   n, the number of its vectors
             4 bytes   CRC-32 of its keys and vectors
             4 bytes   CRC-32 of the twelve bytes before
        n * 32 bytes   keys: SHA-256 of each text
       n * 2d bytes    vectors: d IEEE 754 half precision numbers each

A file with another version is refused. Who appends holds the lock, so that processes take
turns; each first reads what the others wrote. A block counts once it is whole: what a crash
left behind the last whole block is no vector to a reader, and the next who appends cuts it
off. A block whose sum is wrong while others follow is left out. A key that comes twice keeps
its first vector. Nothing here cannot be computed again.
"""

from __future__ import annotations

import fcntl
import hashlib
import mmap
import os
import re
import struct
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from memgraph.adapters.embedders import extra
from memgraph.domain.errors import EmbedderUnavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memgraph.services.ports import Embedder

VERSION = 1
MOST_FILE_BYTES = 256 * 1_024 * 1_024
"""A file that is as long gets no more blocks."""

_MAGIC, _BLOCK_MAGIC = b"MGVECTOR", b"VBLK"
_HEADER = struct.Struct("<8sII32sI")
_BLOCK = struct.Struct("<4sIII")
_KEY = 32
_FOLDED_FROM = 65_536
"""Keys that a dict holds before they join the sorted ones, which take a tenth of the memory."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Block:
    """Where a whole block is."""

    file: int
    start: int
    """Of its keys, bytes from the beginning of the file."""
    count: int


class FileVectorSegments:
    """The vectors of one model below ``root``. Threads and processes may share it."""

    def __init__(
        self,
        root: Path,
        model_id: str,
        dimensions: int,
        *,
        most_file_bytes: int = MOST_FILE_BYTES,
    ) -> None:
        """Read what is there. Raises EmbedderUnavailable for files of another version or model."""
        self._np = extra("numpy", "embeddings")
        self._folder = root / folder_name(model_id)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._header = _header(model_id, dimensions)
        self._dimensions = dimensions
        self._most_file_bytes = most_file_bytes
        self._lock = threading.Lock()
        self._blocks: list[_Block] = []
        self._maps: dict[int, mmap.mmap] = {}
        """One for each file: each holds a descriptor, and views of an older one outlive it."""
        self._places = _Places(self._np)
        self._file = 1
        self._read_to = 0
        """Bytes of the file numbered ``_file`` that were read."""
        with self._lock:
            self._refresh()

    @property
    def count(self) -> int:
        return self._places.count

    def append(self, keys: Sequence[str], vectors: NDArray[np.float32]) -> int:
        if vectors.shape != (len(keys), self._dimensions):
            raise ValueError(f"expected {len(keys)} vectors of {self._dimensions} numbers")
        binary = [bytes.fromhex(key) for key in keys]
        with self._lock, self._held():
            self._refresh()
            self._cut_tail()
            chosen: dict[bytes, int] = {}
            for i, key in enumerate(binary):
                if key not in chosen and self._places.find(key, self._key) is None:
                    chosen[key] = i
            if chosen:
                self._write(b"".join(chosen), vectors[list(chosen.values())])
                self._refresh()
            return len(chosen)

    def get(self, keys: Iterable[str]) -> Mapping[str, NDArray[np.float32]]:
        found = {}
        with self._lock:
            self._refresh()
            for key in keys:
                place = self._places.find(bytes.fromhex(key), self._key)
                if place is not None:
                    block, row = place
                    found[key] = self._vectors(self._blocks[block])[row].astype("float32")
        return found

    def iter_batches(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float16]]]:
        with self._lock:
            self._refresh()
            batches = [(self._keys(block), self._vectors(block)) for block in self._blocks]
        yield from batches

    def _keys(self, block: _Block) -> NDArray[np.uint8]:
        np, data = self._np, self._maps[block.file]
        keys = np.frombuffer(data, np.uint8, block.count * _KEY, block.start)
        return keys.reshape(block.count, _KEY)  # type: ignore[no-any-return]

    def _vectors(self, block: _Block) -> NDArray[np.float16]:
        np, data = self._np, self._maps[block.file]
        start = block.start + block.count * _KEY
        numbers = np.frombuffer(data, np.dtype("<f2"), block.count * self._dimensions, start)
        return numbers.reshape(block.count, self._dimensions)  # type: ignore[no-any-return]

    def _key(self, place: tuple[int, int]) -> bytes:
        block = self._blocks[place[0]]
        start = block.start + place[1] * _KEY
        return self._maps[block.file][start : start + _KEY]

    @contextmanager
    def _held(self) -> Iterator[None]:
        with (self._folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06}.vectors"

    def _refresh(self) -> None:
        """Read what was appended since, by this process or another."""
        while True:
            # Looked at first: when there is a next file, nothing is added to this one.
            is_last = not self._path(self._file + 1).exists()
            size = self._size()
            if size > max(self._read_to, _HEADER.size):
                self._read(size)
            if is_last:
                return
            self._file, self._read_to = self._file + 1, 0

    def _size(self) -> int:
        path = self._path(self._file)
        return path.stat().st_size if path.exists() else 0

    def _read(self, size: int) -> None:
        with self._path(self._file).open("rb") as file:
            data = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        if self._read_to == 0:
            self._check_header(data[: _HEADER.size])
            self._read_to = _HEADER.size
        self._maps[self._file] = data
        for start, count in self._whole_blocks(data):
            block = _Block(self._file, start, count)
            self._blocks.append(block)
            self._places.add(len(self._blocks) - 1, self._keys(block))

    def _check_header(self, header: bytes) -> None:
        if header == self._header:
            return
        magic, version, *_ = _HEADER.unpack(header)
        if magic == _MAGIC and version != VERSION:
            rule = f"was written in version {version}, this program reads {VERSION}"
        else:
            rule = "does not belong to this model"
        raise EmbedderUnavailable(f"a file of vectors below data_dir/vectors {rule}")

    def _whole_blocks(self, data: mmap.mmap) -> Iterator[tuple[int, int]]:
        """Start and length of each block from where we were; stop at the first that is torn."""
        while self._read_to + _BLOCK.size <= len(data):
            head = data[self._read_to : self._read_to + _BLOCK.size]
            magic, count, crc, head_crc = _BLOCK.unpack(head)
            if magic != _BLOCK_MAGIC or head_crc != zlib.crc32(head[:-4]):
                return
            start = self._read_to + _BLOCK.size
            end = start + count * (_KEY + 2 * self._dimensions)
            if end > len(data):
                return
            with memoryview(data) as view:
                is_good = crc == zlib.crc32(view[start:end])
            if not is_good and end == len(data):
                return
            self._read_to = end
            if is_good:
                yield start, count
            else:
                _log.warning("a block of vectors is damaged", file=self._file, vectors=count)

    def _cut_tail(self) -> None:
        """Under the lock what could not be read was left by a crash."""
        if self._size() > self._read_to:
            os.truncate(self._path(self._file), self._read_to)

    def _write(self, keys: bytes, vectors: NDArray[np.float32]) -> None:
        if self._read_to >= self._most_file_bytes:
            self._file, self._read_to = self._file + 1, 0
        body = keys + vectors.astype("<f2").tobytes()
        head = struct.pack("<4sII", _BLOCK_MAGIC, len(vectors), zlib.crc32(body))
        block = head + struct.pack("<I", zlib.crc32(head)) + body
        with self._path(self._file).open("ab") as file:
            file.write(block if self._read_to else self._header + block)
            file.flush()
            os.fsync(file.fileno())
        if not self._read_to:
            _sync_folder(self._folder)


class _Places:
    """Where each key is: (block, row). Old keys as sorted numbers, new ones in a dict."""

    def __init__(self, np: Any) -> None:
        self._np = np
        self._new: dict[bytes, tuple[int, int]] = {}
        self._starts = np.zeros(0, "uint64")
        """First eight bytes of each old key, sorted; equal ones in the order they came."""
        self._old = np.zeros((0, 2), "uint32")

    @property
    def count(self) -> int:
        return len(self._new) + len(self._old)

    def add(self, block: int, keys: NDArray[np.uint8]) -> None:
        data = keys.tobytes()
        for row in range(len(keys)):
            self._new.setdefault(data[row * _KEY : (row + 1) * _KEY], (block, row))
        if len(self._new) >= _FOLDED_FROM:
            self._fold()

    def find(
        self, key: bytes, key_at: Callable[[tuple[int, int]], bytes]
    ) -> tuple[int, int] | None:
        start = self._np.uint64(_start(key))
        i = int(self._np.searchsorted(self._starts, start))
        while i < len(self._starts) and self._starts[i] == start:
            place = (int(self._old[i, 0]), int(self._old[i, 1]))
            if key_at(place) == key:
                return place
            i += 1
        return self._new.get(key)

    def _fold(self) -> None:
        np = self._np
        starts = np.array([_start(key) for key in self._new], "uint64")
        starts = np.concatenate([self._starts, starts])
        places = np.concatenate([self._old, np.array(list(self._new.values()), "uint32")])
        order = np.argsort(starts, kind="stable")
        self._starts, self._old, self._new = starts[order], places[order], {}


def open_segments(data_dir: Path, embedder: Embedder) -> FileVectorSegments:
    """The vectors of a model in their place below the data directory."""
    return FileVectorSegments(data_dir / "vectors", embedder.model_id, embedder.dimensions)


def folder_name(model_id: str) -> str:
    """A folder for a model whatever its id holds."""
    readable = re.sub(r"[^a-z0-9]+", "-", model_id.lower()).strip("-")[:64]
    return f"{readable}-{hashlib.sha256(model_id.encode()).hexdigest()[:8]}"


def _header(model_id: str, dimensions: int) -> bytes:
    model = hashlib.sha256(model_id.encode()).digest()
    header = _HEADER.pack(_MAGIC, VERSION, dimensions, model, 0)[:-4]
    return header + struct.pack("<I", zlib.crc32(header))


def _start(key: bytes) -> int:
    return int.from_bytes(key[:8], "big")


def _sync_folder(folder: Path) -> None:
    """A file that is new lasts when its folder is written too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
