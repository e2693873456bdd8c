"""Keys and tokens by the form that their services give them, and passwords by what names them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from memgraph.domain.pii.findings import Finding
from memgraph.domain.pii.view import View

API_KEY = "api_key"
JSON_WEB_TOKEN = "jwt"  # noqa: S105 # the name of a kind
PRIVATE_KEY = "private_key"
PASSWORD = "password"  # noqa: S105 # the name of a kind


class Token(NamedTuple):
    """How a service writes its keys."""

    service: str
    hints: tuple[str, ...]
    """One of these occurs in every key; to look for them is cheap."""
    pattern: str


_B64 = "[A-Za-z0-9_-]"
TOKENS = (
    Token("AWS", ("AKIA", "ASIA", "ABIA", "ACCA"), r"A(?:KIA|SIA|BIA|CCA)[A-Z2-7]{16}(?![A-Z0-9])"),
    Token("GitHub", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[A-Za-z0-9]{36,255}"),
    Token("GitHub", ("github_pat_",), r"github_pat_[A-Za-z0-9_]{22,255}"),
    Token("GitLab", ("glpat-",), rf"glpat-{_B64}{{20,64}}"),
    Token("Slack", ("xox",), r"xox[abeoprs]-[A-Za-z0-9-]{10,255}"),
    Token("Slack", ("xapp-",), r"xapp-[0-9]-[A-Za-z0-9-]{10,255}"),
    Token("Slack", ("hooks.slack.com",), r"hooks\.slack\.com/services/[A-Za-z0-9/]{20,100}"),
    Token("Stripe", ("k_live_", "k_test_"), r"[rsp]k_(?:live|test)_[A-Za-z0-9]{16,255}"),
    Token("Stripe", ("whsec_",), r"whsec_[A-Za-z0-9+/=]{24,255}"),
    Token("Google", ("AIza",), rf"AIza{_B64}{{35}}(?!{_B64})"),
    Token("Google", ("GOCSPX-",), rf"GOCSPX-{_B64}{{20,64}}"),
    Token("Google", ("ya29.",), rf"ya29\.{_B64}{{20,512}}"),
    # A digit and a capital, which names joined by hyphens do not have.
    Token(
        "OpenAI, Anthropic",
        ("sk-",),
        rf"sk-(?={_B64}{{0,60}}[0-9])(?={_B64}{{0,60}}[A-Z]){_B64}{{20,255}}",
    ),
    Token("this service", ("mg_",), rf"mg_{_B64}{{2,342}}\.[0-9a-f]{{12}}\.{_B64}{{43}}(?!{_B64})"),
    Token("Hugging Face", ("hf_",), r"hf_[A-Za-z0-9]{30,64}"),
    Token("npm", ("npm_",), r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    Token("PyPI", ("pypi-AgE",), rf"pypi-AgE{_B64}{{50,1000}}"),
    Token("SendGrid", ("SG.",), rf"SG\.{_B64}{{16,32}}\.{_B64}{{32,64}}"),
    Token("Twilio", ("AC", "SK"), r"(?:AC|SK)[0-9a-f]{32}(?![0-9A-Za-z])"),
    Token("Mailgun", ("key-",), r"key-[0-9a-f]{32}(?![0-9A-Za-z])"),
    Token("DigitalOcean", ("_v1_",), r"do[opr]_v1_[0-9a-f]{64}"),
    Token("Shopify", ("shp",), r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    Token("Databricks", ("dapi",), r"dapi[0-9a-f]{32}(?:-[0-9])?"),
    Token("HashiCorp Vault", ("hvs.", "hvb."), rf"hv[sb]\.{_B64}{{24,255}}"),
    Token("Groq", ("gsk_",), r"gsk_[A-Za-z0-9]{40,64}"),
    Token("xAI", ("xai-",), r"xai-[A-Za-z0-9]{60,100}"),
    Token("Telegram", (":AA",), rf"[0-9]{{8,10}}:AA{_B64}{{33}}(?!{_B64})"),
)
_HINTS = tuple(dict.fromkeys(hint for token in TOKENS for hint in token.hints))
TOKEN = re.compile(rf"(?<![0-9A-Za-z])(?:{'|'.join(token.pattern for token in TOKENS)})")

JWT = re.compile(rf"(?<![A-Za-z0-9_.-])eyJ{_B64}{{10,}}+\.{_B64}{{10,}}+\.{_B64}*+")
PEM = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:[^-]|-(?!----))*+(?:-----END [A-Z0-9 ]{0,60}-----)?"
)

_NAMES = ("passw", "passphrase", "pwd", "secret", "token", "key", "bearer")
ASSIGNMENT = re.compile(
    r"(?<![0-9A-Za-z])(?:(passwor[dt]|passwd|passphrase|pwd)"
    r"|(?:api|access|secret|auth|private|signing|encryption|account|client)[_ -]?"
    r"(?:key|token|secret)"
    r"|secret|token|bearer)"
    r"[\"'`]?(?: {0,3}(?::?=|:|=>) {0,3}| is:? | )[\"'`]?"
    r"([^\s\"'`,;<>(){}\[\]]{6,256})",
    re.IGNORECASE,
)
URL_PASSWORD = re.compile(r"://[^\s/@:]{1,64}:([^\s/@:]{3,64})@")
_MIN_KEY = 16
_MIN_BITS_PER_CHARACTER = 3.0


def find_secrets(view: View) -> Iterator[Finding]:
    """Look for tokens, keys, and passwords said to be such."""
    text = view.text
    if "-----BEGIN" in text:
        yield from (Finding(PRIVATE_KEY, *match.span()) for match in PEM.finditer(text))
    if view.long_words:
        yield from _tokens(text, view.long_words)
    if view.has_digits and view.has_any(_NAMES):
        for match in ASSIGNMENT.finditer(text):
            if _is_secret(match[2], is_password=bool(match[1])):
                yield Finding(PASSWORD, *match.span(2))


def _tokens(text: str, long_words: str) -> Iterator[Finding]:
    if any(hint in long_words for hint in _HINTS):
        yield from (Finding(API_KEY, *match.span()) for match in TOKEN.finditer(text))
    if "eyJ" in long_words:
        yield from (Finding(JSON_WEB_TOKEN, *match.span()) for match in JWT.finditer(text))
    if "://" in long_words and "@" in long_words:
        yield from (Finding(PASSWORD, *match.span(1)) for match in URL_PASSWORD.finditer(text))


def _is_secret(value: str, *, is_password: bool) -> bool:
    """Whether a value looks chosen by chance or at least mixed; no word, number or variable."""
    has_digit, has_letter = any(map(str.isdigit, value)), any(map(str.isalpha, value))
    if not (has_digit and has_letter) or value.startswith(("$", "%")):
        return False
    if is_password:
        return True
    return len(value) >= _MIN_KEY and _bits_per_character(value) >= _MIN_BITS_PER_CHARACTER


def _bits_per_character(value: str) -> float:
    """Shannon's entropy of the characters."""
    shares = (count / len(value) for count in Counter(value).values())
    return -sum(share * math.log2(share) for share in shares)
