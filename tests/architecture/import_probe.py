"""Import the modules named on standard input, and print what that did besides.

Run as a script in a process of its own. Watched are connections, processes, threads,
files that are written, and the environment.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

WATCHED = {
    "socket.connect",
    "socket.bind",
    "socket.getaddrinfo",
    "subprocess.Popen",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.mkdir",
    "os.remove",
    "os.putenv",
}
acts: list[str] = []


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook (PEP 578)."""
    # The driver of Neo4j imports numpy where it is installed, which sets and removes these.
    if event == "os.putenv" and b"BLAS_MAIN_FREE" in arguments[0]:
        return
    if event in WATCHED or (event == "open" and writes(*arguments)):
        acts.append(f"{event} {arguments[:2]}")


def writes(path: object, mode: object, _flags: int) -> bool:
    # The interpreter keeps what it compiled.
    return isinstance(mode, str) and bool(set(mode) & set("wxa+")) and ".pyc" not in str(path)


class Environment(type(os.environ)):  # type: ignore[misc]
    """Notes what our modules read, and what anybody reads of ours."""

    def __getitem__(self, name: str) -> str:
        note(name, sys._getframe(1))
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        note("all names", sys._getframe(1))
        return super().__iter__()


def note(name: str, frame: FrameType | None) -> None:
    """The caller is the first that is no part of ``os`` itself."""
    while frame and frame.f_globals["__name__"] in ("os", "_collections_abc", "collections.abc"):
        frame = frame.f_back
    caller = frame.f_globals["__name__"] if frame else ""
    if caller.partition(".")[0] == "memgraph" or str(name).startswith("MEMGRAPH_"):
        acts.append(f"{caller} reads {name} of the environment")


def start(thread: threading.Thread) -> None:
    acts.append(f"thread {thread.name} starts")


if __name__ == "__main__":
    names = json.load(sys.stdin)
    os.environ.__class__ = Environment
    threading.Thread.start = start  # type: ignore[method-assign]
    sys.addaudithook(watch)
    for name in names:
        importlib.import_module(name)
    print(json.dumps(acts))
