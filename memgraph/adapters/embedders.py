"""Models that turn texts into vectors: in this process, or behind an address.

Nothing is downloaded: local models are read from packages of the extras, remote ones
are asked at the one configured address.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memgraph.domain.errors import EmbedderUnavailable
from memgraph.services.ports import MOST_CHARACTERS, Embedder
from memgraph.settings import EmbeddingSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def open_embedder(settings: EmbeddingSettings) -> Embedder:
    """The configured model. Raises EmbedderUnavailable."""
    match settings.model:
        case "none":
            raise EmbedderUnavailable("there is to be no model: embedding.model is none")
        case "static":
            return StaticEmbedder()
        case "minilm":
            from memgraph.adapters.minilm import MiniLmEmbedder

            return MiniLmEmbedder()
        case "remote":
            from memgraph.adapters.remote_embedder import RemoteEmbedder

            return RemoteEmbedder(settings.remote)


def find_embedder(settings: EmbeddingSettings) -> Embedder | None:
    """The same; None when there is to be no model, or its extra is not installed."""
    try:
        return open_embedder(settings)
    except EmbedderUnavailable:
        return None


def has_embedder(settings: EmbeddingSettings) -> bool:
    """Whether there is a model that can be asked."""
    embedder = find_embedder(settings)
    if embedder is not None:
        embedder.close()
    return embedder is not None


class StaticEmbedder:
    """The mean of static token vectors: the 256-float model in the package `wordllama`.

    Its own loader looks in the wrong folder and then downloads, so the files are read here,
    when the first text comes: a process that embeds nothing pays nothing.
    """

    model_id = "wordllama-l2-supercat-256"
    dimensions = 256

    def __init__(self) -> None:
        self._folder = package_folder("wordllama", "embeddings")
        for needed in ("numpy", "safetensors", "tokenizers"):
            package_folder(needed, "embeddings")

    @cached_property
    def _tokenizer(self) -> Any:
        file = self._folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
        return open_tokenizer(file, "embeddings")

    @cached_property
    def _vectors(self) -> NDArray[np.float16]:
        load = extra("safetensors.numpy", "embeddings").load_file
        # In half precision as they come: 16 MB less, and the tokenizer is slower still.
        vectors: NDArray[np.float16] = load(
            self._folder / "weights" / "l2_supercat_256.safetensors"
        )["embedding.weight"]
        return vectors

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        np = extra("numpy", "embeddings")
        encoded = self._tokenizer.encode_batch_fast(
            [text[:MOST_CHARACTERS] for text in texts], add_special_tokens=False
        )
        sums = np.zeros((len(texts), self.dimensions), dtype=np.float32)
        # Text by text: numpy sums ten times as fast as it sums the parts of a longer array.
        for i, tokens in enumerate(encoded):
            self._vectors.take(tokens.ids, axis=0).sum(axis=0, dtype="float32", out=sums[i])
        return unit(sums)

    def close(self) -> None:
        """Do nothing: what it holds is memory."""


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows at length one; what is zero stays so."""
    lengths = (vectors * vectors).sum(axis=1, keepdims=True) ** 0.5
    lengths[lengths == 0] = 1
    result: NDArray[np.float32] = vectors / lengths
    return result


def open_tokenizer(file: Path, name: str) -> Any:
    """The tokenizer of a file, without padding and with every token."""
    tokenizer = extra("tokenizers", name).Tokenizer.from_file(str(file))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def package_folder(package: str, name: str) -> Path:
    """Where a package of the extra ``name`` keeps its files; the package itself is not run."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise _missing(package, name)
    return Path(found.submodule_search_locations[0])


def extra(module: str, name: str) -> Any:
    """Import a module of the extra ``name``; EmbedderUnavailable says how to install it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _missing((error.name or module).partition(".")[0], name) from error


def _missing(package: str, name: str) -> EmbedderUnavailable:
    return EmbedderUnavailable(
        f"the package {package} is missing; this model needs: "
        f'pip install "llm-memory-graph[{name}]"',
        package=package,
    )
