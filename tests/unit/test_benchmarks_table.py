"""The table of the benchmarks."""

from __future__ import annotations

from benchmarks.table import Line, ratio_line, render


def test_a_ratio_is_the_median_of_rounds() -> None:
    line = ratio_line("P1", "writer", "events/s", [(90, 100), (10, 100), (95, 100)], at_least=0.85)
    assert (line.ours, line.baseline, line.ratio) == (90, 100, 0.9)
    assert line.spread == (0.1, 0.95)
    assert line.verdict is True
    assert line.is_good


def test_a_ratio_may_have_an_upper_bound_or_none() -> None:
    slow = ratio_line("P6", "thread", "ms", [(14, 10)], at_most=1.3)
    assert slow.verdict is False
    assert not slow.is_good
    free = ratio_line("P1", "time", "us", [(14, 10)])
    assert free.verdict is None
    assert free.is_good


def test_losses_are_never_good() -> None:
    line = ratio_line("P1", "writer", "events/s", [(100, 100)], at_least=0.85, lost=1)
    assert line.verdict is True
    assert not line.is_good


def test_the_table_lines_up_and_says_notes_once() -> None:
    lines = [
        ratio_line("P1", "writer", "events/s", [(12345, 13000)], at_least=0.85, lost=0, note="two"),
        ratio_line("P1", "all", "events/s", [(1, 2)], at_least=0.85, lost=3, note="two"),
        Line("P12", "start", 4.25, "s", target="<= 15 s", verdict=True),
    ]
    text = render(lines).splitlines()
    cells = "P1 writer [1] 12,345 events/s 13,000 0.95 (0.95 to 0.95) ratio >= 0.85 met 0"
    assert " ".join(text[2].split()) == cells
    assert "MISSED" in text[3]
    assert text[3].endswith("3")
    assert "4.25 s" in text[4]
    assert text[-1] == "[1] two"
    assert sum("two" in row for row in text) == 1
    assert text[0].index("target") == text[3].index("ratio >=")
