"""The wheel holds what the program needs and nothing else, and works without the checkout."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from memgraph import __version__
from memgraph.graph.migrations import load, migrations_directory
from memgraph.graph.queries import load_queries

ROOT = Path(__file__).parents[2]
DEPENDENCIES = sysconfig.get_path("purelib")
"""A path file there makes the checkout importable; it counts in this directory alone."""
EXPECTED = re.compile(
    r"memgraph/(?:[\w-]+/)*\w+\.py"
    r"|tasks/(?:\w+/)*\w+\.py"
    r"|memgraph/py\.typed"
    r"|memgraph/cypher/migrations/V\d+__\w+\.cypher"
    r"|memgraph/cypher/queries/\w+/\w+\.cypher"
    r"|memgraph/local/locks/[\w-]+\.lock"
    r"|memgraph/demo/\w+\.jsonl"
    r"|llm_memory_graph-[\w.]+\.dist-info/(?:METADATA|WHEEL|RECORD|entry_points\.txt"
    r"|licenses/LICENSE)"
)


def run(*command: object, cwd: Path) -> str:
    answer = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a release would build it: from the source distribution."""
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", str(target), str(ROOT)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (built,) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program directory of a fresh environment with the wheel, far from the checkout."""
    home = tmp_path_factory.mktemp("elsewhere")
    venv.create(home / "env", symlinks=True)
    python = home / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", python]
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=home)
    (packages,) = (home / "env" / "lib").glob("python*/site-packages")
    # Paths of a path file are taken as they are: path files in there are not read.
    (packages / "dependencies.pth").write_text(DEPENDENCIES)
    return python.parent


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_what_the_program_needs(names: set[str]) -> None:
    packaged = {f"memgraph/cypher/queries/{name}.cypher" for name in load_queries()}
    packaged |= {f"memgraph/cypher/migrations/{f.source}" for f in load(migrations_directory())}
    locks = (ROOT / "memgraph" / "local" / "locks").glob("*.lock")
    packaged |= {f"memgraph/local/locks/{path.name}" for path in locks}
    packaged |= {str(p.relative_to(ROOT)) for p in (ROOT / "memgraph").rglob("*.py")}
    assert packaged | {"memgraph/py.typed", "memgraph/demo/support_team.jsonl"} <= names
    assert len([name for name in names if name.endswith(".lock")]) >= 3


def test_the_wheel_holds_nothing_else(names: set[str]) -> None:
    assert [name for name in sorted(names) if not EXPECTED.fullmatch(name)] == []


def test_the_program_runs_from_the_wheel(elsewhere: Path, tmp_path: Path) -> None:
    help_text = run(elsewhere / "memgraph", "--help", cwd=tmp_path)
    assert all(command in help_text for command in ("demo", "ingest", "lineage", "up"))
    assert run(elsewhere / "memgraph", "--version", cwd=tmp_path).strip().endswith(__version__)
    assert run(elsewhere / "python", "-m", "memgraph", "--help", cwd=tmp_path) == help_text


def test_what_is_imported_is_the_wheel(elsewhere: Path, tmp_path: Path) -> None:
    script = "import memgraph, sys; print(memgraph.__file__); print(*sys.path, sep='\\n')"
    where, *path = run(elsewhere / "python", "-c", script, cwd=tmp_path).splitlines()
    assert Path(where).is_relative_to(elsewhere.parent)
    assert str(ROOT) not in path


def test_the_wheel_finds_its_files(elsewhere: Path, tmp_path: Path) -> None:
    script = """
import json
from importlib.resources import files
from memgraph.cli.stack import DEMO_FILE
from memgraph.graph.migrations import load, migrations_directory
from memgraph.graph.queries import load_queries

print(json.dumps({
    "queries": list(load_queries()),
    "migrations": [file.source for file in load(migrations_directory())],
    "demo": DEMO_FILE.is_file(),
    "locks": sorted(p.name for p in (files("memgraph.local") / "locks").iterdir()),
}))
"""
    found = json.loads(run(elsewhere / "python", "-c", script, cwd=tmp_path))
    assert found["queries"] == list(load_queries())
    assert found["migrations"] == [file.source for file in load(migrations_directory())]
    assert found["migrations"][0].startswith("V001__")
    assert found["demo"]
    assert "neo4j.lock" in found["locks"]
