"""Check digits, and the dates inside of identifiers. Digits are ASCII."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = sum(map(int, digits[-1::-2]))
    return (total + sum(_DOUBLED[int(d)] for d in digits[-2::-2])) % 10 == 0


_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def weighted(digits: str, weights: Sequence[int]) -> int:
    """The sum of digits times weights, as far as there are weights."""
    return sum(int(d) * w for d, w in zip(digits, weights, strict=False))


def mod_97_10(letters_and_digits: str) -> bool:
    """ISO/IEC 7064, letters counting from A = 10."""
    return int("".join(str(int(c, 36)) for c in letters_and_digits)) % 97 == 1


def mod_11_10(digits: str) -> bool:
    """ISO/IEC 7064, as in German and Croatian tax numbers."""
    product = 10
    for digit in digits[:-1]:
        product = ((product + int(digit)) % 10 or 10) * 2 % 11
    return (product + int(digits[-1])) % 10 == 1


def verhoeff(digits: str) -> bool:
    """The scheme of Verhoeff (1969), over the dihedral group of the pentagon."""
    check = 0
    for position, digit in enumerate(reversed(digits)):
        check = _PRODUCTS[check][_PERMUTATIONS[position % 8][int(digit)]]
    return check == 0


def _dihedral(a: int, b: int) -> int:
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def _permutations() -> list[list[int]]:
    rows = [list(range(10)), [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]]
    while len(rows) < 8:
        rows.append([rows[1][digit] for digit in rows[-1]])
    return rows


_PRODUCTS = [[_dihedral(a, b) for b in range(10)] for a in range(10)]
_PERMUTATIONS = _permutations()


def is_date(year: int, month: int, day: int) -> bool:
    """Whether there is such a day."""
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def is_short_date(year: str, month: str, day: str) -> bool:
    """Whether there is such a day in the 20th or the 21st century; the year has two digits."""
    return any(is_date(century + int(year), int(month), int(day)) for century in (1900, 2000))
