"""Imports point down, and importing does nothing: no connection, no environment, no thread."""

from __future__ import annotations

import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import memgraph

ROOT = Path(__file__).parents[2]
PROBE = Path(__file__).with_name("import_probe.py")
MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(memgraph.__path__, "memgraph.")
    if not found.name.endswith("__main__")  # running is what they are for
)


def probe(modules: list[str], **environment: str) -> list[str]:
    """What importing ``modules`` in a fresh process did besides."""
    answer = subprocess.run(
        [sys.executable, "-W", "error", PROBE],
        input=json.dumps(modules),
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr
    acts: list[str] = json.loads(answer.stdout)
    return acts


def test_every_module_is_probed() -> None:
    assert {"memgraph.settings", "memgraph.bootstrap", "memgraph.local.stack"} <= set(MODULES)


def test_importing_does_nothing() -> None:
    # A password that nobody may look at before it is asked for.
    assert probe(MODULES, MEMGRAPH_NEO4J__PASSWORD="of-nobody") == []


@pytest.mark.parametrize(
    ("source", "act"),
    [
        ("import os; os.environ.get('HOME')", "memgraph reads HOME"),
        ("import os; dict(os.environ)", "memgraph reads all names"),
        ("import os; name = os.getenv('MEMGRAPH_TENANT')", "reads MEMGRAPH_TENANT"),
        ("import threading; threading.Thread(name='loop').start()", "thread loop starts"),
        ("import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('', 9))", "socket.connect"),
        ("import subprocess, sys; subprocess.run([sys.executable, '-c', ''])", "subprocess.Popen"),
        ("open('left-behind', 'w').close()", "open"),
    ],
)
def test_the_probe_notices(
    source: str, act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "memgraph.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    acts = probe(["memgraph"], PYTHONPATH=str(tmp_path), PYTHONWARNINGS="ignore")
    assert any(act in told for told in acts), acts


def test_every_module_can_be_imported_first() -> None:
    """No module needs that another one was imported before: there are no hidden cycles."""
    script = """
import importlib, sys
for name in sys.argv[1:]:
    for loaded in [m for m in sys.modules if m.partition(".")[0] == "memgraph"]:
        del sys.modules[loaded]
    importlib.import_module(name)
"""
    command = [sys.executable, "-W", "error", "-c", script, *MODULES]
    subprocess.run(command, check=True, timeout=300)


def test_imports_point_down() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stdout + answer.stderr
