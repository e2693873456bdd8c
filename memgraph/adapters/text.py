"""Language and length in tokens of texts. Models come inside of packages, nothing is fetched."""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import cache, lru_cache
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import TYPE_CHECKING, Protocol, cast

from memgraph.domain.errors import StillLoading
from memgraph.services.ports import TokenCount

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

MOST_CHARACTERS_READ = 160
"""Of a text, for its language: more makes the answer slower, not surer."""
MIN_LETTERS = 12
MIN_IDEOGRAPHS = 4
MIN_PROBABILITY = 0.5
_NO_LANGUAGE = "zxx"
"""Numbers, code, addresses (ISO 639-2)."""

_ENCODINGS = (
    (
        "o200k_base",
        re.compile(r"(?:chat)?gpt-(?:4o|4\.[15]|5|oss)|codex-mini|(?:o1|o3|o4-mini)(?![^-])"),
    ),
    (
        "cl100k_base",
        re.compile(
            r"gpt-(?:4|3\.5|35)(?![0-9.])|text-embedding-(?:3|ada-002)|(?:davinci|babbage)-002"
        ),
    ),
)
"""By how the name of a model begins."""
_FALLBACK = "o200k_base"
_BYTES_PER_TOKEN = 4


class LanguageDetector:
    """Naive Bayes over byte n-grams (py3langid). The model is loaded when it is first asked.

    That takes some seconds. With ``waits`` the first to ask waits for it; else it is loaded
    beside, and until then asking raises StillLoading.
    """

    def __init__(self, *, waits: bool = True) -> None:
        self._waits = waits
        self._loading: threading.Thread | None = None
        self._lock = threading.Lock()
        self._beginning = threading.Lock()
        self._identifier: LanguageIdentifier | None = None

    def detect(self, text: str) -> str | None:
        beginning = text[:MOST_CHARACTERS_READ]
        if not _has_words(beginning):
            return None
        if self._identifier is None and not self._waits:
            self._load_beside()
            raise StillLoading("the model of languages is not loaded yet")
        language, probability = self._loaded().classify(beginning)
        is_certain = probability >= MIN_PROBABILITY and language != _NO_LANGUAGE
        return str(language) if is_certain else None

    def _load_beside(self) -> None:
        # Who loads holds the other lock, and nobody may wait for that here.
        with self._beginning:
            if self._loading is None:
                from py3langid import langid  # noqa: F401 - no thread's first import is numpy

                self._loading = threading.Thread(target=self._loaded, daemon=True)
                self._loading.start()

    def _loaded(self) -> LanguageIdentifier:
        with self._lock:
            if self._identifier is None:
                # A second or two and 90 MB, which who asks for no language never spends.
                from py3langid.langid import MODEL_FILE, LanguageIdentifier

                self._identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
            return self._identifier


def _has_words(text: str) -> bool:
    """Whether there are letters enough; a character of Chinese or Japanese says more than one."""
    letters = [c for c in text if c.isalpha()]
    if len(letters) >= MIN_LETTERS or len(letters) < MIN_IDEOGRAPHS:
        return len(letters) >= MIN_LETTERS
    return all(unicodedata.east_asian_width(c) == "W" for c in letters)


class _Vocabulary(Protocol):
    def count(self, text: str) -> int: ...


class _Bindings(Protocol):
    def tokenizer_for_encoding(self, encoding_name: str) -> _Vocabulary: ...


class TokenCounter:
    """Byte-pair encodings of OpenAI, in linear time on any text (the Rust crate bpe-openai).

    tiktoken counts the same, but gives up on a million spaces and needs its vocabulary in
    Python, at twice the memory.
    """

    def encoding_of(self, model_id: str | None) -> str:
        return _encoding(model_id) or f"{_FALLBACK}, estimated"

    def count(self, text: str, model_id: str | None) -> TokenCount:
        """Models whose vocabulary is not known are counted by the newest one that is."""
        known = _encoding(model_id)
        vocabulary = _vocabulary(known or _FALLBACK)
        try:
            tokens = vocabulary.count(text)
        except UnicodeEncodeError:  # a lone surrogate, which no model is ever sent
            tokens = vocabulary.count(text.encode(errors="replace").decode())
        return TokenCount(tokens, is_estimate=known is None)


@lru_cache(maxsize=1024)
def _encoding(model_id: str | None) -> str | None:
    """The encoding of a model, whose name may bear a provider, version, date or tuning."""
    name = (model_id or "").lower().rpartition("/")[2].removeprefix("ft:")
    return next((encoding for encoding, names in _ENCODINGS if names.match(name)), None)


@cache
def _vocabulary(encoding: str) -> _Vocabulary:
    return _bindings().tokenizer_for_encoding(encoding)


@cache
def _bindings() -> _Bindings:
    """The extension of bpe-openai without its package.

    The package reads all its vocabularies into dictionaries when it is imported, a second and
    100 MB for nothing: the extension has them inside (bpe-openai 0.1).
    """
    package = find_spec("bpe_openai")
    places = package.submodule_search_locations if package else None
    spec = PathFinder.find_spec("_bindings", places or ())
    if spec is None or spec.loader is None:
        raise ImportError("bpe-openai has no extension `_bindings`")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast(_Bindings, module)


class NullLanguageDetector:
    """Knows no language."""

    def detect(self, text: str) -> str | None:
        return None


class EstimatingTokenCounter:
    """Takes four bytes for a token, without any vocabulary."""

    def encoding_of(self, model_id: str | None) -> str:
        return "bytes"

    def count(self, text: str, model_id: str | None) -> TokenCount:
        size = len(text.encode(errors="replace"))
        return TokenCount(-(-size // _BYTES_PER_TOKEN), is_estimate=True)
