"""Payment cards: numbers of known issuers that pass Luhn, and the last digits of one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memgraph.domain.pii.checksums import luhn
from memgraph.domain.pii.findings import Finding
from memgraph.domain.pii.view import View, words

CARD = "card"
CARD_LAST_DIGITS = "card_last_digits"

_ISSUERS = (
    # first digits from, to, lengths
    ("4", "4", (13, 16, 19)),  # Visa
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),
    ("300", "305", (14, 16, 19)),  # Diners Club
    ("3095", "3095", (14, 16, 19)),
    ("36", "36", (14, 16, 19)),
    ("38", "39", (14, 16, 19)),
    ("3528", "3589", (16, 19)),  # JCB
    ("6011", "6011", (16, 19)),  # Discover
    ("644", "659", (16, 19)),
    ("62", "62", (16, 17, 18, 19)),  # UnionPay
    ("81", "82", (16,)),  # UnionPay, RuPay
    ("508", "508", (16,)),  # RuPay
    ("60", "60", (16,)),
    ("2200", "2204", (16, 19)),  # Mir
    ("5018", "5018", (16, 19)),  # Maestro
    ("5020", "5020", (16, 19)),
    ("5038", "5038", (16, 19)),
    ("5893", "5893", (16, 19)),
    ("6304", "6304", (16, 19)),
    ("6759", "6763", (16, 19)),
)
_SHAPES = frozenset(map(str, range(13, 20))) | {
    grouping.replace(" ", separator)
    for grouping in ("4 4 4 4", "4 4 4 4 3", "4 4 4 1", "4 6 5", "4 6 4", "6 13")
    for separator in " -."
}

_NAMED = words(r"\w{0,12}cards?|visa|pan|karte|carte|tarjeta|carta")
_CONTEXT = (
    *("card", "visa", "maestro", "amex", "american express", "discover", "credit", "debit"),
    *("karte", "carte", "carta", "cartão", "tarjeta", "kaart"),
)
FOUR_DIGITS = re.compile(r"[0-9](?<![0-9A-WYZa-wyz_$€£.,/#].)[0-9]{3}(?![0-9A-Za-z_]|[-.,:/][0-9])")
_LAST_OF = re.compile(
    r"(?:\bend(?:ing|s)(?: in| with)?[ :]{1,2}"
    r"|\blast[ _-]?(?:4|four)(?:[ _-]?(?:digits?|numbers?))?[^0-9\n.;]{1,24}"
    r"|[*xX•]{2,4}[ -]?)[*`\"'(]{0,3}\Z",
    re.IGNORECASE,
)
_OF_A_CARD = re.compile(r" (?:credit |debit )?(?:card|visa|mastercard|amex)\b", re.IGNORECASE)
_REACH = 48
_YEAR = re.compile(r"(?:19|20)[0-9]{2}")


def find_cards(view: View) -> Iterator[Finding]:
    """Look at the numbers that are as long as the cards of their issuer."""
    for number in view.numbers:
        if number.shape not in _SHAPES or not _is_card(number.digits):
            continue
        # So few digits have been out of use for long, and articles in shops have as many.
        if len(number.digits) > 13 or view.is_named(number.start, _NAMED):
            yield Finding(CARD, number.start, number.end)


def _is_card(digits: str) -> bool:
    return luhn(digits) and any(
        len(digits) in lengths and first <= digits[: len(first)] <= last
        for first, last, lengths in _ISSUERS
    )


def find_card_last_digits(view: View) -> Iterator[Finding]:
    """Look for four digits said to be the last ones, near a word for a card."""
    if not (FOUR_DIGITS.search(view.text) and view.has_any(_CONTEXT)):
        return
    for match in FOUR_DIGITS.finditer(view.text):
        start, end = match.span()
        before, after = view.text[max(0, start - _REACH) : start], view.text[end : end + _REACH]
        if _LAST_OF.search(before):
            nearby = f"{before}{after}".lower()
            is_of_a_card = any(word in nearby for word in _CONTEXT)
        else:
            is_of_a_card = bool(_OF_A_CARD.match(after)) and not _YEAR.match(match[0])
        if is_of_a_card:
            yield Finding(CARD_LAST_DIGITS, start, end)
