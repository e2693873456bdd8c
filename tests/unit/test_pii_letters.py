"""What is kept of refused events, where personal data is redacted or refused."""

from __future__ import annotations

from dataclasses import replace

import orjson
import pytest

from memgraph.domain.mutations import Outcome
from memgraph.domain.values import PiiPolicy
from memgraph.services.enrichment.items import Item
from memgraph.services.enrichment.pii import clean_letters
from memgraph.services.enrichment.single import NullSeenEvents
from tests.support.pipelines import plain_toolbox

TOLD = b'{"prompt":{"text":["Mail joe\\u0040example.com",7]},"joe@example.com":null}'
DEEP = b"[" * 900 + b'"Mail joe@example.com"' + b"]" * 900


def kept(payload: bytes, policy: PiiPolicy, outcome: Outcome | None = Outcome.REJECTED) -> bytes:
    item = Item(payload, outcome=outcome)
    tools = plain_toolbox().of("t", NullSeenEvents())
    clean_letters([item], replace(tools, pii_policy=policy))
    return item.payload


def test_every_string_is_redacted_and_keys_stay() -> None:
    assert orjson.loads(kept(TOLD, PiiPolicy.REDACT)) == {
        "prompt": {"text": ["Mail [email]", 7]},
        "joe@example.com": None,
    }


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"{broken: joe@example.com", b"{broken: [email]"),
        (b"\xff\xfe joe@example.com", "\ufffd\ufffd [email]".encode()),
        (DEEP, DEEP.replace(b"joe@example.com", b"[email]")),
        (b"", b""),
        (b"\xff plain", b"\xff plain"),
        (b'{ "text":  "plain" }', b'{ "text":  "plain" }'),
    ],
    ids=["no JSON", "no text", "deep", "empty", "clean bytes", "clean JSON"],
)
def test_bytes_of_any_kind(payload: bytes, expected: bytes) -> None:
    assert kept(payload, PiiPolicy.REDACT) == expected


def test_where_it_is_refused_nothing_is_left() -> None:
    assert kept(TOLD, PiiPolicy.REFUSE) == b""
    assert kept(b'{"text":"plain"}', PiiPolicy.REFUSE) == b'{"text":"plain"}'


def test_letters_of_other_doors_are_treated_too() -> None:
    assert kept(TOLD, PiiPolicy.REFUSE, Outcome.DEAD_LETTERED) == b""


@pytest.mark.parametrize("policy", [PiiPolicy.OFF, PiiPolicy.FLAG])
def test_other_policies_keep_what_came(policy: PiiPolicy) -> None:
    assert kept(TOLD, policy) == TOLD


def test_what_goes_on_is_left_alone() -> None:
    assert kept(TOLD, PiiPolicy.REDACT, None) == TOLD
