"""The table: ours, the baseline, their ratio, the target and what got lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

HEADINGS = ("", "what", "ours", "baseline", "ratio", "target", "verdict", "lost")
_LEFT = {0, 1, 5, 6}


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement. ``verdict`` is None where nothing is promised."""

    id: str
    what: str
    ours: float
    unit: str
    target: str = ""
    verdict: bool | None = None
    baseline: float | None = None
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    """Smallest and largest ratio of the rounds."""
    lost: int | None = None
    """Nodes and relationships expected less those found."""
    note: str = ""

    @property
    def is_good(self) -> bool:
        return self.verdict is not False and not self.lost


def ratio_line(
    id_: str,
    what: str,
    unit: str,
    rounds: Sequence[tuple[float, float]],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    lost: int | None = None,
    note: str = "",
) -> Line:
    """Make a line of rounds of (ours, baseline): medians, and the median of the ratios."""
    ratios = [ours / base for ours, base in rounds]
    ratio = median(ratios)
    target, verdict = "", None
    if at_least is not None:
        target, verdict = f"ratio >= {at_least:g}", ratio >= at_least
    if at_most is not None:
        target, verdict = f"ratio <= {at_most:g}", ratio <= at_most
    return Line(
        id_,
        what,
        ours=median(ours for ours, _ in rounds),
        unit=unit,
        target=target,
        verdict=verdict,
        baseline=median(base for _, base in rounds),
        ratio=ratio,
        spread=(min(ratios), max(ratios)),
        lost=lost,
        note=note,
    )


def render(lines: Sequence[Line]) -> str:
    """Render lines as a text table, notes below."""
    notes: list[str] = []
    rows = [HEADINGS, *(_cells(line, notes) for line in lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    text = []
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(width) if i in _LEFT else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
        if number == 0:
            text.append("  ".join("-" * width for width in widths))
    text += [f"[{number}] {note}" for number, note in enumerate(notes, 1)]
    return "\n".join(text)


def as_json(line: Line) -> dict[str, Any]:
    """A line as a JSON object."""
    return asdict(line)


def _cells(line: Line, notes: list[str]) -> tuple[str, ...]:
    mark = ""
    if line.note:
        if line.note not in notes:
            notes.append(line.note)
        mark = f" [{notes.index(line.note) + 1}]"
    verdict = "" if line.verdict is None else "met" if line.verdict else "MISSED"
    ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
    if line.spread is not None:
        ratio += f" ({line.spread[0]:.2f} to {line.spread[1]:.2f})"
    return (
        line.id,
        line.what + mark,
        f"{_number(line.ours)} {line.unit}",
        "" if line.baseline is None else _number(line.baseline),
        ratio,
        line.target,
        verdict,
        "" if line.lost is None else str(line.lost),
    )


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
