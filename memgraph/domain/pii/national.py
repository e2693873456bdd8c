"""National identifiers: a table of the forms in which they are written, one entry for each.

A form that is easily something else (ten digits in a row) counts only after a word that names it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from memgraph.domain.pii import national_checks as checks
from memgraph.domain.pii.findings import Finding
from memgraph.domain.pii.view import View, words


class Digits(NamedTuple):
    """An identifier of digits only."""

    kind: str
    is_valid: Callable[[str], bool]
    alone: str
    """Shapes, parted by ``|``, that speak for themselves."""
    named: str
    """Shapes that need one of ``names`` before them."""
    names: str
    """A pattern: words for it in its country and in English."""


class Lettered(NamedTuple):
    """An identifier with letters in it."""

    kind: str
    is_valid: Callable[[str], bool]
    pattern: str
    names: str = ""
    """When not empty, one of these has to stand before it."""


DIGITS = (
    Digits(
        "us_ssn", checks.us_ssn, "3-2-4", "9|3 2 4", r"ssns?|social security\w*|social_security\w*"
    ),
    Digits("us_itin", checks.us_itin, "3-2-4", "9|3 2 4", r"itin|taxpayer\w*"),
    Digits(
        "ca_sin",
        checks.ca_sin,
        "",
        "9|3-3-3|3 3 3",
        r"sin|nas|social insurance\w*|assurance sociale",
    ),
    Digits("uk_nhs", checks.uk_nhs, "", "10|3 3 4|3-3-4", r"nhs|national health\w*|health service"),
    Digits(
        "de_tax_id",
        checks.de_tax_id,
        "2 3 3 3",
        "11",
        r"steuer\w*|idnr|tax id\w*|tin|identifikationsnummer",
    ),
    Digits("fr_nir", checks.fr_nir, "15|13 2|1 2 2 2 3 3 2|1-2-2-2-3-3-2|1.2.2.2.3.3.2", "", ""),
    Digits(
        "nl_bsn",
        checks.nl_bsn,
        "",
        "9|4.2.3|3 3 3|3.3.3|4 2 3",
        r"bsn|sofi\w*|burgerservice\w*|citizen service\w*",
    ),
    Digits(
        "be_national_number",
        checks.be_national_number,
        "2.2.2-3.2|2.2.2-3-2",
        "11|6-3-2|6 3 2",
        r"rijksregister\w*|registre national|national\w* (?:register|number|registry)|insz|niss|nn",
    ),
    Digits("pl_pesel", checks.pl_pesel, "", "11", r"pesel\w*"),
    Digits(
        "se_personal_number",
        checks.se_personal_number,
        "6-4|8-4",
        "10|12",
        r"person\w*|pnr|samordnings\w*",
    ),
    Digits("dk_cpr", checks.dk_cpr, "", "6-4|10|6 4", r"cpr\w*|personnummer|person number"),
    Digits(
        "no_birth_number",
        checks.no_birth_number,
        "6 5",
        "11",
        r"fødselsnummer|fnr|person\w*|national id\w*",
    ),
    Digits("ch_ahv", checks.ch_ahv, "3.4.4.2|3 4 4 2|13", "", ""),
    Digits(
        "at_insurance_number",
        checks.at_insurance_number,
        "",
        "10|4 6|4-6|4 2 2 2",
        r"svnr|sozialversicherung\w*|sv|versicherungsnummer|social insurance\w*",
    ),
    Digits(
        "pt_nif", checks.pt_nif, "", "9|3 3 3", r"nif|contribuinte|número fiscal|tax (?:id|number)"
    ),
    Digits("ro_cnp", checks.ro_cnp, "13", "", ""),
    Digits("cz_birth_number", checks.cz_birth_number, "6/4", "10", r"rodné číslo|rč|birth number"),
    Digits("bg_egn", checks.bg_egn, "", "10", r"егн|egn"),
    Digits("hr_oib", checks.hr_oib, "", "11", r"oib"),
    Digits(
        "tr_identity_number",
        checks.tr_identity_number,
        "",
        "11|3 3 3 2",
        r"tc|t\.c\.|tckn|kimlik\w*",
    ),
    Digits("br_cpf", checks.br_cpf, "3.3.3-2", "11|3 3 3 2|9-2", r"cpf"),
    Digits("au_tfn", checks.au_tfn, "", "9|3 3 3|3-3-3", r"tfn|tax file\w*"),
    Digits("au_medicare", checks.au_medicare, "", "10|4 5 1|4-5-1|11|4 5 2", r"medicare"),
    Digits("in_aadhaar", checks.in_aadhaar, "4 4 4|4-4-4", "12", r"aadha+r|uid\w*|आधार"),
    Digits(
        "kr_resident_number",
        checks.kr_resident_number,
        "6-7",
        "13",
        r"주민\w*|rrn|resident registration\w*",
    ),
    Digits(
        "jp_my_number",
        checks.jp_my_number,
        "",
        "12|4 4 4|4-4-4",
        r"my ?number|マイナンバー|個人番号",
    ),
    Digits("za_identity_number", checks.za_identity_number, "13|6 4 2 1|6 4 3", "", ""),
    Digits(
        "il_identity_number",
        checks.il_identity_number,
        "",
        "9",
        r"teudat zehut|israeli id\w*|ת\.?ז\.?",
    ),
)

_START = r"(?<![0-9A-Za-z_].)(?<![0-9A-Za-z_][-./].)"
"""Behind the first character, since a pattern that begins with a class is searched faster."""
_END = r"(?![0-9A-Za-z_]|[-./][0-9A-Za-z_])"

LETTERED = (
    Lettered(
        "uk_nino",
        checks.uk_nino,
        rf"[A-CEGHJ-PR-TW-Z]{_START}[A-CEGHJ-NPR-TW-Z] ?[0-9]{{2}} ?[0-9]{{2}} ?[0-9]{{2}} ?[A-D]",
    ),
    Lettered("es_dni", checks.es_dni, rf"[0-9]{_START}[0-9]{{7}}[ -]?[A-HJ-NP-TV-Z]"),
    Lettered("es_dni", checks.es_dni, rf"[XYZ]{_START}[ -]?[0-9]{{7}}[ -]?[A-HJ-NP-TV-Z]"),
    Lettered(
        "it_codice_fiscale",
        checks.it_codice_fiscale,
        rf"[A-Z]{_START}[A-Z]{{5}}[0-9LMNP-V]{{2}}[ABCDEHLMPRST][0-9LMNP-V]{{2}}"
        "[A-Z][0-9LMNP-V]{3}[A-Z]",
    ),
    Lettered(
        "fr_nir",
        checks.fr_nir,
        rf"[12]{_START} ?[0-9]{{2}} ?[0-9]{{2}} ?2[AB] ?[0-9]{{3}} ?[0-9]{{3}} ?[0-9]{{2}}",
    ),
    Lettered(
        "fi_hetu",
        checks.fi_hetu,
        rf"[0-3]{_START}[0-9][01][0-9]{{3}}[-+A-FU-Y][0-9]{{3}}[0-9A-FHJ-NPR-Y]",
    ),
    Lettered(
        "ie_pps",
        checks.ie_pps,
        rf"[0-9]{_START}[0-9]{{6}}[A-W][A-IW]?",
        r"pps\w*|personal public service\w*",
    ),
    Lettered("cl_rut", checks.cl_rut, rf"[0-9]{_START}[0-9]?\.[0-9]{{3}}\.[0-9]{{3}}-[0-9K]"),
    Lettered("cl_rut", checks.cl_rut, rf"[0-9]{_START}[0-9]{{6,7}}-[0-9K]", "rut|run"),
    Lettered(
        "mx_curp",
        checks.mx_curp,
        rf"[A-Z]{_START}[AEIOUX][A-Z]{{2}}[0-9]{{6}}[HMX][A-Z]{{5}}[0-9A-Z][0-9]",
    ),
    Lettered(
        "cn_resident_id",
        checks.cn_resident_id,
        rf"[1-9]{_START}[0-9]{{5}}(?:19|20)[0-9]{{2}}[01][0-9][0-3][0-9]{{4}}[0-9X]",
    ),
    Lettered("sg_nric", checks.sg_nric, rf"[STFGM]{_START}[0-9]{{7}}[A-Z]"),
)


class _Form(NamedTuple):
    kind: str
    is_valid: Callable[[str], bool]
    names: re.Pattern[str] | None


def _by_shape() -> dict[str, list[_Form]]:
    forms: dict[str, list[_Form]] = defaultdict(list)
    for entry in DIGITS:
        names = words(entry.names) if entry.names else None
        for shapes, needed in ((entry.alone, None), (entry.named, names)):
            for shape in filter(None, shapes.split("|")):
                forms[shape].append(_Form(entry.kind, entry.is_valid, needed))
    return dict(forms)


_FORMS = _by_shape()
_PATTERNS = tuple(
    (
        re.compile(entry.pattern + _END),
        _Form(entry.kind, entry.is_valid, words(entry.names) if entry.names else None),
    )
    for entry in LETTERED
)
_SEPARATORS = str.maketrans("", "", " .-+/")

NATIONAL_IDS = frozenset(entry.kind for entry in (*DIGITS, *LETTERED))


def find_national_ids(view: View) -> Iterator[Finding]:
    """Look at the numbers of a known shape, and for each form with letters."""
    if not view.is_dense:
        return
    for number in view.numbers:
        for form in _FORMS.get(number.shape, ()):
            if form.is_valid(number.digits) and _is_named(view, number.start, form):
                yield Finding(form.kind, number.start, number.end)
    for pattern, form in _PATTERNS:
        for match in pattern.finditer(view.text):
            is_valid = form.is_valid(match[0].translate(_SEPARATORS))
            if is_valid and _is_named(view, match.start(), form):
                yield Finding(form.kind, *match.span())


def _is_named(view: View, start: int, form: _Form) -> bool:
    return form.names is None or view.is_named(start, form.names)
