"""Where a library sends to: keeps the bodies of OTLP/HTTP, and takes this machine out of them."""

from __future__ import annotations

import gzip
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

_REQUESTS = {"/v1/traces": ExportTraceServiceRequest, "/v1/logs": ExportLogsServiceRequest}
_PLACES = {
    sys.prefix: "/app/.venv",
    sys.base_prefix: "/usr",
    str(Path(__file__).parents[2]): "/app",
    str(Path.home()): "/user",
}


@dataclass(frozen=True)
class Body:
    """One request; how many texts were changed because they named places of this machine."""

    path: str
    data: bytes
    headers: dict[str, str]
    neutralised: int


def neutral(path: str, data: bytes) -> tuple[bytes, int]:
    """Replace the paths of this machine; the rest stays as it was sent."""
    request: Message = _REQUESTS[path].FromString(data)
    changed = _replace(request)
    return (request.SerializeToString() if changed else data), changed


def _replace(message: Message) -> int:
    changed = 0
    for field, value in message.ListFields():
        items = value if isinstance(value, Message) or not hasattr(value, "append") else list(value)
        for item in items if isinstance(items, list) else [items]:
            if isinstance(item, Message):
                changed += _replace(item)
            elif isinstance(item, str) and (said := _without_places(item)) != item:
                setattr(message, field.name, said)
                changed += 1
    return changed


def _without_places(said: str) -> str:
    for place, name in _PLACES.items():
        if place != os.sep:
            said = said.replace(place, name)
    return said


@contextmanager
def collecting(bodies: list[Body]) -> Iterator[str]:
    """Take what is sent to a free port; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                data = gzip.decompress(data)
            if self.path in _REQUESTS:
                names = ("User-Agent", "Content-Type", "Content-Encoding")
                told = {n.lower(): self.headers[n] for n in names if n in self.headers}
                bodies.append(Body(self.path, *_kept(self.path, data, told)))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _kept(path: str, data: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str], int]:
    data, changed = neutral(path, data)
    return data, headers, changed
