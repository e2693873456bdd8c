"""Semantic versions of templates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph.domain.errors import InvalidInput
from memgraph.domain.templates import (
    MAX_VERSION_PART,
    SemanticVersion,
    VersionLevel,
)
from tests.support.templates import CANARY


class TestSemanticVersion:
    parts = st.integers(0, MAX_VERSION_PART)
    versions = st.builds(SemanticVersion, parts, parts, parts)

    @given(versions)
    def test_text_round_trip(self, version: SemanticVersion) -> None:
        assert SemanticVersion.parse(str(version)) == version

    @given(parts, parts, parts)
    def test_every_text_has_one_spelling(self, major: int, minor: int, patch: int) -> None:
        text = f"{major}.{minor}.{patch}"
        assert str(SemanticVersion.parse(text)) == text

    @given(versions, st.sampled_from(VersionLevel))
    def test_bump_strictly_increases(self, version: SemanticVersion, level: VersionLevel) -> None:
        if getattr(version, level) == MAX_VERSION_PART:
            with pytest.raises(InvalidInput, match="65535"):
                version.bump(level)
        else:
            assert version.bump(level) > version

    @given(versions, versions, versions)
    def test_order_is_total(
        self, a: SemanticVersion, b: SemanticVersion, c: SemanticVersion
    ) -> None:
        assert (a < b) + (a == b) + (a > b) == 1
        if a <= b <= c:
            assert a <= c
        key = (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch)
        assert (a < b) is key

    def test_bump_resets_what_comes_after(self) -> None:
        version = SemanticVersion(1, 2, 3)
        assert [str(version.bump(level)) for level in VersionLevel] == ["2.0.0", "1.3.0", "1.2.4"]

    @pytest.mark.parametrize(
        "text",
        [
            *("", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.03", "1.2.3\n", " 1.2.3", "-1.2.3"),
            *("+1.2.3", "1.2.65536", "1.2.100000", "\u0661.2.3", "1.2.3-alpha", "1_0.2.3"),
            *(CANARY, "9" * 10_000),
        ],
    )
    def test_parse_refuses_without_an_echo(self, text: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            SemanticVersion.parse(text)
        assert caught.value.field == "version"
        assert CANARY not in str(caught.value)
        assert len(str(caught.value)) < 100

    @pytest.mark.parametrize("parts", [(-1, 0, 0), (0, 65_536, 0), (0, 0, -1)])
    def test_parts_are_bounded(self, parts: tuple[int, int, int]) -> None:
        with pytest.raises(InvalidInput):
            SemanticVersion(*parts)
