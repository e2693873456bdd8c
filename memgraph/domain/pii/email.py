"""E-mail addresses (RFC 5322 without quoted local parts), also internationalised (RFC 6531)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from memgraph.domain.pii.findings import Finding
from memgraph.domain.pii.view import View

EMAIL = "email"

_MOST_LOCAL = 64
_NOT_LOCAL = re.compile(r"[^\w.!#$&'*+?^`{|}~%-]")
"""Without `=` and `/`, which stand before addresses more often than in them."""
_MARKS = ".!#$&'*+?^`{|}~%-"
_DOMAIN = re.compile(r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,10}")
_USER_OF_URL = re.compile(r"://[^\s/@:]{1,64}:\Z")
_TOP_LEVEL = re.compile(r"xn--[a-z0-9-]{1,59}|[^\W\d_]{2,63}", re.IGNORECASE)


def find_emails(view: View) -> Iterator[Finding]:
    """Look to both sides of every at sign."""
    text = view.text
    at = text.find("@")
    while at >= 0:
        end = _domain_end(text, at + 1)
        start = _local_start(text, at) if end else at
        if start < at < end and not _is_of_url(text, start, at, end):
            yield Finding(EMAIL, start, end)
        at = text.find("@", at + 1)


def _is_of_url(text: str, start: int, at: int, end: int) -> bool:
    """Whether it is a repository to clone by SSH, or a password and the host it is for."""
    is_repository = text[start:at] == "git" and text[end : end + 1] == ":"
    return is_repository or _USER_OF_URL.search(text, max(0, start - 80), start) is not None


def _local_start(text: str, at: int) -> int:
    """Where the local part begins, in running text with a letter or digit; ``at`` without one."""
    first = max(0, at - _MOST_LOCAL)
    for other in _NOT_LOCAL.finditer(text, first, at):
        first = other.end()
    local = text[first:at].lstrip(_MARKS)
    return at if local.endswith(".") or ".." in local else at - len(local)


def _domain_end(text: str, start: int) -> int:
    """Where the domain ends, 0 when there is none."""
    domain = _DOMAIN.match(text, start)
    if domain is None:
        return 0
    *labels, last = domain[0].split(".")
    top_level = _TOP_LEVEL.match(last)
    if top_level is None or any(label.startswith("-") or label.endswith("-") for label in labels):
        return 0
    return domain.end() - len(last) + top_level.end()
