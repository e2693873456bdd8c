"""What recognisers of personal data find in a text, as tests compare it."""

from __future__ import annotations

from memgraph.domain.pii import find


def found(text: str) -> list[tuple[str, str]]:
    """Kinds and what they were found in."""
    return [(finding.kind, text[finding.start : finding.end]) for finding in find(text)]


def nothing_in(text: str) -> None:
    """Neither alone nor inside of a sentence."""
    assert found(text) == []
    assert found(f"It was {text} yesterday.") == []
