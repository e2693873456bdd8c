"""Ask the full-text index for words, and for nothing else that its language can say."""

from __future__ import annotations

import re

from memgraph.domain.selection import words_of

_SPECIAL = re.compile(r'(["\\])')


def all_words(text: str) -> str:
    """A Lucene query for texts that hold every word, in any order."""
    return " AND ".join(_quoted(text))


def any_word(text: str) -> str:
    """A Lucene query for texts that hold some of the words; more of them rank higher."""
    return " OR ".join(_quoted(text))


def _quoted(text: str) -> list[str]:
    # Inside quotes only the quote and the backslash mean anything; the analyser reads the rest.
    words = (_SPECIAL.sub(r"\\\1", word) for word in dict.fromkeys(words_of(text)))
    return [f'"{word}"' for word in words]
