"""What changed between two texts, in words."""

from __future__ import annotations

import re

import pytest
from hypothesis import given

from memgraph.domain.templates import (
    text_diff_summary,
)
from tests.support.templates import soups


class TestDiff:
    @pytest.mark.parametrize(
        ("old", "new", "summary"),
        [
            ("a\nb\n", "a\nb\n", "no change"),
            ("", "a\nb", "+2 -0 lines"),
            ("a\nb\nc\n", "a\nc\n", "+0 -1 lines"),
            ("a\nb\n", "a\nx\ny\n", "+2 -1 lines"),
            ("a\nb\n", "b\na\n", "lines moved"),
            ("a", "a\n", "+1 -1 lines"),
        ],
    )
    def test_summary(self, old: str, new: str, summary: str) -> None:
        assert text_diff_summary(old, new) == summary

    @given(soups, soups)
    def test_both_ways_are_mirror_images(self, old: str, new: str) -> None:
        forth, back = text_diff_summary(old, new), text_diff_summary(new, old)
        assert (forth == "no change") is (old == new)
        if found := re.fullmatch(r"\+(\d+) -(\d+) lines", forth):
            assert back == f"+{found[2]} -{found[1]} lines"
        else:
            assert back == forth

    def test_long_texts_end(self) -> None:
        assert text_diff_summary("a\n" * 500_000, "b\n" * 500_000) == "+500000 -500000 lines"
