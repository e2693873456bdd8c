# ruff: noqa: D103 # the names say which identifier it is
"""Whether the digits of a national identifier are right: one function for each.

They take letters and digits without separators, as many as the form has.
"""

from __future__ import annotations

import re

from memgraph.domain.pii.checksums import (
    is_date,
    is_short_date,
    luhn,
    mod_11_10,
    verhoeff,
    weighted,
)


def us_ssn(d: str) -> bool:
    """No check digit: areas, groups and serials that are never given."""
    return d[:3] not in ("000", "666") and d[0] != "9" and d[3:5] != "00" and d[5:] != "0000"


def us_itin(d: str) -> bool:
    group = int(d[3:5])
    return d[0] == "9" and (50 <= group <= 65 or (70 <= group <= 99 and group not in (89, 93)))


def uk_nhs(d: str) -> bool:
    return weighted(d, range(10, 0, -1)) % 11 == 0 and _mixed(d)


def uk_nino(s: str) -> bool:
    """No check digit: prefixes that are never given."""
    return s[:2] not in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ")


def de_tax_id(d: str) -> bool:
    """Of the first ten digits one stands there two or three times, the others at most once."""
    counts = sorted((d[:10].count(c) for c in set(d[:10])), reverse=True)
    return d[0] != "0" and counts[0] in (2, 3) and counts[1] == 1 and mod_11_10(d)


def fr_nir(s: str) -> bool:
    number = s[:13].replace("2A", "19").replace("2B", "18")
    month = int(s[3:5])
    return (
        s[0] in "12"
        and (1 <= month <= 12 or 20 <= month <= 42 or month >= 50)
        and number.isdecimal()
        and 97 - int(number) % 97 == int(s[13:])
    )


def es_dni(s: str) -> bool:
    """Also of foreigners, whose first letter stands for a digit."""
    number = int(s[:-1].translate({ord("X"): "0", ord("Y"): "1", ord("Z"): "2"}))
    return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] == s[-1]


def it_codice_fiscale(s: str) -> bool:
    total = 0
    for place, character in enumerate(s[:15]):
        value = int(character) if character.isdecimal() else ord(character) - ord("A")
        # Places count from one; in the odd ones letters and digits have values of their own.
        total += _ODD_VALUES[value] if place % 2 == 0 else value
    return chr(ord("A") + total % 26) == s[15]


