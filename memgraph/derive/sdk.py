"""The types of the Python client, out of the operations: what its methods take and answer.

Bodies and query strings become typed dictionaries, so that an argument is checked where it is
written; answers become models that keep what they do not know, so that a client understands a
service that is newer than itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from keyword import iskeyword
from textwrap import wrap
from typing import Any

import orjson
from pydantic import BaseModel

from memgraph.api.application import operations
from memgraph.api.operations import API
from memgraph.api.schemas import components

Schema = Mapping[str, Any]

_WIDTH = 96
_TYPES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}
_HEAD = '''\
# ruff: noqa
# fmt: off
"""{purpose}

Made from the operations of the service by `python -m memgraph.derive`: do not edit.
"""

from __future__ import annotations

{imports}
'''


def client_modules() -> dict[str, str]:
    """The generated modules of the client by file name."""
    declared = [o for o in operations() if o.rule.startswith(API)]
    asked = {m for o in declared for m in (o.body, o.query) if m is not None}
    answered = {o.answers for o in declared if o.answers is not None}
    return {"arguments.py": _arguments(_schemas(asked)), "models.py": _models(_schemas(answered))}


def _schemas(models: Iterable[type[BaseModel]]) -> dict[str, Schema]:
    return dict(sorted(components(models).items()))


def _arguments(schemas: Mapping[str, Schema]) -> str:
    types = _Arguments(schemas)
    purpose = "What the methods of the client take: the fields of bodies and query strings."
    head = _HEAD.format(
        purpose=purpose,
        imports="from datetime import datetime\n"
        "from typing import Any, Literal, Required, TypeAlias, TypedDict",
    )
    return "\n\n".join([head, *types.definitions()])


def _models(schemas: Mapping[str, Schema]) -> str:
    head = _HEAD.format(
        purpose="What the service answers.",
        imports="from datetime import datetime\nfrom typing import Any\n\n"
        "from pydantic import Field\n\nfrom memgraph_sdk.result import Result",
    )
    return "\n\n".join([head, *_Models(schemas).definitions()])


class _Types:
    """Python types of JSON Schemas that may refer to each other."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self.schemas = schemas

    def type_of(self, schema: Schema) -> str:
        """The type of a value, as an annotation."""
        if "$ref" in schema:
            return self.named(schema["$ref"].rpartition("/")[2])
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return " | ".join(dict.fromkeys(map(self.type_of, schema[union])))
        if "const" in schema or "enum" in schema:
            return self.choice(schema.get("enum") or [schema["const"]])
        if schema.get("format") == "date-time":
            return self.time
        match schema.get("type"):
            case "array":
                return f"list[{self.type_of(schema.get('items', {}))}]"
            case "object":
                values = schema.get("additionalProperties")
                of = self.type_of(values) if isinstance(values, dict) else "Any"
                return f"dict[str, {of}]"
            case None:
                return "Any"
            case name:
                return _TYPES[name]

    def named(self, name: str) -> str:
        """The type that stands for a schema with a name."""
        schema = self.schemas[name]
        return name if "properties" in schema else self.type_of(schema)

    time = "datetime"

    def choice(self, values: list[Any]) -> str:
        """The type of a value out of a few."""
        raise NotImplementedError


class _Arguments(_Types):
    """Types of what is sent: as narrow as the service is."""

    time = "datetime | str"

    def named(self, name: str) -> str:
        return name if "enum" in self.schemas[name] else super().named(name)

    def choice(self, values: list[Any]) -> str:
        return f"Literal[{', '.join(map(_literal, values))}]"

    def definitions(self) -> Iterator[str]:
        for name, schema in self.schemas.items():
            if "enum" in schema:
                yield f"{name}: TypeAlias = {self.choice(schema['enum'])}\n"
            elif "properties" in schema:
                yield "\n".join(self._lines(name, schema)) + "\n"

    def _lines(self, name: str, schema: Schema) -> Iterator[str]:
        yield f"class {name}(TypedDict, total=False):"
        yield from _words(schema.get("description"))
        required = schema.get("required", ())
        for field, value in schema["properties"].items():
            kind = self.type_of(value)
            yield f"    {field}: {f'Required[{kind}]' if field in required else kind}"
            yield from _words(value.get("description"))


class _Models(_Types):
    """Types of what is answered: wide enough for words that a newer service knows."""

    def choice(self, values: list[Any]) -> str:
        return " | ".join(dict.fromkeys(type(value).__name__ for value in values))

    def definitions(self) -> Iterator[str]:
        for name, schema in self.schemas.items():
            if "properties" in schema:
                yield "\n".join(self._lines(name, schema)) + "\n"

    def _lines(self, name: str, schema: Schema) -> Iterator[str]:
        yield f"class {name}(Result):"
        yield from _words(schema.get("description"))
        required = schema.get("required", ())
        for field, value in schema["properties"].items():
            yield f"    {self._line(field, value, is_required=field in required)}"
            yield from _words(value.get("description"))

    def _line(self, field: str, value: Schema, *, is_required: bool) -> str:
        kind, default = self.type_of(value), value.get("default")
        if not is_required and default is None and kind != "Any" and not kind.endswith("None"):
            kind += " | None"
        if iskeyword(field):
            given = "" if is_required else f"{_literal(default)}, "
            return f'{field}_: {kind} = Field({given}alias="{field}")'
        return f"{field}: {kind}" if is_required else f"{field}: {kind} = {_literal(default)}"


def _literal(value: Any) -> str:
    return orjson.dumps(value).decode() if isinstance(value, str) else repr(value)


def _words(description: str | None) -> Iterator[str]:
    if description:
        text = " ".join(description.split()).replace("\\", "\\\\").replace('"""', "'''")
        first, *more = wrap(f'"""{text}"""', _WIDTH)
        yield f"    {first}"
        yield from (f"    {line}" for line in more)
