"""The text of a template: its marks, its variables, and what it reads like when filled.

Grammar of a template text::

    {{ name }}                                  a variable
    {{#section name}} … {{/section}}            a part that a child may replace; never nested
    {{{{                                        two literal braces

Blanks inside a mark are free, line breaks are not allowed there. Everything else is
text: closing braces, single opening braces (``{{{name}}}`` is a variable in braces),
``${name}``. Two opening braces that begin neither a mark nor an escape are refused,
so a misspelt mark never reaches a model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from memgraph.domain.errors import InvalidInput, shown
from memgraph.domain.templates.variables import (
    MAX_CHECKED_CHARS,
    NAME,
    VariableSpec,
    as_text,
    by_name,
    check_length,
    validate_bindings,
)
from memgraph.domain.values import MAX_TEXT_CHARS

_TEXT = "template_text"
_MARK = (
    r"(?P<escape>\{{4})"
    rf"|\{{\{{[ \t]*+(?:(?P<variable>{NAME})|\#section[ \t]++(?P<section>{NAME})"
    r"|(?P<end>/section))[ \t]*+\}\}"
    r"|(?P<stray>\{\{)(?!\{)"
)
_MARKS = re.compile(_MARK)
_PLACEHOLDERS = re.compile(rf"{_MARK}|\$\{{(?P<dollar>[^{{}}]{{0,{MAX_CHECKED_CHARS}}})\}}")


@dataclass(frozen=True, slots=True)
class Variable:
    """A place for a value."""

    name: str

    def __str__(self) -> str:
        return f"{{{{{self.name}}}}}"


@dataclass(frozen=True, slots=True)
class Section:
    """A named part that children may replace."""

    name: str
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return f"{{{{#section {self.name}}}}}{_source(self.parts)}{{{{/section}}}}"


Part = str | Variable | Section


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed text. ``str`` writes it in the grammar again."""

    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return _source(self.parts)

    @property
    def sections(self) -> dict[str, Section]:
        """Sections by name, in their order."""
        return {part.name: part for part in self.parts if isinstance(part, Section)}

    @property
    def variables(self) -> tuple[str, ...]:
        """Names in the order of their first use."""
        return tuple(dict.fromkeys(p.name for p in _flat(self.parts) if isinstance(p, Variable)))


_FAULTS = {
    "section": "opens a section inside another one or for the second time",
    "end": "closes a section that is not open",
    "stray": "has opening braces that begin no mark; write four for two literal ones",
}


def parse(text: str) -> Template:
    """Read a text. Raises InvalidInput with the place of the fault; linear in the text."""
    check_length(_TEXT, text)
    top: list[Part] = []
    current, section = top, ""
    names: set[str] = set()
    for kind, value, at in _tokens(text):
        match kind:
            case "text":
                current.append(value)
            case "variable":
                current.append(Variable(value))
            case "section" if current is top and value not in names:
                current, section = [], value
                names.add(value)
            case "end" if current is not top:
                top.append(Section(section, tuple(current)))
                current = top
            case _:
                raise InvalidInput(_TEXT, f"{_FAULTS[kind]} (at character {at})", at=at)
    if current is not top:
        raise InvalidInput(_TEXT, "ends inside a section", at=len(text))
    return Template(tuple(top))


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield (kind, value, place); neighbouring literals come as one text."""
    literal: list[str] = []
    end = 0
    for found in _MARKS.finditer(text):
        literal.append(text[end : found.start()])
        end = found.end()
        kind = str(found.lastgroup)
        if kind == "escape":
            literal.append("{{")
            continue
        if any(literal):
            yield "text", "".join(literal), found.start()
        literal.clear()
        yield kind, found[kind], found.start()
    literal.append(text[end:])
    if any(literal):
        yield "text", "".join(literal), end


def _flat(parts: Iterable[Part]) -> Iterator[str | Variable]:
    for part in parts:
        if isinstance(part, Section):
            yield from _flat(part.parts)
        else:
            yield part


def _source(parts: Iterable[Part]) -> str:
    return "".join(p.replace("{{", "{{{{") if isinstance(p, str) else str(p) for p in parts)


def render(text: str, variables: Iterable[VariableSpec], bindings: Mapping[str, Any]) -> str:
    """Fill in the values in a single pass: marks inside a value stay text.

    Strings are put in as they are, other values as JSON, an optional variable
    without a value as nothing.
    """
    specs = by_name(variables)
    values = {
        name: as_text(value) for name, value in validate_bindings(specs.values(), bindings).items()
    }
    template = parse(text)
    check_declared(template, specs.values())
    pieces = [p if isinstance(p, str) else values.get(p.name, "") for p in _flat(template.parts)]
    # Before the join: a short text with many marks times a long value fills the memory.
    if sum(map(len, pieces)) > MAX_TEXT_CHARS:
        raise InvalidInput("variables", f"make a text of more than {MAX_TEXT_CHARS} characters")
    return "".join(pieces)


def check_declared(template: Template, variables: Iterable[VariableSpec]) -> None:
    """Raise InvalidInput if the text uses a variable that is not among ``variables``."""
    declared = {spec.name for spec in variables}
    for name in template.variables:
        if name not in declared:
            raise InvalidInput(f"variables.{shown(name)}", "is used by the text but not declared")


def extract_variables(text: str) -> tuple[VariableSpec, ...]:
    """Find ``{{name}}``, ``${name}`` and ``${name:default}`` in the order of first appearance.

    Never refuses a text: what is no placeholder is text. The first default of a name counts.
    """
    defaults: dict[str, str | None] = {}
    for found in _PLACEHOLDERS.finditer(text):
        name, default = _placeholder(found)
        if name and defaults.get(name) is None:
            defaults[name] = default
    return tuple(VariableSpec(name=name, default=d) for name, d in defaults.items())


def normalise_placeholders(text: str) -> str:
    """Write ``${name:default}`` as ``{{name}}`` and escape stray braces.

    What is in the grammar already stays, so doing it twice changes nothing.
    """

    def rewrite(found: re.Match[str]) -> str:
        if found.lastgroup == "stray":
            return "{{{{"
        name, _ = _placeholder(found)
        return f"{{{{{name}}}}}" if name and found.lastgroup == "dollar" else found[0]

    return _PLACEHOLDERS.sub(rewrite, text)


def _placeholder(found: re.Match[str]) -> tuple[str | None, str | None]:
    """Name and default of a placeholder; no name if it is none."""
    if found.lastgroup != "dollar":
        return found["variable"], None
    name, colon, default = (part.strip() for part in found["dollar"].partition(":"))
    if not re.fullmatch(NAME, name):
        return None, None
    return name, default if colon else None
