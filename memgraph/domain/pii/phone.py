"""Telephone numbers: international (E.164), national where the form says so, or after a word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from memgraph.domain.pii.findings import Finding
from memgraph.domain.pii.view import Number, View, words

PHONE = "phone"

_CALLING_CODE = re.compile(
    r"1|7|2(?:0|7|[1-689][0-9])|3(?:[0-469]|[578][0-9])|4(?:[013-9]|2[0-9])"
    r"|5(?:[1-8]|[09][0-9])|6(?:[0-6]|[789][0-9])|8(?:[1246]|[058][0-9]|7[08])"
    r"|9(?:[0-58]|[679][0-9])"
)
"""ITU-T E.164, the zones in use."""
_LENGTHS = range(8, 16)
_EXACT_LENGTHS = {
    code: length
    for length, codes in ((10, "45 47 65"), (11, "1 7 31 33 34 41 48 61"), (12, "44 82 90 91"))
    for code in codes.split()
}
"""Of mobile numbers and nearly all others, the calling code included."""

_NORTH_AMERICAN = re.compile(r"(?:1(?:[-. ]| \())?3(?:(?P<s>[-. ])3(?P=s)|\)[- ]?3[-. ])4")
_AREA_IN_PARENTHESES = re.compile(r"[2-5]\)[- ]?(?:[4-8]|[3-5][- ][2-5](?:[- ][2-4])?)")
_TRUNK = re.compile(
    r"[2-5](?:[-/ ]|\)[- ]?| - )(?:[4-9]|[2-4](?P<s>[- ])[2-4](?:(?P=s)[2-4])?)"
    r"|2(?P<t>[-. ])2(?:(?P=t)2){3}"
    r"|4[-. ]2(?P<u>[-. ])2(?P=u)2"
)
"""As in 030 123456, 020 7946 0958, 01 23 45 67 89 and 0478 12 34 56."""
_DATE = re.compile(r"(?:4[-./]2[-./]2|2[-./]2[-./]4)(?![0-9])")
_CONTINUES = re.compile(r"(?<![0-9])(?:9|1[0-9])[^0-9]")
"""After so many digits in one group another group is another number."""

_NAMED = words(
    r"(?:tele|cell|mobile )?phone(?: ?(?:no|number|nr))?|tel|tél|mobile|cell|fax|whatsapp|sms|call"
    r"|dial|text me|telefon\w{0,8}|tel[eé]fono|téléphone|telefone|celular|móvil|cellulare|portable"
    r"|handy|rufnummer|mobil\w{0,4}|телефон\w{0,3}|电话|手机|電話|携帯|전화"
)
_NAME_STEMS = (
    *("phone", "tel", "tél", "mobil", "cell", "fax", "whatsapp", "sms", "call", "dial", "text me"),
    *("celular", "móvil", "portable", "handy", "rufnummer", "телефон"),
    *("电话", "手机", "電話", "携帯", "전화"),
)
_NOT_NAMED = words(
    r"order|invoice|ticket|tracking|reference|ref|id|case|account|confirmation|booking|transaction"
    r"|serial|zip|amount|timestamp|reservation|flight"
)
_NAME_REACH = 24


def find_phones(view: View) -> Iterator[Finding]:
    """Look at the numbers that neither are dates nor go on after a long group."""
    has_names = bool(view.numbers) and view.has_any(_NAME_STEMS)
    for number in view.numbers:
        if not _may_be_phone(number.shape):
            continue
        before = view.text[max(0, number.start - 1) : number.start]
        if before == " " and view.text[max(0, number.start - 2)].isdecimal():
            before = "0"  # what follows may be the rest of a longer number
        if before == "(" and ")" not in number.shape[:3]:
            before = ""  # the parenthesis is around more than an area code
        is_phone = before != "#" and (
            _is_international(number, before)
            or _is_national(number, before)
            or (has_names and _is_named(view, number))
        )
        if is_phone:
            yield Finding(PHONE, number.start - (before in ("+", "(")), number.end)


@lru_cache(maxsize=4096)
def _may_be_phone(shape: str) -> bool:
    return not (_DATE.match(shape) or _CONTINUES.search(shape))


def _is_international(number: Number, before: str) -> bool:
    digits = number.digits
    if before != "+":
        # The prefix of international calls, as most countries dial it.
        if not digits.startswith("00") or re.match("1?[0-9]$|1[^0-9]", number.shape):
            return False
        digits = digits[2:]
    if len(digits) not in _LENGTHS or not _CALLING_CODE.match(digits):
        return False
    exact = _EXACT_LENGTHS.get(digits[0]) or _EXACT_LENGTHS.get(digits[:2])
    # A trunk zero is written in parentheses, though nobody abroad dials it.
    return exact is None or len(digits) == exact + ("(1)" in number.shape)


def _is_national(number: Number, before: str) -> bool:
    digits, shape = number.digits, number.shape
    opens = before == "("
    if _NORTH_AMERICAN.fullmatch(shape) and opens == shape.startswith("3)"):
        area, exchange = digits[-10], digits[-7]
        return area >= "2" and exchange >= "2" and (len(digits) == 10 or digits[0] == "1")
    has_trunk = digits[0] == "0" and digits[1] != "0" and before != "0"
    if opens:
        is_area = has_trunk or shape[0] == "2"
        is_whole = len(digits) < 12 and _AREA_IN_PARENTHESES.fullmatch(shape) is not None
        return is_area and is_whole
    return has_trunk and 9 <= len(digits) <= 12 and _TRUNK.fullmatch(shape) is not None


def _is_named(view: View, number: Number) -> bool:
    if len(number.digits) >= _LENGTHS.stop:
        return False
    before = view.text[max(0, number.start - _NAME_REACH) : number.start].rpartition("\n")[2]
    named = [*_NAMED.finditer(before)]
    # The nearest word counts: "call about order 12345678" is about an order.
    return bool(named) and not _NOT_NAMED.search(before, named[-1].end())
