"""What a request may cost: how often, how large, how deep. Beyond that it is refused early."""

from __future__ import annotations

import ipaddress
import math
import re
import zlib
from functools import lru_cache
from io import RawIOBase
from itertools import accumulate
from typing import IO, Any

from flask import Flask, Request, Response, g
from werkzeug.middleware.proxy_fix import ProxyFix

from memgraph.domain.errors import (
    InvalidInput,
    RateLimited,
    TooLarge,
    UnsupportedMedia,
)
from memgraph.graph.permits import Permits
from memgraph.services.ports import Decision
from memgraph.settings import MB, LimitSettings

CHUNK = 65_536
SPARED_THREADS = 2
READER_WAIT_MS = 100
REFUSING_THREADS = 16
"""Threads of a worker beyond those that answer, so that a refusal does not wait in line."""
RATIO_FROM = MB
"""Unpacked bytes from which on the ratio counts: short texts may repeat themselves."""

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


@lru_cache(maxsize=4_096)
def address_of(remote: str | None) -> str:
    """The address that is counted: of IPv6 the network of one customer, a /64."""
    try:
        address = ipaddress.ip_address(remote or "")
    except ValueError:
        return ""
    if address.version == 6:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def check_rate(decision: Decision) -> None:
    """Remember a decision for the headers. Raises RateLimited."""
    g.decision = decision
    if not decision.is_allowed:
        empty = min(decision.levels, key=lambda level: level.remaining).bucket.name
        raise RateLimited(
            f"too many requests of this {empty}",
            retry_after_s=max(1, math.ceil(decision.retry_after_s)),
        )


def say_rate(response: Response) -> None:
    """Tell the caller what is left (draft-ietf-httpapi-ratelimit-headers-10)."""
    decision: Decision | None = g.get("decision")
    if decision is None:
        return
    response.headers["RateLimit-Policy"] = ", ".join(
        f'"{level.bucket.name}";q={level.bucket.burst}'
        f";w={math.ceil(level.bucket.burst / level.bucket.per_s)}"
        for level in decision.levels
    )
    response.headers["RateLimit"] = ", ".join(
        f'"{level.bucket.name}";r={level.remaining};t={math.ceil(level.full_in_s)}'
        for level in decision.levels
    )


def trust_proxies(app: Flask, count: int) -> None:
    """Take the caller's address from ``X-Forwarded-For`` as so many proxies wrote it."""
    if count:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=0)  # type: ignore[method-assign]


def request_class(settings: LimitSettings, threads: int) -> type[Request]:
    """The class of requests that keeps to these limits.

    A thread that reads a body waits for its sender, however slow. Some threads never do,
    so that senders who take their time leave the others to everybody else.
    """
    readers = Permits(max(1, threads - SPARED_THREADS), READER_WAIT_MS)
    return type("LimitedRequest", (LimitedRequest,), {"limits": settings, "readers": readers})


class LimitedRequest(Request):
    """A request whose body is inflated as it is read, and cut off at the limits."""

    limits: LimitSettings
    readers: Permits

    def get_data(self, *arguments: Any, **named: Any) -> Any:
        """The body. Raises Overloaded when too many bodies are on their way."""
        if "_is_read" in self.__dict__:
            return super().get_data(*arguments, **named)
        with self.readers.one():
            data = super().get_data(*arguments, **named)
        self.__dict__["_is_read"] = True
        return data

    @property
    def stream(self) -> IO[bytes]:
        """The body unpacked. Raises TooLarge, UnsupportedMedia, InvalidInput while it is read."""
        known: IO[bytes] | None = self.__dict__.get("_limited")
        if known is None:
            known = self.__dict__["_limited"] = self._limit()
        return known

    def _limit(self) -> IO[bytes]:
        encodings = [e.strip().lower() for e in self.headers.get("Content-Encoding", "").split(",")]
        encodings = [e for e in encodings if e not in ("", "identity")]
        if encodings not in ([], ["gzip"]):
            raise UnsupportedMedia("Content-Encoding: must be gzip or left out")
        if (self.content_length or 0) > self.limits.packed_bytes:
            raise TooLarge(f"the body is over {self.limits.packed_bytes} bytes")
        sent = super().stream
        return _Body(sent, self.limits, is_packed=bool(encodings))  # type: ignore[return-value]


class _Body(RawIOBase):
    def __init__(self, sent: IO[bytes], limits: LimitSettings, *, is_packed: bool) -> None:
        super().__init__()
        self._sent = sent
        self._limits = limits
        self._inflate = zlib.decompressobj(wbits=31) if is_packed else None
        self._rest = b""
        self._packed = self._unpacked = 0
        self._is_over = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest and not self._is_over:
            self._rest = self._next()
        size = min(len(buffer), len(self._rest))
        buffer[:size], self._rest = self._rest[:size], self._rest[size:]
        return size

    def _next(self) -> bytes:
        if self._inflate is None:
            data = self._fetch()
            self._is_over = not data
        else:
            data = self._unpack(self._inflate)
        self._unpacked += len(data)
        self._check()
        return data

    def _fetch(self) -> bytes:
        data = self._sent.read(CHUNK)
        self._packed += len(data)
        if self._packed > self._limits.packed_bytes:
            raise TooLarge(f"the body is over {self._limits.packed_bytes} bytes")
        return data

    def _unpack(self, inflate: Any) -> bytes:
        packed = inflate.unconsumed_tail or self._fetch()
        try:
            data: bytes = inflate.decompress(packed, CHUNK)
        except zlib.error:
            raise InvalidInput("body", "is not valid gzip") from None
        if inflate.eof:
            self._is_over = True
            if inflate.unused_data or self._fetch():
                raise InvalidInput("body", "has bytes after the end of its gzip")
        elif not packed and not data:
            raise InvalidInput("body", "ends in the middle of its gzip")
        return data

    def _check(self) -> None:
        limits = self._limits
        if self._unpacked > limits.body_bytes:
            raise TooLarge(f"the body is over {limits.body_bytes} bytes unpacked")
        if self._unpacked > max(RATIO_FROM, limits.packing_ratio * self._packed):
            raise TooLarge(f"the body is packed more than {limits.packing_ratio} times")


def check_depth(body: bytes, most: int) -> None:
    """Refuse JSON with too many arrays and objects inside each other, before it is parsed."""
    brackets = _STRING.sub(b"", body).translate(None, _NO_BRACKETS)
    if len(brackets) > most and max(accumulate(map(_STEP.__getitem__, brackets))) > most:
        raise InvalidInput("body", f"has more than {most} arrays and objects inside each other")
