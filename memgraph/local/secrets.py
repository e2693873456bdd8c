"""Generated passwords of the local servers, one 0600 file each."""

from __future__ import annotations

import secrets
from pathlib import Path

from memgraph.local.state import write_private


def kept_secret(path: Path) -> str:
    """Return the secret in a file; generate it the first time."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_private(path, secrets.token_urlsafe(24))
    return path.read_text().strip()