_ODD_VALUES = (
    *(1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18),
    *(20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
)


def nl_bsn(d: str) -> bool:
    return weighted(d, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and _mixed(d)


def be_national_number(d: str) -> bool:
    remainders = (97 - int(prefix + d[:9]) % 97 for prefix in ("", "2"))
    return int(d[9:]) in remainders and int(d[2:4]) % 20 <= 12 and int(d[4:6]) <= 31


def pl_pesel(d: str) -> bool:
    """The month tells the century by multiples of twenty."""
    century = (1900, 2000, 2100, 2200, 1800)[int(d[2:4]) // 20]
    return (
        is_date(century + int(d[:2]), int(d[2:4]) % 20, int(d[4:6]))
        and weighted(d, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0
    )


def se_personal_number(d: str) -> bool:
    """A coordination number adds 60 to the day."""
    short, century = d[-10:], d[:-10]
    day = int(short[4:6])
    return (
        century in ("", "19", "20")
        and is_short_date(short[:2], short[2:4], f"{day - 60 if day > 60 else day}")
        and luhn(short)
    )


def dk_cpr(d: str) -> bool:
    """Numbers given since 2007 have no check digit."""
    return is_short_date(d[4:6], d[2:4], d[:2])


def no_birth_number(d: str) -> bool:
    day = int(d[:2])
    return (
        is_short_date(d[4:6], d[2:4], f"{day - 40 if day > 40 else day}")
        and weighted(d, (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % 11 == 0
        and weighted(d, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0
    )


def fi_hetu(s: str) -> bool:
    digits = re.sub("[^0-9]", "", s[:-1])
    return (
        is_short_date(digits[4:6], digits[2:4], digits[:2])
        and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(digits) % 31] == s[-1]
    )


def ch_ahv(d: str) -> bool:
    """The check digit of EAN-13."""
    return d.startswith("756") and weighted(d, (1, 3) * 6 + (1,)) % 10 == 0


def at_insurance_number(d: str) -> bool:
    check = weighted(d[:3] + d[4:], (3, 7, 9, 5, 8, 4, 2, 1, 6)) % 11
    return d[0] != "0" and check == int(d[3]) and 1 <= int(d[4:6]) <= 31


def pt_nif(d: str) -> bool:
    check = 11 - weighted(d, range(9, 1, -1)) % 11
    return d[0] in "1235689" and int(d[8]) == (0 if check > 9 else check)


def ro_cnp(d: str) -> bool:
    check = weighted(d, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11 % 10
    is_district = 1 <= int(d[7:9]) <= 52 or d[7:9] == "70"
    return (
        d[0] in "12345678"
        and is_district
        and is_short_date(d[1:3], d[3:5], d[5:7])
        and check == int(d[12])
    )


def cz_birth_number(d: str) -> bool:
    """Also of Slovakia; women add 50 to the month, 20 more when numbers run out."""
    month = int(d[2:4]) % 50 % 20
    return is_short_date(d[:2], f"{month}", d[4:6]) and int(d) % 11 == 0


def bg_egn(d: str) -> bool:
    month = int(d[2:4])
    check = weighted(d, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10
    return is_short_date(d[:2], f"{month % 20}", d[4:6]) and month < 53 and check == int(d[9])


def ie_pps(s: str) -> bool:
    total = weighted(s[:7], range(8, 1, -1))
    if len(s) == 9:
        total += 9 * (ord(s[8]) - ord("A") + 1)
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == s[7]


def tr_identity_number(d: str) -> bool:
    odd, even = sum(map(int, d[0:9:2])), sum(map(int, d[1:8:2]))
    return (
        d[0] != "0"
        and (odd * 7 - even) % 10 == int(d[9])
        and sum(map(int, d[:10])) % 10 == int(d[10])
    )


def br_cpf(d: str) -> bool:
    first = weighted(d, range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(d, range(11, 1, -1)) * 10 % 11 % 10
    return d[9:] == f"{first}{second}" and _mixed(d)


def cl_rut(s: str) -> bool:
    total = sum(int(c) * (2 + i % 6) for i, c in enumerate(reversed(s[:-1])))
    return "0K987654321"[total % 11] == s[-1]


def mx_curp(s: str) -> bool:
    alphabet = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"
    total = sum(alphabet.index(c) * (18 - i) for i, c in enumerate(s[:17]))
    return is_short_date(s[4:6], s[6:8], s[8:10]) and -total % 10 == int(s[17])


def ca_sin(d: str) -> bool:
    """What begins with 8 is a number of a business, with 0 an example."""
    return d[0] != "8" and luhn(d)


def au_tfn(d: str) -> bool:
    return weighted(d, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0 and _mixed(d)


def au_medicare(d: str) -> bool:
    return d[0] in "23456" and weighted(d, (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == int(d[8])


def in_aadhaar(d: str) -> bool:
    return d[0] in "23456789" and verhoeff(d) and d != d[::-1]


def cn_resident_id(s: str) -> bool:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return (
        s[0] in "12345689"
        and is_date(int(s[6:10]), int(s[10:12]), int(s[12:14]))
        and "10X98765432"[weighted(s[:17], weights) % 11] == s[17]
    )


def sg_nric(s: str) -> bool:
    total = weighted(s[1:8], (2, 7, 6, 5, 4, 3, 2)) + {"T": 4, "G": 4, "M": 3}.get(s[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "M": "XWUTRQPNJLK"}.get(s[0], "XWUTRQPNMLK")
    return letters[total % 11] == s[8]


def kr_resident_number(d: str) -> bool:
    """Numbers given since 2020 have no check digit, so only the date is looked at."""
    return d[6] in "12345678" and is_short_date(d[:2], d[2:4], d[4:6])


def jp_my_number(d: str) -> bool:
    remainder = weighted(d, (6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return int(d[11]) == (0 if remainder <= 1 else 11 - remainder) and _mixed(d)


def za_identity_number(d: str) -> bool:
    return is_short_date(d[:2], d[2:4], d[4:6]) and d[10] in "012" and luhn(d)


def hr_oib(d: str) -> bool:
    return mod_11_10(d) and _mixed(d)


def il_identity_number(d: str) -> bool:
    return luhn(d) and _mixed(d)


def _mixed(d: str) -> bool:
    """Digits that are all the same pass many checks and are nobody's."""
    return len(set(d)) > 1
