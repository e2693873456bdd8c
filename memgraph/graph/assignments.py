"""How a property of a row is named, sent and set: for every statement that writes rows."""

from __future__ import annotations

import re

from memgraph.domain.schema import PropertySpec


def quoted(name: str) -> str:
    """A property name as Cypher reads it; promoted metadata keys may be anything."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) else f"`{name.replace('`', '``')}`"


def sent(declared: PropertySpec, prefix: str = "") -> str:
    """What a property of a row is to the server."""
    value = f"row.{quoted(prefix + declared.name)}"
    return f"datetime({value})" if declared.type == "datetime" else value


def assigned(variable: str, declared: PropertySpec) -> str:
    """Set a property to that of a row."""
    return f"{variable}.{quoted(declared.name)} = {sent(declared)}"
