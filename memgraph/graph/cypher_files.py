"""Cypher files: where they lie and how a file with several statements is taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_TOKEN = re.compile(
    r"""
      (?P<separator> ; )
    | (?P<comment>   //[^\n]* | /\* .*? (?: \*/ | \Z ) )
    | (?P<space>     \s+ )
    | (?P<literal>   ' (?: \\. | [^'\\] )* '? | " (?: \\. | [^"\\] )* "? | ` [^`]* `? )
    | (?P<code>      [^;'"`/\s]+ | / )
    """,
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What lies between two separators of a file, trimmed, comments included."""

    text: str
    line: int
    """Line of its first word, from 1; 0 when it is nothing but comments."""

    @property
    def is_executable(self) -> bool:
        return self.line > 0


def split_statements(text: str) -> list[Statement]:
    r"""Split at every ``;`` that is outside strings, quoted names and comments.

    The last statement needs no ``;``. A part that is nothing but space is left out.
    Line ends must be ``\n``.
    """
    statements: list[Statement] = []
    start = line = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "separator":
            _add(statements, text[start : token.start()], line)
            start, line = token.end(), 0
        elif kind in ("code", "literal") and not line:
            line = text.count("\n", 0, token.start()) + 1
    _add(statements, text[start:], line)
    return statements


def _add(statements: list[Statement], part: str, line: int) -> None:
    if trimmed := part.strip():
        statements.append(Statement(trimmed, line))


def cypher_root() -> Path:
    """Return the directory of the Cypher files: in the installed package, else in the checkout."""
    package = Path(__file__).parents[1]
    installed = package / "cypher"
    return installed if installed.is_dir() else package.parent / "cypher"
