"""The client stands on its own: few dependencies, nothing of the service."""

from __future__ import annotations

import ast
import sys
import tomllib
from pathlib import Path

import memgraph_sdk
import pytest

ROOT = Path(__file__).parents[2] / "sdk"
SOURCES = sorted((ROOT / "memgraph_sdk").glob("*.py"))
GENERATED = {"arguments.py", "models.py"}
DECLARED = {"httpx2": "httpx2", "pydantic": "pydantic", "pydantic_core": "pydantic"}
"""What may be imported, and the dependency that brings it."""


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: p.name)
def test_a_source_imports_what_is_declared(path: Path) -> None:
    foreign = imported(path) - set(sys.stdlib_module_names) - {"memgraph_sdk"}
    assert foreign <= DECLARED.keys()
    assert path.name in GENERATED or len(path.read_text().splitlines()) <= 400


def test_the_dependencies_are_few() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {requirement.partition(">=")[0] for requirement in project["dependencies"]}
    assert names == set(DECLARED.values())


def test_it_is_typed() -> None:
    assert (ROOT / "memgraph_sdk" / "py.typed").is_file()
    assert all(hasattr(memgraph_sdk, name) for name in memgraph_sdk.__all__)
