"""Names of people, found by a pipeline of spaCy that the operator has installed.

spaCy and its pipeline are loaded by the first text: a process that looks at none pays nothing.
Nothing is downloaded.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from memgraph.domain.errors import StackError
from memgraph.domain.pii.names import Span
from memgraph.services.ports import FindsNames

PERSON_LABELS = frozenset({"PERSON", "PER", "PRS", "persName", "pers"})
"""What pipelines of different languages call a person."""
MOST_NAMED_CHARACTERS = 10_000
"""Of a text that the model reads, which takes 20 to 60 µs a character."""
LONGEST_WORD = 64
UNUSED = (
    *("tagger", "morphologizer", "parser", "senter", "attribute_ruler", "lemmatizer"),
    *("trainable_lemmatizer", "textcat", "textcat_multilabel"),
)

_LONG_RUN = re.compile(rf"\S{{{LONGEST_WORD + 1},}}")
_SIGN = re.compile(r"[^\w\s]|_")
_SURROGATE = re.compile("[\ud800-\udfff]")


def open_names(model: str) -> FindsNames | None:
    """What finds names by a pipeline, or None for an empty name. Raises StackError."""
    return SpacyNames(model) if model else None


class SpacyNames:
    """A pipeline by its package or its folder. Threads take turns."""

    def __init__(self, model: str) -> None:
        """Look at what the pipeline says of itself, without loading it. Raises StackError."""
        if importlib.util.find_spec("spacy") is None:
            raise StackError('names need an extra: pip install "llm-memory-graph[ner]"')
        self._model = model
        self._lock = threading.Lock()
        labels = _labels(_folder(model))
        if not labels & PERSON_LABELS:
            raise StackError("ingest.names_model: the pipeline finds no names of people")

    def find(self, text: str) -> list[Span]:
        """Where the text names people, as far as the model reads it."""
        if not text.strip():
            return []
        # What the vocabulary learns of a text goes with it; hostile ones would fill the memory.
        with self._lock, self._pipeline.memory_zone():
            return [
                (entity.start_char, entity.end_char)
                for entity in self._pipeline(readable(text)).ents
                if entity.label_ in PERSON_LABELS
            ]

    @cached_property
    def _pipeline(self) -> Any:
        if (folder := Path(self._model)).is_dir():
            import spacy

            return spacy.load(folder, exclude=UNUSED)
        return importlib.import_module(self._model).load(exclude=UNUSED)


def readable(text: str) -> str:
    """What the model is given: the beginning, with offsets as they are.

    The tokenizer takes signs from both ends of a word one by one and looks at all of it each
    time: 10,000 brackets take it half a minute. So in a longer run than any word they are spaces.
    """
    start = _SURROGATE.sub("\ufffd", text[:MOST_NAMED_CHARACTERS])
    return _LONG_RUN.sub(lambda run: _SIGN.sub(" ", run[0]), start)


def _folder(model: str) -> Path:
    if (folder := Path(model)).is_dir():
        return folder
    found = importlib.util.find_spec(model) if model.isidentifier() else None
    if found is None or not found.submodule_search_locations:
        raise StackError("ingest.names_model: no pipeline of spaCy is installed by this name")
    return Path(found.submodule_search_locations[0])


def _labels(folder: Path) -> set[str]:
    """All labels that the components of a pipeline give."""
    try:
        said = orjson.loads((folder / "meta.json").read_bytes())
        return {label for labels in said["labels"].values() for label in labels}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise StackError("ingest.names_model: what is there is no pipeline of spaCy") from None
