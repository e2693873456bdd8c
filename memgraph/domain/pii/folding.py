"""Text as recognisers read it, and the way back to the offsets of the original.

Digits of every script and full-width forms become ASCII, what looks like a hyphen or a
space becomes one, and what nobody sees (zero-width characters, variation selectors, keycaps) goes.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass

_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    "\u2060-\u2069\u20e3\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]"
)
_HYPHENS = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63"
_SPACES = "\u00a0\u1680\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
_STOPS = "\u2024\u3002\ufe52\uff61"
_PROLONGED = "\u30fc"
"""A hyphen between digits, else a vowel."""
_LOOKALIKE = re.compile(
    rf"[{_HYPHENS}{_SPACES}{_STOPS}\uff01-\uff5e]|(?<=\d){_PROLONGED}(?=\d)|(?![\x00-\x7f])\d"
)
_ASCII = {
    **dict.fromkeys((*_HYPHENS, _PROLONGED), "-"),
    **dict.fromkeys(_SPACES, " "),
    **dict.fromkeys(_STOPS, "."),
}
_FULL_WIDTH = range(0xFF01, 0xFF5F)
_FULL_WIDTH_SHIFT = 0xFEE0


@dataclass(frozen=True, slots=True)
class Folded:
    """A folded text and, ascending, where in it characters were left out, once for each."""

    text: str
    gaps: tuple[int, ...] = ()

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The same stretch in the original."""
        if not self.gaps:
            return start, end
        return start + bisect_right(self.gaps, start), end + bisect_right(self.gaps, end - 1)


def fold(text: str) -> Folded:
    """Fold a text; one in ASCII is returned as it is."""
    if text.isascii():
        return Folded(text)
    gaps: tuple[int, ...] = ()
    if _UNSEEN.search(text):
        gaps = tuple(m.start() - i for i, m in enumerate(_UNSEEN.finditer(text)))
        text = _UNSEEN.sub("", text)
    return Folded(_LOOKALIKE.sub(_plain, text), gaps)


def _plain(match: re.Match[str]) -> str:
    character = match[0]
    known = _ASCII.get(character)
    if known is not None:
        return known
    if ord(character) in _FULL_WIDTH:
        return chr(ord(character) - _FULL_WIDTH_SHIFT)
    return str(unicodedata.decimal(character))
