"""What was found in a text, which of what overlaps counts, and the text without it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Personal data or a secret between two offsets of the text that was given."""

    kind: str
    start: int
    end: int


def without_overlaps(findings: Iterable[Finding]) -> list[Finding]:
    """The longest of those that overlap, of equally long ones the first; sorted by offset."""
    chosen: list[Finding] = []
    for finding in sorted(findings, key=lambda f: f.start - f.end):
        place = bisect_left(chosen, finding.start, key=lambda f: f.start)
        is_after = place == 0 or chosen[place - 1].end <= finding.start
        if is_after and (place == len(chosen) or finding.end <= chosen[place].start):
            chosen.insert(place, finding)
    return chosen


def redact(text: str, findings: Iterable[Finding]) -> str:
    """The text with ``[kind]`` in the place of each finding.

    ``findings`` are those of ``find`` for this text: sorted and without overlaps.
    """
    parts: list[str] = []
    end = 0
    for finding in findings:
        parts += text[end : finding.start], f"[{finding.kind}]"
        end = finding.end
    return "".join((*parts, text[end:]))
