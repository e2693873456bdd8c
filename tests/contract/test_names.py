# ruff: noqa: RUF001 # texts of other scripts
"""What everything that finds names of people must do, and what spaCy's pipelines are kept from."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph.adapters.names import (
    LONGEST_WORD,
    MOST_NAMED_CHARACTERS,
    SpacyNames,
    open_names,
    readable,
)
from memgraph.domain.errors import StackError
from memgraph.services.ports import FindsNames
from tests.support.names import NAMES, KnownNames, make_package, make_pipeline

ANY = ("", " ", "\n\t", "word", "0", "\ud800 lone", "\x00", "é" * 50, "𝟜 😀", "'" * 200, "中" * 300)


@pytest.fixture(scope="module", params=["spaCy's folder", "spaCy's package", "fake"])
def names(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> FindsNames:
    folder = tmp_path_factory.mktemp("names")
    if request.param == "fake":
        return KnownNames()
    if request.param == "spaCy's folder":
        return SpacyNames(str(make_pipeline(folder / "pipeline")))
    patch = pytest.MonkeyPatch()
    request.addfinalizer(patch.undo)
    patch.syspath_prepend(folder)
    return SpacyNames(make_package(folder, "xx_names_for_tests"))


def found(names: FindsNames, text: str) -> list[str]:
    return [text[start:end] for start, end in names.find(text)]


class TestEveryFinder:
    def test_names_come_in_order(self, names: FindsNames) -> None:
        text = "Zoë Ångström met Maria Keller in Lyon,\nand Maria Keller wrote it down."
        assert found(names, text) == ["Zoë Ångström", "Maria Keller", "Maria Keller"]

    @pytest.mark.parametrize("before", ["😀 ", "\ud800 ", "a\x00 ", "(" * 100 + " ", "\r\n\r\n "])
    def test_offsets_are_those_of_the_text(self, names: FindsNames, before: str) -> None:
        assert found(names, f"{before}Maria Keller wrote") == ["Maria Keller"]

    @pytest.mark.parametrize("text", ANY)
    def test_any_text_is_taken(self, names: FindsNames, text: str) -> None:
        assert list(names.find(text)) == []

    def test_threads_share_it(self, names: FindsNames) -> None:
        texts = [f"{i} Maria Keller" for i in range(40)]
        with ThreadPoolExecutor(8) as pool:
            answers: list[Sequence[tuple[int, int]]] = list(pool.map(names.find, texts))
        assert [text[a[0][0] :] for text, a in zip(texts, answers, strict=True)] == [
            "Maria Keller"
        ] * 40


class TestReadable:
    """The tokenizer's work grows with the square of a word of signs, so there are none."""

    @given(st.text(st.sampled_from(list("ab(_-.😀\u201c中é \n\ud800")), max_size=400))
    def test_words_of_signs_are_short_and_offsets_stay(self, text: str) -> None:
        seen = readable(text)
        assert len(seen) == len(text)
        seen.encode()  # no lone surrogates
        assert all(
            len(word) <= LONGEST_WORD or word.replace("\ufffd", "a").isalnum()
            for word in seen.split()
        )

    def test_what_is_no_long_word_stays(self) -> None:
        text = "Dr. Zoë Ångström-Keller (née O'Neill) 王小明，你好。 " + "中" * 100
        assert readable(text) == text

    def test_a_long_text_is_read_as_far_as_its_beginning(self, names: FindsNames) -> None:
        text = "word " * (MOST_NAMED_CHARACTERS // 5) + "Maria Keller"
        assert len(readable(text)) == MOST_NAMED_CHARACTERS
        if isinstance(names, SpacyNames):
            assert found(names, text) == []


class TestWhatIsNoPipeline:
    @pytest.mark.parametrize("label", ["PERSON", "PER", "PRS", "persName"])
    def test_persons_have_several_labels(self, label: str, tmp_path: Path) -> None:
        finder = SpacyNames(str(make_pipeline(tmp_path, label, NAMES[:1])))
        assert found(finder, "Maria Keller in Lyon") == ["Maria Keller"]

    def test_no_model_finds_nothing(self) -> None:
        assert open_names("") is None

    @pytest.mark.parametrize("model", ["no_such_pipeline", "a.b", "../x", "orjson\n", "zlib"])
    def test_a_pipeline_that_is_not_there(self, model: str) -> None:
        with pytest.raises(StackError, match="names_model: no pipeline"):
            open_names(model)

    def test_a_pipeline_without_names(self, tmp_path: Path) -> None:
        with pytest.raises(StackError, match="finds no names"):
            open_names(str(make_pipeline(tmp_path, "ORG")))

    @pytest.mark.parametrize(
        "meta", [None, "{", "[]", "{}", '{"labels": 7}', '{"labels": {"a": 7}}']
    )
    def test_a_folder_of_something_else(self, meta: str | None, tmp_path: Path) -> None:
        if meta is not None:
            (tmp_path / "meta.json").write_text(meta)
        with pytest.raises(StackError, match="is no pipeline"):
            open_names(str(tmp_path))

    def test_without_spacy_it_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        with pytest.raises(StackError, match=r"\[ner\]"):
            open_names("xx_names")
