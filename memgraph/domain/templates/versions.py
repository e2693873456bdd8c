"""Semantic versions of templates: order and bump."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from memgraph.domain.errors import InvalidInput

MAX_VERSION_PART = 65_535

_VERSION = re.compile(r"\.".join(["(0|[1-9][0-9]{0,4})"] * 3))


class VersionLevel(StrEnum):
    """The part of a version that a change raises."""

    MAJOR = "major"
    MINOR = "minor"
    PATCH = "patch"


@dataclass(frozen=True, slots=True, order=True)
class SemanticVersion:
    """MAJOR.MINOR.PATCH of Semantic Versioning 2.0, each part 0 to 65535, ordered."""

    major: int = 0
    minor: int = 0
    patch: int = 0

    def __post_init__(self) -> None:
        if not all(0 <= part <= MAX_VERSION_PART for part in (self.major, self.minor, self.patch)):
            raise InvalidInput("version", f"each part must be from 0 to {MAX_VERSION_PART}")

    @classmethod
    def parse(cls, text: str) -> SemanticVersion:
        """Read ``1.2.3``; leading zeros are refused, so each version has one spelling."""
        found = _VERSION.fullmatch(text)
        if found is None:
            raise InvalidInput("version", "must be MAJOR.MINOR.PATCH, such as 1.2.0")
        return cls(*map(int, found.groups()))

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    def bump(self, level: VersionLevel) -> SemanticVersion:
        """Raise one part and reset those after it."""
        raised = {
            VersionLevel.MAJOR: (self.major + 1, 0, 0),
            VersionLevel.MINOR: (self.major, self.minor + 1, 0),
            VersionLevel.PATCH: (self.major, self.minor, self.patch + 1),
        }
        return SemanticVersion(*raised[level])
