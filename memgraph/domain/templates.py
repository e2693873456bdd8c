"""Prompt templates as pure rules: versions, variables, text, inheritance. No storage.

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

import copy
import json
import math
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError, SchemaError, SchemaValidator, core_schema

from memgraph.domain.errors import InvalidInput, TemplateCycle, shown
from memgraph.domain.values import MAX_DEPTH, MAX_INTEGER, MAX_TEXT_CHARS

MAX_VERSION_PART = 65_535
MAX_PATTERN_CHARS = 512
MAX_CHECKED_CHARS = 10_000
"""Longest value that a pattern is tried on, and longest default, in characters."""
MAX_INHERITANCE = 32
"""Most levels below a root template."""

TemplateKey = tuple[str, str]
"""(template_id, version)."""
VariableType = Literal["string", "number", "integer", "boolean", "array", "object"]
K = TypeVar("K", bound=Hashable)

_TEXT = "template_text"
_NAME = r"[^\W\d](?:[\w.\- ]{0,126}[\w.\-])?"
_MARK = (
    r"(?P<escape>\{{4})"
    rf"|\{{\{{[ \t]*+(?:(?P<variable>{_NAME})|\#section[ \t]++(?P<section>{_NAME})"
    r"|(?P<end>/section))[ \t]*+\}\}"
    r"|(?P<stray>\{\{)(?!\{)"
)
_MARKS = re.compile(_MARK)
_PLACEHOLDERS = re.compile(rf"{_MARK}|\$\{{(?P<dollar>[^{{}}]{{0,{MAX_CHECKED_CHARS}}})\}}")
_VERSION = re.compile(r"\.".join(["(0|[1-9][0-9]{0,4})"] * 3))


class VersionLevel(StrEnum):
    """The part of a version that a change raises."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"


