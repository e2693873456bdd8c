"""Typed variables of a template: what is declared, and whether values fit."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

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

from memgraph.domain.errors import InvalidInput, shown
from memgraph.domain.values import MAX_DEPTH, MAX_INTEGER, MAX_TEXT_CHARS

MAX_PATTERN_CHARS = 512
MAX_CHECKED_CHARS = 10_000
"""Longest value that a pattern is tried on, and longest default, in characters."""

VariableType = Literal["string", "number", "integer", "boolean", "array", "object"]

NAME = r"[^\W\d](?:[\w.\- ]{0,126}[\w.\-])?"


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
        if not re.fullmatch(NAME, name):
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
                check_length("default", as_text(self.default), MAX_CHECKED_CHARS)
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
            text = as_text(value)
            check_length(field, text, MAX_CHECKED_CHARS)
            if not _matcher(self.pattern).isinstance_python(text):
                raise InvalidInput(field, "does not match the pattern of the variable")


def validate_bindings(
    variables: Iterable[VariableSpec], bindings: Mapping[str, Any]
) -> dict[str, Any]:
    """Check the values and fill in defaults. Optional variables without either stay out.

    Raises InvalidInput for the first problem: unknown names, then variables in their order.
    """
    specs = by_name(variables)
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


def by_name(variables: Iterable[VariableSpec]) -> dict[str, VariableSpec]:
    """Index variables by name. Raises InvalidInput when two share one."""
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


def as_text(value: object) -> str:
    """What a value reads like inside a text: a string as it is, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def check_length(field: str, text: str, limit: int = MAX_TEXT_CHARS) -> None:
    """Raise InvalidInput for ``field`` when ``text`` is longer than ``limit`` characters."""
    if len(text) > limit:
        raise InvalidInput(field, f"must have at most {limit} characters")
