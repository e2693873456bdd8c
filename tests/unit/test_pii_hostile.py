# ruff: noqa: RUF001 # disguised characters are what it is about
"""Whatever the text: no error, offsets that fit, nothing left after redaction, linear work."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
import re
import time
from collections.abc import Iterator
from re import _constants as codes  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memgraph.domain import pii
from memgraph.domain.pii import KINDS, RECOGNISERS, Finding, Recogniser, find, redact
from memgraph.domain.pii.findings import without_overlaps
from memgraph.domain.pii.folding import fold
from memgraph.domain.pii.view import View

TRUE = (
    *("joe@example.com", "+1 415 555 2671", "GB82 WEST 1234 5698 7654 32", "4111 1111 1111 1111"),
    *("card ending in 7447", "078-05-1120", "AB123456C", "192.0.2.44", "2001:db8::8a2e:370:7334"),
    *("password=hunter2", "AKIAIOSFODNN7EXAMPLE", "DOB: 1990-04-05", "BSN 111222333", "12345678Z"),
    *(
        "4１１1 1111 1111 1\u200b111",
        "(020) 7946 0958",
        "529.982.247-25",
        "\u0664\u0661\u0665-555-2671",
    ),
)
SOUP = st.text(
    st.sampled_from([*list("0123456789 .-/()+@:_aZé１\u200b–\n[]\"'=,$*x"), "٣", "界", "𝟗"])
)
TEXTS = st.lists(st.one_of(st.sampled_from(TRUE), SOUP, st.text(max_size=20))).map(" ".join)
GLUE = st.sampled_from([" ", ", ", "\n", "; ", " and ", '", "', " | ", ". "])

HOSTILE = (
    *(
        "1",
        "1 ",
        "11 ",
        "1-",
        "1.",
        "1/",
        "111 ",
        "1111 ",
        "1) ",
        "1 (",
        "+1 ",
        "(1",
        "0 ",
        "12345678 ",
    ),
    *(
        "a",
        "a@",
        "@",
        "a.",
        "a@a.",
        "a-a@",
        "@a-",
        "a@b.c ",
        "..",
        "1.1.1.1.",
        "::",
        "a:",
        "1:",
        "f::",
    ),
    *(
        "GB82",
        "GB82 ",
        "A1",
        "AB12 ",
        "DE89 3704 0044 0532 0130 01 ",
        "X1234567",
        "4111 1111 1111 1112 ",
    ),
    *(
        "eyJ",
        "eyJhbGciOiJI.",
        "sk-",
        "sk-aA1",
        "ghp_",
        "mg_a.",
        "://a:",
        "://",
        "-----BEGIN PRIVATE KEY-----",
    ),
    *("-----BEGIN ", "password", "password=", "password is ", "api_key: ", "bearer ", "token=a1"),
    *(
        "born ",
        "dob 1 ",
        "birth 1990-04-",
        "date of ",
        "1 jan ",
        "jan ",
        "jan 1 ",
        "née 5 avril ",
        "1990 ",
    ),
    *(
        "card ",
        "last 4 ",
        "ending in ",
        "****",
        "card 7447 ",
        "XXXX ",
        "visa ending in 744 ",
        "bsn 1234567 ",
    ),
    *(
        "phone ",
        "phone 1 ",
        "call 12345678 ",
        "\u200b",
        "1\u200b",
        "１",
        "\u2013",
        "1\u30fc",
        "[email]",
    ),
    *(
        "é",
        "界1",
        "ssn 536904399 ",
        "personnummer 8112289874 ",
        "2024-05-20 15:00 ",
        "\n",
        " ",
        "\t1",
    ),
)
SMALL, LARGE = 6_000, 48_000
MOST_GROWTH = 4 * LARGE / SMALL
"""Four times linear, half of quadratic."""
TRIES = 5


@pytest.mark.parametrize("recogniser", RECOGNISERS, ids=lambda r: sorted(r.kinds)[0])
def test_work_is_linear_in_hostile_text(recogniser: Recogniser) -> None:
    for unit in HOSTILE:
        growths = (
            took(recogniser, unit, LARGE) / took(recogniser, unit, SMALL) for _ in range(TRIES)
        )
        assert any(growth <= MOST_GROWTH for growth in growths), unit


def test_work_that_is_not_linear_would_be_noticed() -> None:
    slow = re.compile("a*b")
    quadratic = Recogniser(frozenset(), lambda view: slow.finditer(view.text))  # type: ignore[arg-type, return-value]
    assert took(quadratic, "a", LARGE) / took(quadratic, "a", SMALL) > MOST_GROWTH


def took(recogniser: Recogniser, unit: str, size: int) -> float:
    """Seconds of this thread."""
    # What starts a search is there once, so that no check beforehand saves the work.
    start = "1234567 bsn dob card phone 2024-05-20 1990 key "
    text = start + unit * (size // len(unit)) + " 7"
    before = time.thread_time()
    for _ in recogniser.find(View(fold(text).text)):
        pass
    return time.thread_time() - before + 1e-4


def patterns() -> Iterator[tuple[str, re.Pattern[str]]]:
    for module in pkgutil.iter_modules(pii.__path__):
        for name, value in vars(importlib.import_module(f"{pii.__name__}.{module.name}")).items():
            yield from ((f"{module.name}.{name}", p) for p in _patterns_of(value))


def _patterns_of(value: Any) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _patterns_of(item)
    elif isinstance(value, dict):
        yield from _patterns_of([*value.values()])


def backtracking(parsed: Any, depth: int = 1) -> int:
    """How often the innermost repeat may be tried anew; raises where nothing bounds it."""
    most = depth
    for code, arguments in parsed:
        if code in (codes.MAX_REPEAT, codes.MIN_REPEAT):
            _, upper, inside = arguments
            assert upper is not codes.MAXREPEAT, "may backtrack without bound"
            most = max(most, backtracking(inside, depth * max(1, upper)))
        elif code is codes.POSSESSIVE_REPEAT:
            most = max(most, backtracking(arguments[2], depth))
        elif code is codes.BRANCH:
            most = max(most, *(backtracking(branch, depth) for branch in arguments[1]))
        elif code is codes.SUBPATTERN:
            most = max(most, backtracking(arguments[-1], depth))
        elif code in (codes.ASSERT, codes.ASSERT_NOT):
            most = max(most, backtracking(arguments[1], depth))
    return most


def test_no_pattern_backtracks_without_bound() -> None:
    found = dict(patterns())
    assert len(found) >= 30
    for name, pattern in found.items():
        if "words" in name.lower() or name.startswith(
            ("national._FORMS", "national._PATTERNS", "phone._N")
        ):
            continue  # looked for in a short stretch before a number
        assert backtracking(parser.parse(pattern.pattern, pattern.flags)) <= 2_000, name


@given(TEXTS)
@example("")
@example("\ud800" + "1" * 20)
@example("𝟜𝟙𝟙𝟙 𝟙𝟙𝟙𝟙 𝟙𝟙𝟙𝟙 𝟙𝟙𝟙𝟙")
def test_any_text_is_read_and_offsets_fit(text: str) -> None:
    end = 0
    for finding in find(text):
        assert end <= finding.start < finding.end <= len(text)
        assert finding.kind in KINDS
        assert any(c.isalnum() for c in text[finding.start : finding.end])
        end = finding.end


@given(TEXTS)
def test_the_same_is_found_wherever_unseen_characters_are(text: str) -> None:
    folded = fold(text)
    again = "".join(f"{c}\u2060" for c in text)
    for kind, (start, end) in ((f.kind, (f.start, f.end)) for f in find(again)):
        assert not (start % 2), kind
        assert end % 2, kind
    assert [f.kind for f in find(again)] == [f.kind for f in find(text)]
    assert len(folded.text) + len(folded.gaps) == len(text)


@given(st.lists(st.tuples(st.sampled_from(TRUE), GLUE), min_size=1, max_size=6))
def test_after_redaction_nothing_is_left(parts: list[tuple[str, str]]) -> None:
    text = "".join(piece + glue for piece, glue in parts)
    found = find(text)
    assert len(found) >= 1
    redacted = redact(text, found)
    assert find(redacted) == []
    assert redacted.count("[") == len(found)


@given(
    st.lists(
        st.builds(
            lambda k, s, n: Finding(k, s, s + n),
            st.sampled_from("ab"),
            st.integers(0, 30),
            st.integers(1, 9),
        )
    )
)
def test_of_what_overlaps_the_longest_counts(findings: list[Finding]) -> None:
    chosen = without_overlaps(findings)
    assert all(a.end <= b.start for a, b in itertools.pairwise(chosen))
    assert set(chosen) <= set(findings)
    if findings:
        longest = max(f.end - f.start for f in findings)
        assert any(f.end - f.start == longest for f in chosen)


def test_redaction_names_the_kind_and_keeps_the_rest() -> None:
    text = "I am joe@example.com, pay 4111 1111 1111 1111."
    assert redact(text, find(text)) == "I am [email], pay [card]."
    assert redact("as it was", []) == "as it was"


@pytest.mark.parametrize(
    ("text", "kind", "written"),
    [
        (
            "４１１１　１１１１　１１１１　１１１１",
            "card",
            "４１１１　１１１１　１１１１　１１１１",
        ),
        (
            "x 4111\u200b1111\u200b1111\u200b1111\u200b.",
            "card",
            "4111\u200b1111\u200b1111\u200b1111",
        ),
        ("4111\u20131111\u20131111\u20131111", "card", "4111\u20131111\u20131111\u20131111"),
        ("٤١١١١١١١١١١١١١١١", "card", "٤١١١١١١١١١١١١١١١"),
        ("joe＠example．com", "email", "joe＠example．com"),
        ("jo\u00ade@exam\u200bple.com", "email", "jo\u00ade@exam\u200bple.com"),
        ("4️⃣1️⃣5️⃣-555-2671", "phone", "4️⃣1️⃣5️⃣-555-2671"),
        ("\u202e078\u201105\u20111120", "us_ssn", "078\u201105\u20111120"),
    ],
)
def test_disguised_characters_are_seen_through(text: str, kind: str, written: str) -> None:
    [finding] = find(text)
    assert (finding.kind, text[finding.start : finding.end]) == (kind, written)
