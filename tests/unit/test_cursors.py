"""Cursors: what is sealed comes back, and nothing else does."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph.domain.errors import InvalidInput
from memgraph.domain.selection import Condition, Operator, Selection
from memgraph.services.cursors import Cursors, derive_key

CURSORS = Cursors(b"secret")
POSITIONS = st.lists(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False,
    allow_infinity=False) | st.text(st.characters(exclude_categories=["Cs"])),
    max_size=4,
)  # fmt: skip


def refused(
    cursor: str, tenant: str = "t", question: Any = "q", cursors: Cursors = CURSORS
) -> None:
    with pytest.raises(InvalidInput) as caught:
        cursors.open(tenant, question, cursor)
    assert caught.value.field == "cursor"


@given(position=POSITIONS)
def test_a_position_comes_back(position: list[Any]) -> None:
    cursor = CURSORS.seal("t", "q", position)
    assert CURSORS.open("t", "q", cursor) == position
    assert Cursors(b"secret").open("t", "q", cursor) == position


@given(position=POSITIONS, data=st.data())
def test_one_changed_character_is_noticed(position: list[Any], data: st.DataObject) -> None:
    cursor = CURSORS.seal("t", "q", position)
    place = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.characters().filter(lambda c: c != cursor[place]))
    refused(cursor[:place] + other + cursor[place + 1 :])
    refused(cursor[:place])


@given(text=st.text(max_size=100))
def test_any_text_is_refused(text: str) -> None:
    refused(text)


def test_it_is_that_of_one_question() -> None:
    cursor = CURSORS.seal("t", "q", [1])
    refused(cursor, tenant="u")
    refused(cursor, question="r")
    refused(cursor, cursors=Cursors(b"other"))
    # What is told apart is told apart wherever it is cut.
    refused(CURSORS.seal("tq", "", [1]), tenant="t", question="q")


def test_a_selection_is_a_question() -> None:
    one = Selection("prompt", (Condition("user_id", Operator.EQ, "u"),))
    same = Selection("prompt", (Condition("user_id", Operator.EQ, "u"),))
    other = Selection("prompt", (Condition("user_id", Operator.NE, "u"),))
    cursor = CURSORS.seal("t", one, ["p"])
    assert CURSORS.open("t", same, cursor) == ["p"]
    refused(cursor, question=other)


def test_the_key_is_derived_as_the_standard_says() -> None:
    # RFC 5869, A.1: the first 32 of 42 bytes.
    key = derive_key(
        bytes([0x0B] * 22),
        salt=bytes(range(13)),
        info=bytes(range(0xF0, 0xFA)),
    )
    expected = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
    assert key.hex() == expected
