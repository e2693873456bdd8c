"""Markdown as GitHub reads it: sections, tables, anchors, and JSON Schemas put into words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from memgraph.derive.examples import resolved
from memgraph.domain.values import MAX_INTEGER

_CODE = re.compile(r"(`[^`]*`)")
_PARAMETER = re.compile(r"\$\w+")
_FORMATS = {"date-time": "time", "path": "path", "password": "secret"}
_WHOLE = r"(0|[1-9][0-9]{0,4})"
_PATTERNS = {
    r"^[^\x00]*$": "",
    r"^[^\x00-\x1f\x7f]+$": "no control characters",
    rf"^{_WHOLE}\.{_WHOLE}\.{_WHOLE}$": "`MAJOR.MINOR.PATCH`",
    r"^[0-9A-Za-z-]+$": "letters, digits, hyphens",
}
"""Regular expressions of event fields in words, but what the page says of all texts. One that
is missing here is shown as it is."""


def join(parts: Iterable[str]) -> str:
    """Blocks of a page with one empty line between them and a line end at the end."""
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table without the columns that hold nothing; empty when there are no rows."""
    lines = [[_cell(text) for text in row] for row in rows]
    kept = [i for i in range(len(head)) if any(line[i] for line in lines)]
    cells = [[head[i] for i in kept], ["---"] * len(kept), *([r[i] for i in kept] for r in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in cells) if lines else ""


def code(value: object) -> str:
    """A value as code; nothing for nothing."""
    return f"`{value}`" if value != "" else ""


def codes(values: Iterable[object]) -> str:
    """Values as code, separated by commas."""
    return ", ".join(code(value) for value in values)


def fence(language: str, text: str) -> str:
    """A fenced block."""
    return f"```{language}\n{text}\n```"


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    kept = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return kept.replace(" ", "-")


def prose(text: str) -> str:
    """Text in which nothing outside of code reads as HTML, and parameters read as code."""
    parts = _CODE.split(text)
    return "".join(p if p.startswith("`") else _escaped(p) for p in parts)


def link(heading: str) -> str:
    """A link to a heading of the same page."""
    return f"[{heading}](#{anchor(heading)})"


def type_in_words(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """The type of a schema, references resolved in ``root``: ``list of string``, ``time``."""
    schema = resolved(schema, root)
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return codes(schema["enum"])
    kind = str(schema.get("type", "any JSON"))
    if kind == "array":
        return f"list of {type_in_words(schema['items'], root)}"
    values = schema.get("additionalProperties")
    if kind == "object" and isinstance(values, Mapping) and resolved(values, root):
        return f"object of {type_in_words(values, root)}"
    return _FORMATS.get(schema.get("format", ""), kind)


def limits_in_words(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    """The limits of a schema, those of its items included: ``1 to 512 characters``."""
    schema = resolved(schema, root)
    limits = [
        _between(schema.get("minimum"), schema.get("maximum"), ""),
        _between(schema.get("minLength"), schema.get("maxLength"), " characters"),
        _between(schema.get("minItems"), schema.get("maxItems"), " items"),
    ]
    if pattern := schema.get("pattern"):
        limits.append(_PATTERNS.get(pattern, code(pattern)))
    if "items" in schema and (each := limits_in_words(schema["items"], root)):
        limits.append(f"each {each}")
    return ", ".join(limit for limit in limits if limit)


def _between(low: float | None, high: float | None, what: str) -> str:
    if high == MAX_INTEGER:
        return f"{low:,} to 2⁶³ - 1"
    if low is None:
        return f"at most {high:,}{what}" if high is not None else ""
    return f"at least {low:,}{what}" if high is None else f"{low:,} to {high:,}{what}"


def _escaped(text: str) -> str:
    return _PARAMETER.sub(r"`\g<0>`", text.replace("<", "&lt;"))


def _cell(text: str) -> str:
    """Text of a cell: on one line, and no bar in it begins the next cell."""
    return prose(" ".join(text.split())).replace("|", "\\|")
