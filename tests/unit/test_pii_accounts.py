"""Bank accounts, payment cards and national identifiers: right digits count, others do not."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memgraph.domain.pii.iban import LENGTHS
from memgraph.domain.pii.national import DIGITS, LETTERED, NATIONAL_IDS
from tests.support.personal import found, nothing_in

IBANS = (
    """
GB82 WEST 1234 5698 7654 32|DE89370400440532013000|FR1420041010050500013M02606
NL91ABNA0417164300|CH9300762011623852957|NO9386011117947|MT84MALT011000012345MTLCAST001S
BE68 5390 0754 7034|ES91-2100-0418-4502-0005-1332|BR1800360305000010009795493C1
SA0380000000608010167519|IT60X0542811101000000123456|PL61109010140000071219812874
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

CARDS = (
    """
4111111111111111|4111 1111 1111 1111|4111-1111-1111-1111|4012888888881881
5555555555554444|5105 1051 0510 5100|2223003122003222|378282246310005|3782 822463 10005
371449635398431|6011111111111117|6011000990139424|30569309025904|3056 930902 5904
3530111333300000|6200000000000005|6759649826438453|2204240000000002
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

ALONE = {
    "us_ssn": ("078-05-1120", "536-90-4399"),
    "us_itin": ("912-70-1234",),
    "de_tax_id": ("86 095 742 719",),
    "fr_nir": ("255081416802538", "2 55 08 14 168 025 38", "2550814168025 38", "184052A12345682"),
    "be_national_number": ("85.07.30-033.28",),
    "se_personal_number": ("811228-9874", "19811228-9874"),
    "no_birth_number": ("151086 95088",),
    "ch_ahv": ("756.9217.0769.85", "7569217076985"),
    "ro_cnp": ("1630615123457",),
    "cz_birth_number": ("736028/5163",),
    "br_cpf": ("111.444.777-35", "529.982.247-25"),
    "in_aadhaar": ("2345 6789 0124", "2345-6789-0124"),
    "kr_resident_number": ("900101-1234568",),
    "za_identity_number": ("8001015009087",),
    "uk_nino": ("AB123456C", "AA 12 34 56 C", "JG 10 37 59 A"),
    "es_dni": ("12345678Z", "12345678-Z", "X1234567L", "Z-1234567-R"),
    "it_codice_fiscale": ("RSSMRA85T10A562S", "MRTMTT91D08F205J"),
    "fi_hetu": ("131052-308T", "010594Y9032"),
    "cl_rut": ("30.686.957-4", "12.345.678-5"),
    "mx_curp": ("HEGG560427MVZRRL04",),
    "cn_resident_id": ("11010519491231002X",),
    "sg_nric": ("S1234567D", "T1234567J", "F1234567N", "G1234567X", "M1234567K"),
}
NAMED = {
    "us_ssn": ("SSN 536904399", "social security number is 536 90 4399", '"ssn": "536904399"'),
    "ca_sin": ("SIN 046-454-286", "social insurance number: 046 454 286"),
    "uk_nhs": ("NHS number 943 476 5919", "nhs_number=9434765919"),
    "de_tax_id": ("Steuer-ID: 86095742719", "Steueridentifikationsnummer 86095742719"),
    "nl_bsn": ("BSN 111222333", "burgerservicenummer: 111222333"),
    "be_national_number": ("rijksregisternummer 85073003328",),
    "pl_pesel": ("PESEL: 44051401359",),
    "se_personal_number": ("personnummer 8112289874", "Personnummer: 198112289874"),
    "dk_cpr": ("CPR-nr. 211062-5629", "cpr 2110625629"),
    "no_birth_number": ("fødselsnummer 15108695088",),
    "at_insurance_number": ("SVNR 1237 010180", "Sozialversicherungsnummer: 1237010180"),
    "pt_nif": ("NIF 501964843", "contribuinte 501 964 843"),
    "cz_birth_number": ("rodné číslo 7360285163",),
    "bg_egn": ("ЕГН 7523169263",),
    "hr_oib": ("OIB: 33392005961",),
    "tr_identity_number": ("TC kimlik no: 17291716060",),
    "br_cpf": ("CPF 11144477735",),
    "au_tfn": ("TFN 123 456 782", "tax file number 123456782"),
    "au_medicare": ("Medicare 2123 45670 1",),
    "in_aadhaar": ("Aadhaar 234567890124",),
    "kr_resident_number": ("주민등록번호 9001011234568",),
    "jp_my_number": ("マイナンバー 123456789018", "My Number: 1234 5678 9018"),
    "il_identity_number": ("teudat zehut 123456782",),
    "ie_pps": ("PPS number 1234567T", "PPSN 1234567FA"),
    "cl_rut": ("RUT 12345678-5",),
}
WITHOUT_CHECK_DIGIT = {"us_ssn", "us_itin", "dk_cpr", "kr_resident_number", "uk_nino"}

NOTHING = (
    *(
        "123456782",
        "9434765919",
        "order 111222333",
        "invoice 44051401359",
        "12345678",
        "000-12-3456",
    ),
    *("666-12-3456", "536-00-4399", "536-90-0000", "BG123456C", "AB123456E", "1234-5678-9012-3456"),
    *(
        "0000 0000 0000 0000",
        "4111 1111 1111 1112",
        "9999999999999995",
        "GB00 WEST 1234 5698 7654 32",
    ),
    *(
        "XX82WEST12345698765432",
        "HAT4111111111111111",
        "4111111111111111a",
        "4111-1111-1111-1111-1",
    ),
    *(
        "order-4111111111111111",
        "/orders/4111111111111111",
        "41111111.11111111",
        "2024-05-20 15:00",
    ),
    *("811328-9874", "811228-9875", "202405151500", "1630615123458", "202405-2024", "10.0.0.0-1"),
    *("4532 0151 1283 036", "$4111111111111111", "0x4111111111111111", "99999999999999999999999"),
    *("3f786850e387550fdab836ed7e6dc881de23001b", "12345678A", "S1234567A", "X1234567A"),
    *("550e8400-e29b-41d4-a716-446655440000", "RSSMRA85T10A562T", "12.345.678-9", "1234567T"),
)


@pytest.mark.parametrize("iban", IBANS)
@pytest.mark.parametrize("around", ["{}", "IBAN: {}.", "to {} PLEASE, today", '{{"iban":"{}"}}'])
def test_an_iban_is_found_whole(iban: str, around: str) -> None:
    assert found(around.format(iban)) == [("iban", iban)]


@pytest.mark.parametrize("iban", IBANS)
def test_an_iban_with_another_digit_is_none(iban: str) -> None:
    assert all(("iban", changed) not in found(changed) for changed in with_another_digit(iban))


def test_an_iban_has_the_length_of_its_country() -> None:
    assert {len(i.replace(" ", "").replace("-", "")) - LENGTHS[i[:2]] for i in IBANS} == {0}
    nothing_in("DE8937040044053201300")
    nothing_in("DE893704004405320130001")


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("around", ["{}", "charge {}, exp 12/27", '{{"number":"{}"}}', "12 {} 34"])
def test_a_card_is_found_whole(card: str, around: str) -> None:
    assert ("card", card) in found(around.format(card))


def test_a_card_of_13_digits_needs_a_word() -> None:
    nothing_in("4222222222222")
    assert found("Visa card 4222222222222") == [("card", "4222222222222")]


@pytest.mark.parametrize("card", CARDS)
def test_a_card_with_another_digit_is_none(card: str) -> None:
    kinds = {kind for changed in with_another_digit(card) for kind, _ in found(changed)}
    assert "card" not in kinds


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("Visa ending in 7447", "7447"),
        ("credit card ending with **7447**", "7447"),
        ("card ends in: 7447.", "7447"),
        ("pay with your 7447 card", "7447"),
        ("the last four digits of the card are 7447", "7447"),
        ('{"source": "credit_card", "last_four": "7447"}', "7447"),
        ("Mastercard last 4: 7447", "7447"),
        ("card **** **** **** 7447", "7447"),
        ("card XXXX-XXXX-XXXX-7447", "7447"),
    ],
)
def test_the_last_digits_of_a_card_are_found(text: str, digits: str) -> None:
    assert found(text) == [("card_last_digits", digits)]


@pytest.mark.parametrize(
    "text",
    [
        "the 2024 card",
        "year ending in 2024",
        "last 4: 7447",
        "1 gift card of 1234 dollars",
        "card ending in 74471",
        "credit_card_7447",
        "my card has $7447.50",
        "ending in room 7447",
    ],
)
def test_other_four_digits_are_not_those_of_a_card(text: str) -> None:
    nothing_in(text)


def test_every_national_identifier_has_examples() -> None:
    assert ALONE.keys() | NAMED.keys() == NATIONAL_IDS
    assert {e.kind for e in DIGITS if e.alone} <= ALONE.keys()
    assert {e.kind for e in DIGITS if e.named} - {"us_itin"} <= NAMED.keys()
    assert {e.kind for e in LETTERED} <= ALONE.keys() | NAMED.keys()


@pytest.mark.parametrize(("kind", "written"), [(k, w) for k, ws in ALONE.items() for w in ws])
@pytest.mark.parametrize("around", ["{}", "It is {}.", '{{"id":"{}"}}', "{}, since 2024"])
def test_an_identifier_in_a_form_of_its_own(kind: str, written: str, around: str) -> None:
    assert found(around.format(written)) == [(kind, written)]


@pytest.mark.parametrize(("kind", "text"), [(k, t) for k, ts in NAMED.items() for t in ts])
def test_an_identifier_after_its_name(kind: str, text: str) -> None:
    [(found_kind, written)] = found(text)
    assert found_kind == kind
    assert text.rstrip('"').endswith(written)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (kind, text)
        for kind, texts in (*ALONE.items(), *NAMED.items())
        for text in texts
        if kind not in WITHOUT_CHECK_DIGIT
    ],
)
def test_an_identifier_with_another_digit_is_none(kind: str, text: str) -> None:
    """Nine of ten changes at least: some checks are modulo something that is not prime."""
    changed = list(with_another_digit(text))
    missed = [c for c in changed if kind in dict(found(c))]
    assert len(missed) <= len(changed) / 10, missed


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_looks_like_an_account(text: str) -> None:
    nothing_in(text)


@given(st.uuids())
@example(UUID("ee88a9ba-08d5-4ca6-9948-a650ff572b99"))
@example(UUID("662f66e4-ad80-4ceb-aaab-3380184bfca6"))
def test_a_uuid_is_nothing(uuid: UUID) -> None:
    nothing_in(str(uuid))
    nothing_in(str(uuid).upper())


def test_a_word_counts_in_its_line_and_not_far_away() -> None:
    nothing_in("BSN\n111222333")
    nothing_in("BSN " + "and so on " * 5 + "111222333")
    nothing_in("absn 111222333")


def with_another_digit(text: str) -> list[str]:
    """The text with one digit increased, for each digit."""
    return [
        f"{text[:i]}{(int(c) + 1) % 10}{text[i + 1 :]}" for i, c in enumerate(text) if c.isdecimal()
    ]
