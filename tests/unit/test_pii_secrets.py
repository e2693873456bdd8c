"""Keys, tokens and passwords, and dates of birth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from memgraph.domain.access import Role
from memgraph.domain.pii import KINDS, find, redact
from memgraph.domain.pii.secrets import TOKENS
from memgraph.services.access import Access
from tests.support.personal import found, nothing_in

# Parted, so that nobody who looks for keys takes these for real ones.
KEYS = tuple(
    "".join(parts)
    for parts in (
        ("AKIA", "IOSFODNN7EXAMPLE"),
        ("ASIA", "Y34FZKBOKMUTVV7A"),
        ("ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"),
        ("github_pat_", "11ABCDEFG0abcdefghijklmn_0123456789"),
        ("glpat-", "x8Yz1234567890abcdEF"),
        ("xoxb-", "123456789012-1234567890123-AbCdEfGhIjKlMnOp"),
        ("xapp-", "1-A0123456789-1234567890123-0123456789abcdef"),
        ("hooks.slack.com/", "services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"),
        ("sk_live_", "4eC39HqLyjWDarjtT1zdp7dc"),
        ("whsec_", "4eC39HqLyjWDarjtT1zdp7dc1234"),
        ("AIza", "SyDaGmWKa4JsXZ-HjGw7ISLn_3namBGewQe"),
        ("GOCSPX-", "abcDEF123456ghiJKL789012mno"),
        ("ya29.", "a0AfH6SMBx1234567890abcdefghij"),
        ("sk-", "proj-abcDEF123456ghijklMNOP7890"),
        ("sk-ant-", "api03-abcDEF123456ghijklMNOP7890"),
        ("hf_", "abcdefghijklmnopqrstuvwxyzABCDEFGH"),
        ("npm_", "abcdefghijklmnopqrstuvwxyz0123456789"),
        ("pypi-AgE", "IcHlwaS5vcmcCJDU1NjYzMjQzLTlhYjMtNGVkMC1hNmEwLTE5ZmM4"),
        ("SG.", "ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf-09kqeF8tAmbihYzrnopKc-1s5cr"),
        ("AC", "0123456789abcdef0123456789abcdef"),
        ("key-", "0123456789abcdef0123456789abcdef"),
        ("dop_v1_", "0123456789abcdef" * 4),
        ("shpat_", "0123456789abcdef0123456789abcdef"),
        ("dapi", "0123456789abcdef0123456789abcdef"),
        ("hvs.", "CAESIJ1234567890abcdefghij"),
        ("gsk_", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGH"),
        ("xai-", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("123456789:", "AAabcdefghijklmnopqrstuvwxyz0123456"),
    )
)
JWT = ".".join(
    (
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
        "eyJzdWIiOiIxMjM0NTY3ODkwIn0",
        "dozjgNryP4J3jVmNHl0w5N",
    )
)
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,0A\n\n"
    "MIIBOgIBAAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8Qu\n"
    "-----END RSA PRIVATE KEY-----"
)


def test_every_service_has_an_example() -> None:
    assert all(
        any(re.search(t.pattern, key) for key in KEYS)
        for t in TOKENS
        if t.service != "this service"
    )


@pytest.mark.parametrize("token", TOKENS, ids=lambda t: t.hints[0])
def test_what_a_token_is_looked_for_by_occurs_in_it(
    token: tuple[str, tuple[str, ...], str],
) -> None:
    _, hints, pattern = token
    keys = [key for key in KEYS if re.search(pattern, key)]
    assert all(any(hint in key for hint in hints) for key in keys)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("around", ["{}", "the key {} leaked", '{{"key":"{}"}}', "`{}`, gone"])
def test_a_key_is_found_whole(key: str, around: str) -> None:
    assert found(around.format(key)) == [("api_key", key)]


def test_our_own_keys_are_found() -> None:
    class Store:
        def create_api_key(self, tenant_id: str, row: object) -> None: ...

    access = Access(Store())  # type: ignore[arg-type]
    _, key = access.create_key("acme", name="k", roles=[next(iter(Role))])
    assert found(f"Authorization: Bearer {key}") == [("api_key", key)]


def test_a_web_token_and_a_private_key_are_found_whole() -> None:
    assert found(f"Bearer {JWT}") == [("jwt", JWT)]
    assert found(f"my key:\n{PEM}\nthanks") == [("private_key", PEM)]
    cut = PEM[:-30]
    assert redact(cut, find(cut)) == "[private_key]"


@pytest.mark.parametrize(
    ("text", "password"),
    [
        ("password=hunter2", "hunter2"),
        ("Password: Tr0ub4dor&3", "Tr0ub4dor&3"),
        ("my password is s3cr3t!", "s3cr3t!"),
        ("DB_PASSWORD='pa55word'", "pa55word"),
        ('{"passwd": "xK9-mmm"}', "xK9-mmm"),
        ("api_key: 9f86d081884c7d659a2feaa0c55ad015", "9f86d081884c7d659a2feaa0c55ad015"),
        ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None),
        ("client-secret=>Zx81kLm20PqRs77TuV", "Zx81kLm20PqRs77TuV"),
        ("Authorization: Bearer Zx81kLm20PqRs77TuV", "Zx81kLm20PqRs77TuV"),
        ("postgres://ann:sesam@db.example.com/x", "sesam"),
    ],
)
def test_what_is_said_to_be_a_password_is_found(text: str, password: str | None) -> None:
    assert found(text)[0] == ("password", password or text.rpartition(" ")[2])


@pytest.mark.parametrize(
    "text",
    [
        "the password must have 8 characters",
        "password: ********",
        "password=$DB_PASSWORD1",
        "tokens: 181725",
        "token: 181725123456789012345",
        "secret santa 2024",
        "api key: yourkeyhere",
        "sk-some-kebab-case-name-of-things",
        "AKIAIOSFODNN7EXAMPL",
        "gh_p16C7e42F292c6912E7710c8",
        "eyJ",
        "eyJhbGciOiJI.x.y",
        "a-very-long-identifier-of-a-component-2024",
        "public_key=short1",
        "-----BEGIN PUBLIC KEY-----",
        "https://example.com/a/b?c=1",
        "token: 1111111111111111a",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "task-1234567890abcdefghijK",
        "keyboard 123456",
    ],
)
def test_what_only_looks_like_a_secret(text: str) -> None:
    nothing_in(text)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("DOB: 1990-04-05", "1990-04-05"),
        ('"dob": "1990-04-05"', "1990-04-05"),
        ("D.O.B. 04/05/1990", "04/05/1990"),
        ("date of birth - 5 April 1990", "5 April 1990"),
        ("I was born on April 5, 1990 in Rome", "April 5, 1990"),
        ("my birthday is April 5th, 1990", "April 5th, 1990"),
        ("born on the 5th of April 1990", "5th of April 1990"),
        ("date_of_birth=19900405", "19900405"),
        ("birthdate 05.04.90", "05.04.90"),
        ("geboren am 5. April 1990", "5. April 1990"),
        ("Geburtsdatum: 05.04.1990", "05.04.1990"),
        ("née le 5 avril 1990", "5 avril 1990"),
        ("date de naissance : 05/04/1990", "05/04/1990"),
        ("nacido el 5 de abril de 1990", "5 de abril de 1990"),
        ("fecha de nacimiento 05-04-1990", "05-04-1990"),
        ("nata il 5 aprile 1990", "5 aprile 1990"),
        ("data de nascimento: 05/04/1990", "05/04/1990"),
        ("geboortedatum 5 mei 1990", "5 mei 1990"),
        ("urodzony 5 kwietnia 1990", "5 kwietnia 1990"),
        ("född 1990-04-05", "1990-04-05"),
        ("дата рождения 5 апреля 1990", "5 апреля 1990"),
        ("生年月日:1990年4月5日", "1990年4月5日"),
        ("出生日期 1990-04-05", "1990-04-05"),
        ("1990-04-05 (date of birth)", "1990-04-05"),
        ("1990-04-05 is my birthday", "1990-04-05"),
        ("DOB: 30/12/1990", "30/12/1990"),
        ("DOB:\n- 1990-04-05", "1990-04-05"),
    ],
)
def test_a_date_of_birth_is_found(text: str, date: str) -> None:
    assert found(text) == [("date_of_birth", date)]


@pytest.mark.parametrize(
    "text",
    [
        "departure 2024-05-20",
        "DOB: 1990-13-45",
        "DOB unknown; flight 2024-05-20",
        "born 19",
        "born in 1990",
        "What is your date of birth? The flight leaves on 2024-05-20",
        "birth 5 Smarch 1990",
        "reborn 1990-04-05x",
        "DOB: 31/02/1990",
        "stubborn on 2024-05-20",
        "DOB " + "and " * 12 + "1990-04-05",
    ],
)
def test_other_dates_are_no_dates_of_birth(text: str) -> None:
    nothing_in(text)


def test_the_page_names_every_kind() -> None:
    page = (Path(__file__).parents[2] / "docs" / "pii.md").read_text()
    assert {kind for kind in KINDS if f"`{kind}`" not in page} == set()


def test_each_person_has_a_date_of_birth() -> None:
    people = '[{"dob": "1990-04-05"}, {"dob": "1991-05-06"}] fly on 2024-05-20'
    assert found(people) == [("date_of_birth", "1990-04-05"), ("date_of_birth", "1991-05-06")]
