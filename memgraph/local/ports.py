"""Ports on the loopback address, chosen once per data directory and kept while free."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

LOOPBACK = "127.0.0.1"
PREFERRED: Mapping[str, int] = {"bolt": 7687, "http": 7474}
"""Ports tried first for a new data directory. Others get any free port."""


def is_free(port: int) -> bool:
    """Say whether a server could listen on the port now. Closing connections do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def any_free(taken: Iterable[int]) -> int:
    """Return a port that the system calls free and that is not in ``taken``."""
    avoid = set(taken)
    while True:
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in avoid:
            return port


class PortBook:
    """The ports of one data directory, kept in ``ports.json``."""

    def __init__(
        self,
        data_dir: Path,
        free: Callable[[int], bool] = is_free,
        asked: Mapping[str, int] | None = None,
    ) -> None:
        self._path = data_dir / "ports.json"
        self._free = free
        self._asked = asked or {}
        self._ports = self._load()

    def _load(self) -> dict[str, int]:
        try:
            kept = json.loads(self._path.read_text())
            return {str(name): int(port) for name, port in kept.items()}
        except (FileNotFoundError, ValueError, AttributeError, TypeError):
            return {}

    def choose(self, names: Iterable[str], *, fresh: bool = False) -> dict[str, int]:
        """Return a port per name: the one asked for, the kept one, a preferred one, or any free.

        ``fresh`` takes any that is free: one of the others could not be bound.
        """
        chosen: dict[str, int] = {}
        for name in names:
            others = {p for n, p in self._ports.items() if n != name} | set(chosen.values())
            known = (self._asked, self._ports, PREFERRED)
            wanted = [] if fresh else [ports.get(name) for ports in known]
            chosen[name] = next(
                (p for p in wanted if p and p not in others and self._free(p)), 0
            ) or any_free(others | set(filter(None, [self._ports.get(name)])))
        self._ports |= chosen
        self._path.write_text(json.dumps(self._ports, indent=1) + "\n")
        return chosen
