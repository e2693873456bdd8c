# ruff: noqa: RUF001 # texts of other scripts
"""What every detector of languages and counter of tokens must do, and what each is right in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from memgraph.adapters.text import (
    EstimatingTokenCounter,
    LanguageDetector,
    NullLanguageDetector,
    TokenCounter,
)
from memgraph.domain.errors import StillLoading
from memgraph.services.ports import CountsTokens, DetectsLanguage, TokenCount

MODELS = ("gpt-4o", "gpt-4", "claude-opus-4", "", None)
ANY = ("", " ", "word", "0", "\ud800 lone", "\x00", "é" * 50, "𝟜 😀", "<|endoftext|>", "a\r\nb\t c")
HOSTILE = {
    "one letter": "a" * 1_000_000,
    "spaces": " " * 1_000_000,
    "no spaces": "ab1!" * 250_000,
    "lines": "\r\n \t" * 250_000,
    "emoji": "😀" * 250_000,
    "ideographs": "中" * 300_000,
}


@pytest.fixture(scope="module")
def languages() -> LanguageDetector:
    return LanguageDetector()


@pytest.fixture(params=["bytes per token", "vocabulary"])
def counter(request: pytest.FixtureRequest) -> CountsTokens:
    return TokenCounter() if request.param == "vocabulary" else EstimatingTokenCounter()


@pytest.fixture(params=["none", "model"])
def detector(request: pytest.FixtureRequest, languages: LanguageDetector) -> DetectsLanguage:
    return languages if request.param == "model" else NullLanguageDetector()


class TestEveryCounter:
    @pytest.mark.parametrize("text", ANY)
    @pytest.mark.parametrize("model_id", MODELS)
    def test_any_text_has_a_count(
        self, counter: CountsTokens, text: str, model_id: str | None
    ) -> None:
        counted = counter.count(text, model_id)
        assert 0 <= counted.tokens <= 4 * len(text)
        assert bool(counted.tokens) == bool(text)

    def test_more_text_has_more_tokens(self, counter: CountsTokens) -> None:
        counts = [counter.count("some words " * n, "gpt-4o").tokens for n in (1, 10, 100)]
        assert counts == sorted(set(counts))

    def test_models_of_one_encoding_get_equal_answers(self, counter: CountsTokens) -> None:
        answers: dict[str, set[TokenCount]] = {}
        for model_id in (*MODELS, "gpt-5", "gpt-3.5-turbo", "mistral-large"):
            counted = counter.count("Grüße aus Köln", model_id)
            answers.setdefault(counter.encoding_of(model_id), set()).add(counted)
        assert all(len(counts) == 1 for counts in answers.values())

    @pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
    def test_a_hostile_text_is_counted(self, counter: CountsTokens, text: str) -> None:
        assert counter.count(text, "gpt-4").tokens > 1_000

    def test_threads_share_it(self, counter: CountsTokens) -> None:
        with ThreadPoolExecutor(4) as pool:
            counts = list(pool.map(lambda _: counter.count("one two three", "o1"), range(32)))
        assert len(set(counts)) == 1


class TestEveryDetector:
    @pytest.mark.parametrize("text", [*ANY, *(text[:20_000] for text in HOSTILE.values())])
    def test_what_is_too_short_or_no_language_has_none(
        self, detector: DetectsLanguage, text: str
    ) -> None:
        assert detector.detect(text) is None or text.isalpha()

    def test_a_language_is_a_short_lower_case_code(self, detector: DetectsLanguage) -> None:
        found = detector.detect("Could you please help me to change my flight?")
        assert found is None or (found.islower() and len(found) == 2)

    def test_threads_share_it(self, detector: DetectsLanguage) -> None:
        with ThreadPoolExecutor(4) as pool:
            found = set(pool.map(lambda _: detector.detect("This is a sentence."), range(16)))
        assert len(found) == 1


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Could you please help me to change my flight?", "en"),
        ("Ich möchte bitte meinen Flug umbuchen.", "de"),
        ("Je voudrais annuler ma réservation de demain.", "fr"),
        ("Quiero cambiar la fecha de mi vuelo, por favor.", "es"),
        ("Não posso viajar amanhã, preciso de ajuda.", "pt"),
        ("Пожалуйста, помогите мне с заказом билета. Я хочу изменить дату.", "ru"),
        ("日本語のテキストです。予約を変更したいです。", "ja"),
        ("请帮我更改明天的航班,我想改到星期五。", "zh"),
    ],
)
def test_a_language_is_recognised(languages: LanguageDetector, text: str, language: str) -> None:
    assert languages.detect(text) == language
    assert languages.detect(text * 1_000) == language


@pytest.mark.parametrize(
    "text",
    [
        *("Yes", "ok thanks", "HAT136 2024-05-20", '{"a": 1, "b": [2, 3]}', "4, 8, 15, 16, 23, 42"),
        *("SELECT * FROM t WHERE id = 5", "https://example.com/a/b?c=d", "aaaaaaaaaaaaaaaaaaaa"),
    ],
)
def test_an_uncertain_language_is_none(languages: LanguageDetector, text: str) -> None:
    assert languages.detect(text) is None


@pytest.mark.parametrize(
    ("text", "model_id", "tokens"),
    [
        ("tiktoken is great!", "gpt-4", 6),
        ("hello world", "gpt-4o", 2),
        ("antidisestablishmentarianism", "gpt-3.5-turbo", 6),
        ("antidisestablishmentarianism", "gpt-4o", 6),
        ("2 + 2 = 4", "gpt-4", 7),
        ("お誕生日おめでとう", "gpt-4", 9),
        ("お誕生日おめでとう", "gpt-4o", 8),
    ],
)
def test_tokens_are_those_of_the_published_encodings(text: str, model_id: str, tokens: int) -> None:
    assert TokenCounter().count(text, model_id) == TokenCount(tokens, is_estimate=False)


@pytest.mark.parametrize(
    ("model_id", "encoding"),
    [
        *((name, "o200k_base") for name in ("gpt-4o-2024-08-06", "gpt-4.1-mini", "gpt-5.1-codex")),
        *((name, "o200k_base") for name in ("o1-preview", "o3", "o4-mini", "openai/gpt-4o")),
        *((name, "o200k_base") for name in ("ft:gpt-4o-mini:acme::x", "GPT-4o", "gpt-oss-20b")),
        *((name, "cl100k_base") for name in ("gpt-4", "gpt-4-0613", "gpt-3.5-turbo-16k")),
        *((name, "cl100k_base") for name in ("azure/gpt-35-turbo", "text-embedding-3-small")),
    ],
)
def test_a_known_model_has_its_encoding(model_id: str, encoding: str) -> None:
    assert TokenCounter().encoding_of(model_id) == encoding
    assert not TokenCounter().count("x", model_id).is_estimate


OTHERS = ("claude-opus-4", "gpt-4.9", "o12", "omni", "gemini-3", "", None)


@pytest.mark.parametrize("model_id", OTHERS)
def test_the_count_of_another_model_is_an_estimate(model_id: str | None) -> None:
    counter = TokenCounter()
    assert counter.count("x", model_id) == TokenCount(1, is_estimate=True)
    assert counter.encoding_of(model_id) != counter.encoding_of("gpt-4o")


def test_who_does_not_wait_is_told_until_the_model_is_loaded() -> None:
    detector = LanguageDetector(waits=False)
    assert detector.detect("ok") is None
    with pytest.raises(StillLoading):
        detector.detect("Could you please help me to change my flight?")
    until = time.monotonic() + 60
    language = None
    while language is None and time.monotonic() < until:
        with suppress(StillLoading):
            language = detector.detect("Could you please help me to change my flight?")
        time.sleep(0.02)
    assert language == "en"


def test_neither_network_nor_memory_is_needed_before_the_first_text() -> None:
    """In a process of its own, where nobody has loaded anything."""
    script = """
import socket, sys
socket.socket.connect = socket.getaddrinfo = None
from memgraph.adapters.text import LanguageDetector, TokenCounter
languages, tokens = LanguageDetector(), TokenCounter()
assert not {"numpy", "py3langid", "bpe_openai"} & sys.modules.keys()
assert tokens.count("hello world", "gpt-4o").tokens == 2
assert languages.detect("Where is the nearest station, please?") == "en"
assert "bpe_openai" not in sys.modules  # which would read every vocabulary
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, env=os.environ)
