"""Which template a text was made from."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from memgraph.domain.templates.matching import Matcher

SUPPORT = "You are a support agent for {{shop}}. Answer {{user}} politely."
TEMPLATES = [
    ("support@1.0.0", SUPPORT),
    (
        "support@1.1.0",
        "You are a support agent for {{shop}}. Answer {{user}} politely and briefly.",
    ),
    ("greeting@1.0.0", "{{greeting}}, how may I help you today?"),
    ("fixed@1.0.0", "Summarise this conversation."),
    ("short@1.0.0", "{{a}} or {{b}}"),
    ("parts@1.0.0", "Rules: {{#section tone}}be kind to {{who}}{{/section}}. Never guess."),
    ("broken@1.0.0", "{{ unclosed"),
]
MATCHER = Matcher(TEMPLATES)


def test_a_filled_template_is_told() -> None:
    match = MATCHER.match
    assert match("You are a support agent for Auster. Answer Ms K politely.") == "support@1.0.0"
    assert match("Good morning, how may I help you today?") == "greeting@1.0.0"
    assert match("  Summarise this conversation.\n") == "fixed@1.0.0"
    assert match("Rules: be kind to all. Never guess.") == "parts@1.0.0"


def test_the_one_that_says_most_fits_best() -> None:
    text = "You are a support agent for X. Answer Y politely and briefly."
    assert MATCHER.match(text) == "support@1.1.0"


def test_other_texts_fit_none() -> None:
    for text in (
        "",
        "tea or coffee",
        "Summarise this conversation. Now!",
        "You are a support agent",
    ):
        assert MATCHER.match(text) is None
    assert Matcher([]).match("x") is None


def test_the_ends_may_not_overlap() -> None:
    matcher = Matcher([("t@1.0.0", "abcdefghijkl{{x}}ghijklmnopqr")])
    assert matcher.match("abcdefghijklmnopqr") is None
    assert matcher.match("abcdefghijklghijklmnopqr") == "t@1.0.0"


@given(st.text(min_size=1), st.text(min_size=1))
def test_whatever_is_filled_in_is_told(shop: str, user: str) -> None:
    text = SUPPORT.replace("{{shop}}", shop).replace("{{user}}", user)
    assert MATCHER.match(text) in ("support@1.0.0", "support@1.1.0")


def test_hostile_texts_take_linear_time() -> None:
    matcher = Matcher([("t@1.0.0", "a" * 16 + "{{x}}".join(["ab"] * 50))])
    assert matcher.match("a" * 1_000_000) is None
