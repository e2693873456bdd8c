"""A model behind an endpoint that speaks as OpenAI's does: POST of `input`, `data` in return.

What was checked against: https://platform.openai.com/docs/api-reference/embeddings. Texts go
to the one configured address and to no other: redirects and proxies of the environment
are off.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import httpx2
import orjson
import stamina

from memgraph.adapters.embedders import extra, unit
from memgraph.domain.errors import EmbedderRefused, EmbedderUnavailable
from memgraph.services.ports import MOST_CHARACTERS
from memgraph.settings import RemoteEmbeddingSettings, SettingsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BYTES_PER_NUMBER = 32
"""A number as text is shorter; an answer that is longer than all of them is cut off."""
_TOO_MANY = 429
_OF_THE_TEXT = frozenset({400, 413, 422})
"""Statuses that another text may not get."""


class _Later(Exception):  # a signal to the retry, never seen outside
    pass


class RemoteEmbedder:
    """Vectors from the configured endpoint, some texts at a time. Threads share it."""

    def __init__(self, settings: RemoteEmbeddingSettings) -> None:
        if not settings.url or not settings.name:
            raise SettingsError("embedding.remote: url and name are needed for a remote model")
        self._np = extra("numpy", "embeddings")
        self._settings = settings
        self.dimensions = settings.dimensions
        self.model_id = f"{settings.name}-{settings.dimensions}"
        key = settings.api_key.get_secret_value()
        self._client = httpx2.Client(
            follow_redirects=False,
            timeout=settings.timeout_s,
            trust_env=False,
            headers={"Authorization": f"Bearer {key}"} if key else {},
        )

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        batch = self._settings.batch
        vectors: NDArray[np.float32] = self._np.zeros((len(texts), self.dimensions), "float32")
        # The endpoint takes no text without content; its vector stays zero.
        told = [i for i, text in enumerate(texts) if text.strip()]
        for first in range(0, len(told), batch):
            some = told[first : first + batch]
            vectors[some] = self._ask([texts[i][:MOST_CHARACTERS] for i in some])
        return unit(vectors)

    def close(self) -> None:
        self._client.close()

    def _ask(self, texts: list[str]) -> NDArray[np.float32]:
        try:
            for attempt in stamina.retry_context(
                on=_Later, attempts=2, wait_initial=self._settings.retry_after_s, wait_jitter=0.1
            ):
                with attempt:
                    return self._read(self._post(texts), len(texts))
        except _Later as error:
            raise EmbedderUnavailable("the endpoint of the embedding model is busy") from error
        except httpx2.HTTPError as error:
            raise EmbedderUnavailable(
                "the endpoint of the embedding model does not answer", kind=type(error).__name__
            ) from None  # it holds the request
        raise AssertionError("unreachable: the last attempt raises")

    def _post(self, texts: list[str]) -> bytes:
        body: dict[str, Any] = {"model": self._settings.name, "input": texts}
        body["encoding_format"] = "float"
        if self._settings.send_dimensions:
            body["dimensions"] = self.dimensions
        most = _BYTES_PER_NUMBER * self.dimensions * len(texts) + 65_536
        answer = b""
        with self._client.stream(
            "POST",
            self._settings.url,
            content=orjson.dumps(body),
            headers={"Content-Type": "application/json"},
        ) as response:
            _check(response.status_code)
            for chunk in response.iter_bytes():
                answer += chunk
                if len(answer) > most:
                    raise _unlike("is too long")
        return answer

    def _read(self, answer: bytes, count: int) -> NDArray[np.float32]:
        try:
            # The order of the answer is that of the indexes, whatever the order of the list.
            data: list[Any] = orjson.loads(answer)["data"]
            data.sort(key=lambda one: one["index"])
            indexes = [one["index"] for one in data]
            vectors: NDArray[np.float32] = self._np.array(
                [one["embedding"] for one in data], "float32"
            )
        except (ValueError, TypeError, KeyError):
            raise _unlike("is none of embeddings") from None
        if indexes != list(range(count)):
            raise _unlike("has not one vector for each text")
        if vectors.shape != (count, self.dimensions):
            raise _unlike(
                f"has vectors of another length; set embedding.remote.dimensions "
                f"to that of the model, it is {self.dimensions}"
            )
        if not self._np.isfinite(vectors).all():
            raise _unlike("has numbers that are none")
        return vectors


def _check(status: int) -> None:
    if status == _TOO_MANY or status >= 500:
        raise _Later
    if status in _OF_THE_TEXT:
        raise EmbedderRefused("the endpoint of the embedding model refused a text", status=status)
    if status != 200:
        raise EmbedderUnavailable(
            f"the endpoint of the embedding model answered {status}; "
            "check embedding.remote.url and api_key",
            status=status,
        )


def _unlike(what: str) -> EmbedderUnavailable:
    return EmbedderUnavailable(f"the answer of the endpoint of the embedding model {what}")
