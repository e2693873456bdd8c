"""A text with what several recognisers ask of it, each computed once and only when asked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

MIN_DIGITS = 7
MAX_DIGITS = 19
"""Of identifiers that are written in digits: a phone number has 7, a payment card up to 19."""
MAX_GROUPS = 7
MOST_SINGLES = 2
"""Groups of one digit: more are a list of small numbers."""
WORD_REACH = 40
"""Characters before a number in which a word says what it is."""
LONG_WORD = 16
"""Characters; no key or token of a service is shorter."""

_SEPARATOR = r"(?:[-./ ]| - | \(|\)[- ]?)"
RUN = re.compile(rf"[0-9]++(?:{_SEPARATOR}[0-9]++)*+")
_GROUP = re.compile(r"[0-9]++")
_DIGIT = re.compile(r"[0-9]")
_DENSE = re.compile(r"[0-9](?:[^0-9\n]{0,2}[0-9]){5}")
_DATE_OR_TIME = re.compile(
    r"[0-9](?<![0-9A-Za-z_.-].)(?:[0-9]{3}-[0-9]{2}-[0-9]{2}|[0-9]?:[0-9]{2}(?::[0-9]{2})?)"
    r"(?![0-9:-])"
)
_ATTACHED_BEFORE = re.compile(r"(?:[0-9A-Za-z_%$€£¥]|[0-9A-Za-z_][-./])\Z")
_ATTACHED_AFTER = re.compile(r"[0-9A-Za-z_%$€£¥]|-[0-9A-Za-z_]|:[0-9]")


@dataclass(frozen=True, slots=True)
class Number:
    """Digits in one or more groups that stand for themselves: not a part of a word or a path."""

    start: int
    end: int
    digits: str
    shape: str
    """Lengths of the groups with what separates them: `3-2-4`."""


def words(alternatives: str) -> re.Pattern[str]:
    """Recognise words by alternatives of a pattern, `_` being no part of a word.

    What was put in the place of a finding, `[phone]`, names nothing.
    """
    return re.compile(rf"(?<![^\W_])(?:{alternatives})(?![^\W_]|\])", re.IGNORECASE)


class View:
    """A folded text, as recognisers look at it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.has_digits = _DIGIT.search(text) is not None
        self.long_words = " ".join(word for word in text.split() if len(word) >= LONG_WORD)

    @property
    def may_hold_any(self) -> bool:
        """Whether there is anything to look at closer: most texts say no."""
        return self.has_digits or bool(self.long_words) or "@" in self.text

    @cached_property
    def lower(self) -> str:
        """For asking whether a word occurs; offsets may differ from those of the text."""
        return self.text.lower()

    def has_any(self, stems: Iterable[str]) -> bool:
        """Whether one of some stems in lower case occurs."""
        lower = self.lower
        return any(stem in lower for stem in stems)

    @cached_property
    def is_dense(self) -> bool:
        """Whether six digits stand close together somewhere, which are no date or time."""
        return (
            _DENSE.search(self.text) is not None
            and _DENSE.search(_DATE_OR_TIME.sub("\n", self.text)) is not None
        )

    @cached_property
    def numbers(self) -> list[Number]:
        """Every sequence of groups that may be a number, longer and shorter ones."""
        return list(_numbers(self.text)) if self.is_dense else []

    def is_named(self, start: int, names: re.Pattern[str]) -> bool:
        """Whether one of the words stands shortly before ``start`` in the same line."""
        before = self.text[max(0, start - WORD_REACH) : start]
        return names.search(before.rpartition("\n")[2]) is not None


def _numbers(text: str) -> Iterator[Number]:
    for run in RUN.finditer(text):
        start, end = run.span()
        if end - start < MIN_DIGITS:
            continue
        groups = [g.span() for g in _GROUP.finditer(text, start, end)]
        last = len(groups) - 1
        is_free_before = not _ATTACHED_BEFORE.search(text, max(0, start - 2), start)
        is_free_after = not _ATTACHED_AFTER.match(text, end)
        for first, (first_start, _) in enumerate(groups):
            # Inside of a run only a space or parenthesis parts one number from the next.
            if is_free_before if first == 0 else text[first_start - 1] in " (":
                yield from _from_group(text, groups, first, last, is_free_after)


def _from_group(
    text: str, groups: list[tuple[int, int]], first: int, last: int, is_free_after: bool
) -> Iterator[Number]:
    digits, shape, reached, singles = "", "", groups[first][0], 0
    for index in range(first, min(last + 1, first + MAX_GROUPS)):
        start, end = groups[index]
        singles += end - start == 1
        if len(digits) + end - start > MAX_DIGITS or singles > MOST_SINGLES:
            return
        digits += text[start:end]
        shape += f"{text[reached:start]}{end - start}"
        reached = end
        is_free = is_free_after if index == last else text[end] == " "
        if is_free and len(digits) >= MIN_DIGITS:
            yield Number(groups[first][0], end, digits, shape)
