"""E-mail addresses, telephone numbers and addresses of the network."""

from __future__ import annotations

import pytest

from tests.support.personal import found, nothing_in

EMAILS = [
    "joe@example.com",
    "Joe.Bloggs+news@mail.example.co.uk",
    "o'brien@example.ie",
    "x_y-z%w@sub-domain.example.museum",
    "用户@例子.公司",
    "jörg@münchen.example",
    "user@xn--bcher-kva.example",
    "UPPER@EXAMPLE.COM",
    "a@b.co",
]

PHONES = (
    """
+1 415 555 2671|+14155552671|+1 (415) 555-2671|+44 20 7946 0958|+44 (0)20 7946 0958
+49 30 901820|+49 (0)151 23456789|+33 1 23 45 67 89|+34 612 345 678|+91 98765 43210
+86 138 0013 8000|+81 90-1234-5678|+55 11 91234-5678|+353 1 679 6000|+972 2-530-8111
0049 30 901820|(415) 555-2671|(415)555-2671|415-555-2671|415.555.2671|415 555 2671
1-800-555-0199|1 (800) 555-0199|020 7946 0958|07700 900123|01632 960983|(020) 7946 0958
01 23 45 67 89|01.23.45.67.89|030 123456789|0151/12345678|03-1234-5678|090-1234-5678
(02) 9374 4000|0412 345 678|(11) 91234-5678|0478 12 34 56
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

NAMED_PHONES = (
    *("phone: 4155552671", "Tel. 5551234567", "call me at 8675309", "mobile number 98765 43210"),
    *("Telefon: 08912345678", "teléfono 612345678", "Meine Handynummer... Handy: 015112345678"),
    *('{"phone": "4155552671"}', '{"contact_phone":"4155552671"}', "电话 13800138000"),
)

NO_PHONES = (
    *("order 4155552671", "#4155552671", "order number 415555267112", "at 1715785200"),
    *("1715785200123", "2024-05-20 15:00:00", "05/20/2024 10:00", "01-02-2024", "20240520"),
    *(
        "2024.05.20",
        "1,234,567.89",
        "$4155552671",
        "37.7749, -122.4194155",
        "0.063882 50.073975",
        "version 10.15.7.1234",
    ),
    *("550e8400-e29b-41d4-a716-446655440000", "call about order 12345678", "HAT136", "9MRJD4"),
    *("da39a3ee5e6b4b0d3255bfef95601890afd80709", "credit_card_4421486", "1.0.0-rc.20240520"),
    *("ISBN 978-3-16-148410-0", "115-555-2671", "415-155-2671", "+0 123 456 789", "10 000 000 000"),
    *("tickets 100 200 300", "0000000000", "the call is on 2024-05-20", "3.14159265358979"),
    *("+1 415 555", "1/2/3/4/5/6/7/8", "10-20-30-40-50-60-70-80-90-100"),
)

ADDRESSES = (
    *("192.0.2.44", "8.8.8.8", "255.1.0.9", "2001:db8::8a2e:370:7334", "fe80::1ff:fe23:4567:890a"),
    *("2001:0db8:0000:0000:0000:ff00:0042:8329", "2001:db8:1::", "::ffff:c000:0280:1"),
)

NO_ADDRESSES = (
    *("127.0.0.1", "0.0.0.0", "255.255.255.255", "::1", "version 1.2.3.4", "v1.2.3.4", "1.2.3"),
    *("256.1.1.1", "1.2.3.4.5", "std::vector::size", "a[::2]", "12:30:45", "01:23:45:67:89:ab"),
    *("1.2.3.4-beta", "host-10.0.0.1.example.org", "10.15.7.1234", "::", "a::b", "01.02.03.04"),
    *("1:2:3:4:5:6:7:8:9", "2001:db8::12345"),
)


@pytest.mark.parametrize("email", EMAILS)
@pytest.mark.parametrize(
    "around", ["{}", "Write to {}, please.", '{{"email":"{}"}}', "<{}>", "({})"]
)
def test_an_email_is_found_whole(email: str, around: str) -> None:
    assert found(around.format(email)) == [("email", email)]


@pytest.mark.parametrize(
    "text",
    [
        "@example.com",
        "a@",
        "a@b",
        "a@@b.co",
        "pkg@1.2.3",
        "a@b..co",
        "a.@b.co",
        "a..b@c.de",
        "git@github.com:org/repo",
        "me@-x.co",
        "me@x-.co",
        "@mention",
        "x @ y.com",
        "a@localhost",
    ],
)
def test_what_only_looks_like_an_email(text: str) -> None:
    nothing_in(text)


def test_an_email_ends_before_the_full_stop_and_begins_after_the_quote() -> None:
    assert found("Mail 'joe@x.com'. to=ann@y.org; mailto:bo@z.net.") == [
        ("email", "joe@x.com"),
        ("email", "ann@y.org"),
        ("email", "bo@z.net"),
    ]


def test_the_longest_local_part_has_64_characters() -> None:
    assert found(f"{'a' * 64}@example.com") == [("email", f"{'a' * 64}@example.com")]


@pytest.mark.parametrize("phone", PHONES)
@pytest.mark.parametrize("around", ["{}", "Reach me: {}.", "({}) or later", "a,{},b"])
def test_a_phone_number_in_a_form_of_its_own_is_found_whole(phone: str, around: str) -> None:
    assert found(around.format(phone)) == [("phone", phone)]


@pytest.mark.parametrize("text", NAMED_PHONES)
def test_a_bare_phone_number_is_found_after_a_word(text: str) -> None:
    [(kind, number)] = found(text)
    assert kind == "phone"
    assert text.rstrip('"}').endswith(number)


@pytest.mark.parametrize("text", NO_PHONES)
def test_what_only_looks_like_a_phone_number(text: str) -> None:
    nothing_in(text)


def test_what_follows_a_whole_phone_number_is_none_of_it() -> None:
    assert found("+14155552671 2024") == [("phone", "+14155552671")]
    assert found("415-555-2671 2024") == [("phone", "415-555-2671")]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("around", ["{}", "from {}.", "[{}]", "{}, then"])
def test_an_address_is_found_whole(address: str, around: str) -> None:
    assert found(around.format(address)) == [("ip_address", address)]


def test_a_port_and_a_prefix_are_no_part_of_an_address() -> None:
    assert found("192.0.2.44:8080") == [("ip_address", "192.0.2.44")]
    assert found("192.0.2.0/24") == [("ip_address", "192.0.2.0")]


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_only_looks_like_an_address(text: str) -> None:
    nothing_in(text)
