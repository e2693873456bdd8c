"""Dates of birth: dates shortly after, or right before, a word for birth."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memgraph.domain.pii.checksums import is_date
from memgraph.domain.pii.findings import Finding
from memgraph.domain.pii.view import View

DATE_OF_BIRTH = "date_of_birth"

_MONTHS = (
    "jan|ene|gen|sty|янв",
    "feb|fév|fev|luty|фев",
    "mar|mär|maa|мар",
    "apr|avr|abr|kwi|апр",
    "may|mai|mag|mei|maj|мая|май",
    "jun|juin|giu|cze|июн",
    "jul|juil|lug|lip|июл",
    "aug|aoû|aou|ago|sie|авг",
    "sep|set|wrz|сен",
    "oct|okt|out|ott|paź|окт",
    "nov|lis|ноя",
    "dec|dez|déc|dic|gru|дек",
)
_MONTH = rf"(?P<%s>{'|'.join(_MONTHS)})[^\W\d_]{{0,9}}\.?"
_YEAR = "(?:19|20)[0-9]{2}"
_AFTER = r"(?![0-9])"
_DATE = (
    rf"(?P<y1>{_YEAR})(?P<s1>[-./ ])(?P<m1>[0-9]{{1,2}})(?P=s1)(?P<d1>[0-9]{{1,2}}){_AFTER}"
    rf"|(?P<y2>{_YEAR}) ?[年년] ?(?P<m2>[0-9]{{1,2}}) ?[月월] ?(?P<d2>[0-9]{{1,2}}) ?[日일]"
    rf"|(?P<d3>[0-9]{{1,2}})(?P<s3>[-./ ])(?P<m3>[0-9]{{1,2}})(?P=s3)"
    rf"(?P<y3>{_YEAR}|[0-9]{{2}}){_AFTER}"
    rf"|(?P<d4>[0-9]{{1,2}})(?:st|nd|rd|th|er|º|\.)?[ -](?:of |de |den )?{_MONTH % 'm4'}"
    rf"[ ,-]{{1,2}}(?:de |del )?(?P<y4>{_YEAR}){_AFTER}"
    rf"|{_MONTH % 'm5'} (?P<d5>[0-9]{{1,2}})(?:st|nd|rd|th)?,? (?P<y5>{_YEAR}){_AFTER}"
    rf"|(?P<y6>{_YEAR})(?P<m6>[0-9]{{2}})(?P<d6>[0-9]{{2}}){_AFTER}"
)
DATE = re.compile(rf"(?<![^\W_])(?:{_DATE})", re.IGNORECASE)
_MOST = 32
"""Characters of the longest date."""

_STEMS = (
    *("birth", "born", "bday", "dob", "d.o.b", "geb", "naiss", "naci", "nasc", "nato", "nata"),
    *("urodz", "syntym"),
)
_STEMS_NOT_ASCII = (
    *("né", "född", "født", "fødsel", "födel", "doğum", "рожд", "родил"),
    *("出生", "生年月日", "誕生日", "생년월일"),
)
WORDS = re.compile(
    r"(?<![^\W_])(?:d\.?o\.?b\.?|(?:date[ _-]?of[ _-]?)?birth[ _-]?(?:day|date)?|bday|born"
    r"|geboren|geb\.|geburts(?:datum|tag)|geboorte(?:datum|dag)|(?:date de )?naissance|née?"
    r"|(?:fecha de )?nacimiento|nacid[oa]|(?:data de )?nascimento|nascid[oa]|(?:data di )?nascita"
    r"|nat[oa]|(?:data )?urodzeni\w{1,2}|urodzon[yae]|född|födelse\w{3,6}|født|fødsels\w{3,5}"
    r"|syntym\w{2,8}|doğum\w{0,8}|(?:дата )?рождени[яе]|родил\w{1,3})(?![^\W_]|\])"
    r"|出生(?:日期|年月日)?|生年月日|誕生日|생년월일",
    re.IGNORECASE,
)
_GAP = re.compile(r"[^0-9?!;{}]{0,40}")
_UNTIL = re.compile(r"[ ,]{0,2}[(:-]?[ ]?(?:is |was )?(?:my |the |his |her |their )?\Z")
_REACH = 40


def find_dates_of_birth(view: View) -> Iterator[Finding]:
    """Look after each word for birth, else right before it."""
    stems = _STEMS if view.text.isascii() else _STEMS + _STEMS_NOT_ASCII
    if not (view.has_digits and view.has_any(stems)):
        return
    for word in WORDS.finditer(view.text):
        date = _after(view.text, word.end()) or _before(view.text, word.start())
        if date and _is_day(date):
            yield Finding(DATE_OF_BIRTH, *date.span())


def _after(text: str, start: int) -> re.Match[str] | None:
    date = DATE.search(text, start, start + _REACH + _MOST)
    return date if date and _GAP.fullmatch(text, start, date.start()) else None


def _before(text: str, end: int) -> re.Match[str] | None:
    dates = [*DATE.finditer(text, max(0, end - _REACH), end)]
    return dates[-1] if dates and _UNTIL.match(text, dates[-1].end(), end) else None


def _is_day(match: re.Match[str]) -> bool:
    """Whether there is such a day, day and month in either order."""
    form = next(n for n in "123456" if match[f"d{n}"])
    year, month, day = (match[f"{part}{form}"] for part in "ymd")
    if len(year) == 2:
        year = f"19{year}"
    if not month.isdecimal():
        starts = (i for i, m in enumerate(_MONTHS, 1) if month.lower() in m.split("|"))
        return is_date(int(year), next(starts), int(day))
    numbers = int(year), int(month), int(day)
    return is_date(*numbers) or is_date(numbers[0], numbers[2], numbers[1])
