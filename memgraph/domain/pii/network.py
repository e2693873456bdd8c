"""Addresses of the Internet Protocol, versions 4 and 6."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from memgraph.domain.pii.findings import Finding
from memgraph.domain.pii.view import View

IP_ADDRESS = "ip_address"

V4 = re.compile(
    r"[0-9](?<![0-9A-Za-z_].)(?<![0-9A-Za-z_][.-].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}"
    r"(?![0-9A-Za-z_]|[.-][0-9A-Za-z_])"
)
_COLONS = re.compile(r":[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4}){5}")
_DOTTED = re.compile(r"\.[0-9]{1,3}\.[0-9]")
V6 = re.compile(r"[0-9A-Fa-f:](?<![0-9A-Za-z_:.].)[0-9A-Fa-f:.]{5,44}(?![0-9A-Za-z_])")
_VERSION = re.compile(r"(?:version|release|v\.?|build|section|§)[ :=\"']{0,3}\Z", re.IGNORECASE)
_MIN_V6_GROUPS = 3
"""`::1` is this machine, and `[::2]` or `12::30` are more often something else."""


def find_ip_addresses(view: View) -> Iterator[Finding]:
    """Look for addresses that may lead to somebody: not loopback, not broadcast."""
    text = view.text
    if _DOTTED.search(text):
        for match in V4.finditer(text):
            before = text[max(0, match.start() - 12) : match.start()]
            if not _VERSION.search(before) and _leads_somewhere(match[0]):
                yield Finding(IP_ADDRESS, *match.span())
    if "::" in text or _COLONS.search(text):
        for match in V6.finditer(text):
            written = match[0].rstrip(".")
            if written[-1] == ":" and not written.endswith("::"):
                written = written[:-1]
            groups = [group for group in written.split(":") if group]
            if len(groups) >= _MIN_V6_GROUPS and _leads_somewhere(written):
                yield Finding(IP_ADDRESS, match.start(), match.start() + len(written))


def _leads_somewhere(written: str) -> bool:
    try:
        address = ipaddress.ip_address(written)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or int(address) == 2**32 - 1)