@dataclass(frozen=True, slots=True, order=True)
class SemanticVersion:
    """MAJOR.MINOR.PATCH of Semantic Versioning 2.0, each part 0 to 65535, ordered."""

    major: int = 0
    minor: int = 0
    patch: int = 0

    def __post_init__(self) -> None:
        if not all(0 <= part <= MAX_VERSION_PART for part in (self.major, self.minor, self.patch)):
            raise InvalidInput("version", f"each part must be from 0 to {MAX_VERSION_PART}")

    @classmethod
    def parse(cls, text: str) -> SemanticVersion:
        """Read ``1.2.3``; leading zeros are refused, so each version has one spelling."""
        found = _VERSION.fullmatch(text)
        if found is None:
            raise InvalidInput("version", "must be MAJOR.MINOR.PATCH, such as 1.2.0")
        return cls(*map(int, found.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def bump(self, level: VersionLevel) -> SemanticVersion:
        """Raise one part and reset those after it."""
        raised = {
            VersionLevel.MAJOR: (self.major + 1, 0, 0),
            VersionLevel.MINOR: (self.major, self.minor + 1, 0),
            VersionLevel.PATCH: (self.major, self.minor, self.patch + 1),
        }
        return SemanticVersion(*raised[level])


class VariableSpec(BaseModel):
    """A variable of a template. One with a default is never required."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)

    name: str = Field(description="Letter or underscore, then also digits, blanks, dots, hyphens.")
    type: VariableType = "string"
    default: JsonValue = Field(default=None, description="Used when no value is bound.")
    required: bool = Field(default=True, validate_default=True)
    pattern: str | None = Field(
        default=None,
        max_length=MAX_PATTERN_CHARS,
        description="Regular expression that the whole value, written as text, must match; "
        "no look-around, no back references.",
    )
    description: str = Field(default="", max_length=20_000)

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not re.fullmatch(_NAME, name):
            raise PydanticCustomError("variable_name", "must be a name of at most 128 characters")
        return name

    @field_validator("required")
    @classmethod
    def _default_wins(cls, required: bool, info: ValidationInfo) -> bool:
        return required and info.data.get("default") is None

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, pattern: str | None) -> str | None:
        if pattern is not None:
            try:
                _matcher(pattern)
            except SchemaError:
                raise PydanticCustomError(
                    "variable_pattern",
                    "must be a regular expression of moderate size, "
                    "without look-around and back references",
                ) from None
        return pattern

    @model_validator(mode="after")
    def _check_default(self) -> VariableSpec:
        if self.default is not None:
            try:
                self.check(self.default)
                _check_length("default", _as_text(self.default), MAX_CHECKED_CHARS)
            except InvalidInput as error:
                raise PydanticCustomError("variable_default", f"default {error.rule}") from None
        return self

    def check(self, value: object) -> None:
        """Raise InvalidInput, naming the variable, unless the value has its type and form."""
        field = f"variables.{shown(self.name)}"
        if not _has_type(value, self.type):
            raise InvalidInput(field, f"must be of type {self.type}")
        if not _is_json(value):
            raise InvalidInput(
                field, f"must be JSON with 64-bit integers and at most {MAX_DEPTH} levels"
            )
        if self.pattern is not None:
            text = _as_text(value)
            _check_length(field, text, MAX_CHECKED_CHARS)
            if not _matcher(self.pattern).isinstance_python(text):
                raise InvalidInput(field, "does not match the pattern of the variable")


def validate_bindings(
    variables: Iterable[VariableSpec], bindings: Mapping[str, Any]
) -> dict[str, Any]:
    """Check the values and fill in defaults. Optional variables without either stay out.

    Raises InvalidInput for the first problem: unknown names, then variables in their order.
    """
    specs = _by_name(variables)
    for name in bindings:
        if name not in specs:
            raise InvalidInput(f"variables.{shown(name)}", "is not a variable of the template")
    values: dict[str, Any] = {}
    for name, spec in specs.items():
        if name in bindings:
            spec.check(bindings[name])
            values[name] = bindings[name]
        elif spec.default is not None:
            values[name] = copy.deepcopy(spec.default)
        elif spec.required:
            raise InvalidInput(f"variables.{shown(name)}", "is required")
    return values


def _by_name(variables: Iterable[VariableSpec]) -> dict[str, VariableSpec]:
    specs: dict[str, VariableSpec] = {}
    for spec in variables:
        if spec.name in specs:
            raise InvalidInput(f"variables.{shown(spec.name)}", "is declared twice")
        specs[spec.name] = spec
    return specs


def _matcher(pattern: str) -> SchemaValidator:
    """Compile for a match of the whole text.

    The engine is Rust's: time is linear in the text for every pattern, where ``re``
    can be made to run for ever. The pattern is compiled alone first, or one such as
    ``a)|(?:b`` would step out of the group.
    """
    SchemaValidator(core_schema.str_schema(pattern=pattern))
    return SchemaValidator(core_schema.str_schema(pattern=rf"\A(?:{pattern})\z"))


_PYTHON_TYPES: dict[VariableType, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def _has_type(value: object, type_: VariableType) -> bool:
    if isinstance(value, bool):
        return type_ == "boolean"
    return isinstance(value, _PYTHON_TYPES[type_])


def _is_json(value: object) -> bool:
    """Say whether the graph can keep the value. Iterative: the depth is the sender's."""
    stack = [(value, 0)]
    while stack:
        item, depth = stack.pop()
        if isinstance(item, list | dict) and depth < MAX_DEPTH:
            children = [*item, *item.values()] if isinstance(item, dict) else item
            stack.extend((child, depth + 1) for child in children)
        elif not _is_scalar(item):
            return False
    return True


def _is_scalar(value: object) -> bool:
    match value:
        case None | bool() | str():
            return True
        case int():
            return abs(value) <= MAX_INTEGER
        case float():
            return math.isfinite(value)
        case _:
            return False


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _check_length(field: str, text: str, limit: int = MAX_TEXT_CHARS) -> None:
    if len(text) > limit:
        raise InvalidInput(field, f"must have at most {limit} characters")


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
    _check_length(_TEXT, text)
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
    specs = _by_name(variables)
    values = {
        name: _as_text(value) for name, value in validate_bindings(specs.values(), bindings).items()
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
    if not re.fullmatch(_NAME, name):
        return None, None
    return name, default if colon else None


@dataclass(frozen=True, slots=True)
class TemplateVersion:
    """What inheritance has to know of one version."""

    template_id: str
    version: str
    text: str
    variables: tuple[VariableSpec, ...] = ()
    parent: TemplateKey | None = None


@dataclass(frozen=True, slots=True)
class ResolvedTemplate:
    """A version with all that it inherits."""

    text: str
    variables: tuple[VariableSpec, ...]
    depth: int
    """Levels below the root template."""
    override_sections: tuple[str, ...]
    """Sections of its parent that this version itself replaces, in its own order."""


def resolve(versions: Mapping[TemplateKey, TemplateVersion], key: TemplateKey) -> ResolvedTemplate:
    """Apply the chain from the root down to ``key``.

    A text of nothing but sections and blanks replaces the sections of the same name;
    any other text replaces the whole. Variables replace those of the same name.
    Raises TemplateCycle, and InvalidInput for an unknown version or section and for
    a chain that is too long.
    """
    root, *children = _chain(versions, key)
    template, variables = parse(root.text), _by_name(root.variables)
    overridden: tuple[str, ...] = ()
    for child in children:
        template, overridden = _inherit(template, parse(child.text))
        variables |= _by_name(child.variables)
    text = str(template)
    _check_length(_TEXT, text)
    return ResolvedTemplate(text, tuple(variables.values()), len(children), overridden)


def _chain(
    versions: Mapping[TemplateKey, TemplateVersion], key: TemplateKey
) -> list[TemplateVersion]:
    """List the versions from the root to ``key``."""
    chain: dict[TemplateKey, TemplateVersion] = {}
    at: TemplateKey | None = key
    while at is not None:
        if at in chain:
            raise TemplateCycle("parent", "leads back to a template version of its own line")
        if at not in versions:
            raise InvalidInput("parent" if chain else "template_id", "is no known version")
        chain[at] = versions[at]
        at = versions[at].parent
    if len(chain) > MAX_INHERITANCE + 1:
        raise InvalidInput("parent", f"must be at most {MAX_INHERITANCE} levels below a root")
    return list(reversed(chain.values()))


def _inherit(parent: Template, child: Template) -> tuple[Template, tuple[str, ...]]:
    """Merge two texts and name the sections that the child replaces."""
    if not all(isinstance(p, Section) or (isinstance(p, str) and p.isspace()) for p in child.parts):
        return child, ()
    overrides = child.sections
    for name in overrides:
        if name not in parent.sections:
            raise InvalidInput(_TEXT, f"replaces section {shown(name)}, which its parent has not")
    parts = (overrides.get(p.name, p) if isinstance(p, Section) else p for p in parent.parts)
    return Template(tuple(parts)), tuple(overrides)


def check_acyclic(parents: Mapping[K, K]) -> None:
    """Raise TemplateCycle if following the parents from any key leads back to it."""
    cycle = find_cycle(parents)
    if cycle:
        raise TemplateCycle("parent", f"closes a cycle of {len(cycle)} template versions")


def find_cycle(parents: Mapping[K, K]) -> tuple[K, ...]:
    """Find the keys of one cycle, each before its parent; empty if there is none. Linear."""
    walk_of: dict[K, int] = {}
    for walk, start in enumerate(parents):
        key = start
        while key in parents and key not in walk_of:
            walk_of[key] = walk
            key = parents[key]
        if walk_of.get(key) == walk:
            cycle = [key]
            while (parent := parents[cycle[-1]]) != key:
                cycle.append(parent)
            return tuple(cycle)
    return ()


def text_diff_summary(old: str, new: str) -> str:
    """Say how many lines came and went, such as ``+12 -3 lines``. Linear: moved lines stay."""
    if old == new:
        return "no change"
    before, after = (Counter(text.splitlines(keepends=True)) for text in (old, new))
    added, removed = (after - before).total(), (before - after).total()
    return f"+{added} -{removed} lines" if added or removed else "lines moved"
