"""A model and a store of vectors for tests: quick, and the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from memgraph.adapters.embedders import unit
from memgraph.domain.errors import EmbedderRefused


class HashEmbedder:
    """Each word has a random direction out of its hash: texts that share words are near."""

    def __init__(self, model_id: str = "hash-256", dimensions: int = 256) -> None:
        self.model_id = model_id
        self.dimensions = dimensions
        self.seen: list[str] = []
        """Every text that was embedded."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if any("unspeakable" in text for text in texts):
            raise EmbedderRefused("the model refused a text")
        self.seen += texts
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for i, text in enumerate(texts):
            for word in text.lower().split():
                vectors[i] += self._direction(word)
        return unit(vectors)

    def close(self) -> None:
        """Nothing is open."""

    def _direction(self, word: str) -> NDArray[np.float32]:
        seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big")
        normal = np.random.default_rng(seed).standard_normal(self.dimensions)
        return normal.astype(np.float32)


class InMemoryVectorSegments:
    """Vectors until the test is over."""

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[np.float16]] = {}

    @property
    def count(self) -> int:
        return len(self._kept)

    def append(self, keys: Sequence[str], vectors: NDArray[np.float32]) -> int:
        if len(vectors) != len(keys):
            raise ValueError(f"expected {len(keys)} vectors")
        before = len(self._kept)
        for key, vector in zip(keys, vectors, strict=True):
            self._kept.setdefault(key, vector.astype(np.float16))
        return len(self._kept) - before

    def get(self, keys: Iterable[str]) -> dict[str, NDArray[np.float32]]:
        return {k: self._kept[k].astype(np.float32) for k in keys if k in self._kept}

    def iter_batches(self) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float16]]]:
        for key, vector in self._kept.items():
            yield np.frombuffer(bytes.fromhex(key), np.uint8).reshape(1, 32), vector[None]
