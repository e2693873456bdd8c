"""Personal data and secrets in texts, by form and check digits. No model, no storage."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from memgraph.domain.pii.birth import DATE_OF_BIRTH, find_dates_of_birth
from memgraph.domain.pii.card import CARD, CARD_LAST_DIGITS, find_card_last_digits, find_cards
from memgraph.domain.pii.email import EMAIL, find_emails
from memgraph.domain.pii.findings import Finding, redact, without_overlaps
from memgraph.domain.pii.folding import fold
from memgraph.domain.pii.iban import IBAN, find_ibans
from memgraph.domain.pii.names import PERSON_NAME, with_names
from memgraph.domain.pii.national import NATIONAL_IDS, find_national_ids
from memgraph.domain.pii.network import IP_ADDRESS, find_ip_addresses
from memgraph.domain.pii.phone import PHONE, find_phones
from memgraph.domain.pii.secrets import API_KEY, JSON_WEB_TOKEN, PASSWORD, PRIVATE_KEY, find_secrets
from memgraph.domain.pii.view import LONG_WORD, View

__all__ = [
    "KINDS",
    "PERSON_NAME",
    "RECOGNISERS",
    "Finding",
    "Recogniser",
    "find",
    "redact",
    "with_names",
]


class Recogniser(NamedTuple):
    """One way to find some kinds, in time linear in the text however hostile it is."""

    kinds: frozenset[str]
    find: Callable[[View], Iterator[Finding]]


RECOGNISERS = (
    Recogniser(frozenset({PRIVATE_KEY, API_KEY, JSON_WEB_TOKEN, PASSWORD}), find_secrets),
    Recogniser(frozenset({EMAIL}), find_emails),
    Recogniser(frozenset({IBAN}), find_ibans),
    Recogniser(frozenset({CARD}), find_cards),
    Recogniser(NATIONAL_IDS, find_national_ids),
    Recogniser(frozenset({DATE_OF_BIRTH}), find_dates_of_birth),
    Recogniser(frozenset({PHONE}), find_phones),
    Recogniser(frozenset({IP_ADDRESS}), find_ip_addresses),
    Recogniser(frozenset({CARD_LAST_DIGITS}), find_card_last_digits),
)
"""The most specific first: of two findings of equal length the earlier one counts."""

SHORTEST = 6
"""Characters of the shortest finding, an e-mail address."""
_TELLING = re.compile(rf"[0-9@]|\S{{{LONG_WORD}}}")
"""Most texts hold no digit, no at sign and no long word, and so nothing."""

KINDS = frozenset(kind for recogniser in RECOGNISERS for kind in recogniser.kinds)
"""What is found by form; names come from a model, where there is one."""


def find(text: str) -> list[Finding]:
    """Find personal data and secrets, sorted by offset; of those that overlap the longest."""
    if text.isascii() and (len(text) < SHORTEST or not _TELLING.search(text)):
        return []
    folded = fold(text)
    view = View(folded.text)
    if not view.may_hold_any:
        return []
    found = [finding for recogniser in RECOGNISERS for finding in recogniser.find(view)]
    return [
        Finding(finding.kind, *folded.span(finding.start, finding.end))
        for finding in without_overlaps(found)
    ]
