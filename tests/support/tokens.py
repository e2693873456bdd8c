"""An issuer of tokens on this machine: real keys, published over HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from memgraph.settings import Issuer

ISSUER, AUDIENCE = "https://id.example", "memory-graph"
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
OTHER = RSAKey.generate_key(2048, {"kid": "rsa"})


class Jwks(ThreadingHTTPServer):
    """Publishes keys on this machine, counts who asks, and may misbehave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: list[Any] = [RSA, EC, ED]
        self.asked: list[str] = []
        self.answer: Callable[[], tuple[int, dict[str, str], bytes]] = self.published

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/keys"

    def published(self) -> tuple[int, dict[str, str], bytes]:
        keys = [k if isinstance(k, dict) else k.as_dict(private=False) for k in self.keys]
        return 200, {}, json.dumps({"keys": keys}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Jwks

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        status, headers, body = self.server.answer()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def publishing() -> Iterator[Jwks]:
    """A server of keys for as long as the block runs."""
    with Jwks() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def issuer(jwks: Jwks, **more: Any) -> Issuer:
    said = {"issuer": ISSUER, "audience": AUDIENCE, "jwks_url": jwks.url}
    return Issuer(**{**said, "algorithms": ("RS256", "ES256", "Ed25519"), **more})


def claims(**more: Any) -> dict[str, Any]:
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "tenant_id": "t", "roles": ["admin"]}
    return {**said, "exp": int(time.time()) + 300, **more}


def token(key: Any = RSA, algorithm: str = "RS256", /, header: Any = None, **more: Any) -> str:
    said = {n: v for n, v in claims(**more).items() if v is not ...}
    head = {"alg": algorithm, "kid": key.kid, "typ": "JWT", **(header or {})}
    head = {n: v for n, v in head.items() if v is not ...}
    return jwt.encode(head, said, key, algorithms=[algorithm])
