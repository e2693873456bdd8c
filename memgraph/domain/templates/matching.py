"""Tell which template a text was made from, by the text alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from memgraph.domain.errors import InvalidInput
from memgraph.domain.templates.text import Part, Section, Variable, parse

LEAST_LITERAL = 16
"""Characters that a template must say itself; with fewer, texts fit it by chance."""
PREFIX = 4
"""Characters by which templates are sorted, so that few are tried."""


@dataclass(frozen=True, slots=True)
class _Pattern:
    name: str
    literals: tuple[str, ...]
    """What stands before, between and after the variables; the first and last may be empty."""

    @property
    def said(self) -> int:
        return sum(map(len, self.literals))

    def fits(self, text: str) -> bool:
        """Whether the literals stand in ``text`` in order, the outer ones at its ends.

        Linear: a literal is taken where it is first found, which leaves most for the rest.
        """
        first, *middle = self.literals
        if not middle:
            return text == first
        *middle, last = middle
        if len(text) < len(first) + len(last) or not text.startswith(first):
            return False
        end = len(text) - len(last)
        if not text.endswith(last):
            return False
        at = len(first)
        for literal in middle:
            found = text.find(literal, at, end)
            if found < 0:
                return False
            at = found + len(literal)
        return True


class Matcher:
    """Match texts against templates, given as (name, template text)."""

    def __init__(self, templates: Iterable[tuple[str, str]]) -> None:
        self._by_prefix: dict[str, list[_Pattern]] = defaultdict(list)
        patterns = [p for name, text in templates if (p := _pattern(name, text)) is not None]
        # The one that says most itself fits best; of equals the later name.
        for pattern in sorted(patterns, key=lambda p: (p.said, p.name), reverse=True):
            self._by_prefix[pattern.literals[0][:PREFIX]].append(pattern)
        self._prefixes = sorted({len(prefix) for prefix in self._by_prefix}, reverse=True)

    def match(self, text: str) -> str | None:
        """The name of the template that says most itself of those that fit."""
        best: _Pattern | None = None
        text = text.strip()
        for length in self._prefixes:
            for pattern in self._by_prefix.get(text[:length], ()):
                if best is not None and pattern.said <= best.said:
                    break
                if pattern.fits(text):
                    best = pattern
                    break
        return best.name if best else None


def _pattern(name: str, text: str) -> _Pattern | None:
    try:
        parts = parse(text.strip()).parts
    except InvalidInput:
        return None
    literals = [""]
    for part in _flat(parts):
        if isinstance(part, Variable):
            literals.append("")
        else:
            literals[-1] += str(part)
    pattern = _Pattern(name, tuple(literals))
    return pattern if pattern.said >= LEAST_LITERAL else None


def _flat(parts: Iterable[Part]) -> Iterable[str | Variable]:
    for part in parts:
        if isinstance(part, Section):
            yield from _flat(part.parts)
        else:
            yield part
