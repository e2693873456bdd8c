"""Sources stay small enough to read, documented where the linter does not look, and portable."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for room in ("memgraph", "tasks") for path in (ROOT / room).rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60
SHORT_BODY_LINES = 10
"""A method with a body up to this length may speak through its name and types."""

MACHINE_PATH = re.compile(r"(?<![\w.:/-])/(?:home|Users|root|work)/[\w.-]+")
"""A path that only exists on somebody's machine."""

every_source = pytest.mark.parametrize(
    "path", SOURCES, ids=[str(p.relative_to(ROOT)) for p in SOURCES]
)
Function = ast.FunctionDef | ast.AsyncFunctionDef


@every_source
def test_a_file_has_at_most_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_FILE_LINES


@every_source
def test_a_function_has_at_most_60_lines(path: Path) -> None:
    functions = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, Function)]
    assert [f.name for f in functions if lines(f, f) > MAX_FUNCTION_LINES] == []


def lines(first: ast.stmt, last: ast.stmt) -> int:
    """Lines from the first of one statement to the last of another."""
    return (last.end_lineno or 0) - first.lineno + 1


def protocol_methods() -> set[str]:
    """Methods that a protocol describes once for all that implement it."""
    found: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and "Protocol" in {
                ast.unparse(b) for b in node.bases
            }:
                found |= {f.name for f in node.body if isinstance(f, Function)}
    return found


DESCRIBED = protocol_methods()


@every_source
def test_public_classes_with_methods_and_longer_methods_are_documented(path: Path) -> None:
    """Ruff looks at modules and functions. Classes of fields and short methods need no words."""
    bare = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
            continue
        methods = [f for f in node.body if isinstance(f, Function)]
        if methods and not ast.get_docstring(node):
            bare.append(node.name)
        bare += [f"{node.name}.{f.name}" for f in methods if needs_words(f)]
    assert bare == []


def needs_words(method: Function) -> bool:
    is_short = lines(method.body[0], method.body[-1]) <= SHORT_BODY_LINES
    is_known = method.name.startswith("_") or method.name in DESCRIBED
    return not (is_short or is_known or ast.get_docstring(method))


def kept_files() -> list[Path]:
    """What belongs to the project: in version control or about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    files = (ROOT / name for name in answer.stdout.split("\0") if name)
    return [path for path in files if path.is_file()]


def test_no_file_names_a_place_on_a_machine() -> None:
    found = []
    for path in kept_files():
        text = path.read_bytes().decode(errors="ignore")
        found += [f"{path.relative_to(ROOT)}: {m[0]}" for m in MACHINE_PATH.finditer(text)]
    assert found == []


def test_no_source_leaves_a_mark_of_unfinished_work() -> None:
    marks = re.compile(r"\b(?:TODO|FIXME|XXX|HACK)\b")
    assert [p.name for p in SOURCES if marks.search(p.read_text())] == []
