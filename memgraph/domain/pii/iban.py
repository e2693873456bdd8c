"""International bank account numbers (ISO 13616): length by country, check digits mod 97."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memgraph.domain.pii.checksums import mod_97_10
from memgraph.domain.pii.findings import Finding
from memgraph.domain.pii.view import View

IBAN = "iban"

LENGTHS = {
    country: int(length)
    for length, countries in {
        "15": "NO",
        "16": "BE",
        "18": "DK FI FK FO GL NL SD",
        "19": "MK SI",
        "20": "AT BA EE KZ LT LU MN XK",
        "21": "CH HR LI LV",
        "22": "BG BH CR DE GB GE IE ME RS VA",
        "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG",
        "25": "LY PT ST",
        "26": "IS TR",
        "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HN HU LB NI PL SV",
        "29": "BR EG PS QA UA",
        "30": "JO KW MU YE",
        "31": "MT SC",
        "32": "LC",
        "33": "RU",
    }.items()
    for country in countries.split()
}
"""The registry of SWIFT, release 99."""

BEGINNING = re.compile(
    r"[A-Za-z](?<![0-9A-Za-z].)(?<![0-9A-Za-z][-_./].)[A-Za-z][0-9]{2}(?=[ -]?[0-9A-Za-z])"
)
_REST = re.compile(
    r"[0-9A-Za-z]{11,29}|(?P<s>[ -])[0-9A-Za-z]{4}(?:(?P=s)[0-9A-Za-z]{4}){1,6}"
    r"(?:(?P=s)[0-9A-Za-z]{1,3})?"
)
"""In one piece or in groups of four."""


def find_ibans(view: View) -> Iterator[Finding]:
    """Look for a country and two digits, and cut at the length of the country."""
    if not view.is_dense:
        return
    for beginning in BEGINNING.finditer(view.text):
        length = LENGTHS.get(beginning[0][:2].upper())
        rest = _REST.match(view.text, beginning.end()) if length else None
        if length and rest:
            end = _end(view.text, beginning.start(), rest.end(), length)
            if end:
                yield Finding(IBAN, beginning.start(), end)


def _end(text: str, start: int, most: int, length: int) -> int:
    """Where the account number ends; 0 when its check digits are wrong."""
    places = [i for i in range(start, most) if text[i] not in " -"][:length]
    number = "".join(text[i] for i in places).upper()
    end = places[-1] + 1
    is_whole = len(number) == length and not text[end : end + 1].isalnum()
    return end if is_whole and mod_97_10(number[4:] + number[:4]) else 0
