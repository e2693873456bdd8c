"""Names of people: they have no form, so who found them is elsewhere. Here they join the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from memgraph.domain.pii.findings import Finding

PERSON_NAME = "person_name"

Span = tuple[int, int]
"""Offsets of the first character and of that after the last."""


def with_names(text: str, findings: Sequence[Finding], names: Iterable[Span]) -> list[Finding]:
    """Findings with those of names; what is both counts by its form, the rest of it as a name.

    Both come sorted by offset and without overlaps, and so does the answer.
    """
    found = list(findings)
    first = 0
    for start, end in names:
        while first < len(findings) and findings[first].end <= start:
            first += 1
        found += _rest(text, start, end, findings, first)
    return sorted(found, key=lambda finding: finding.start)


def _rest(
    text: str, start: int, end: int, findings: Sequence[Finding], first: int
) -> Iterator[Finding]:
    """What of a name no finding from ``first`` on covers."""
    while first < len(findings) and findings[first].start < end:
        yield from _stripped(text, start, findings[first].start)
        start = findings[first].end
        first += 1
    yield from _stripped(text, start, end)


def _stripped(text: str, start: int, end: int) -> Iterator[Finding]:
    part = text[start:end]
    start += len(part) - len(part.lstrip())
    if part := part.strip():
        yield Finding(PERSON_NAME, start, start + len(part))
