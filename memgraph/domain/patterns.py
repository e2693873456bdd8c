"""Regular expressions in JSON Schemas: from the dialect of pydantic to that of ECMA-262."""

from __future__ import annotations

from typing import Any

_DIALECT = (("(?s)", ""), (r"\A", "^"), (r"\z", "$"))
"""As far as our patterns go."""


def portable(schema: Any) -> Any:
    """The same schema with regular expressions that every validator reads."""
    if isinstance(schema, list):
        return [portable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: portable(value) for name, value in schema.items()}
    pattern = found.get("pattern")
    if isinstance(pattern, str):
        for ours, theirs in _DIALECT:
            pattern = pattern.replace(ours, theirs)
        found["pattern"] = pattern
    return found
