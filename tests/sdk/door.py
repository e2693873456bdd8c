"""A server that speaks the contract of the door for events, and keeps what comes in."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import read_event

Reply = tuple[int, dict[str, str], dict[str, Any]]


class Door:
    """Stores valid events once each; ``replies`` come before it takes anything."""

    def __init__(self) -> None:
        self.url = ""
        self.stored: dict[str, dict[str, Any]] = {}
        self.requests: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.replies: list[Reply | None] = []
        """What is answered first; None loses the connection after storing."""
        self.is_open = threading.Event()
        self.is_open.set()
        self.asked = threading.Event()
        self.largest = 1_000

    def of(self, type_: str) -> list[dict[str, Any]]:
        """The events of a type, in the order that they came in."""
        return [event for event in self.stored.values() if event["type"] == type_]

    def only(self, type_: str) -> dict[str, Any]:
        (event,) = self.of(type_)
        return event

    def take(self, body: bytes) -> Reply:
        events = orjson.loads(body)
        if len(events) > self.largest:
            return 413, {}, {"status": 413, "code": "too_large", "detail": "In words."}
        outcomes = [self._take(event) for event in events]
        counts = {o: outcomes.count(o) for o in ("stored", "duplicate", "rejected")}
        status = 207 if counts["rejected"] else 200
        return status, {}, {"received": len(events), **counts, "dead_lettered": 0, "items": []}

    def _take(self, event: dict[str, Any]) -> str:
        try:
            read_event(orjson.dumps(event))
        except InvalidInput:
            return "rejected"
        if event["event_id"] in self.stored:
            return "duplicate"
        self.stored[event["event_id"]] = event
        return "stored"


def _handler(door: Door) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            if headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            door.asked.set()
            door.is_open.wait(60)
            door.requests.append({**headers, "path": self.path})
            door.bodies.append(body)
            reply = door.replies.pop(0) if door.replies else door.take(body)
            if reply is None:
                door.take(body)
                self.close_connection = True
                return
            self.reply(*reply)

        def reply(self, status: int, headers: dict[str, str], answer: dict[str, Any]) -> None:
            data = orjson.dumps(answer)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


class _Listener(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that has gone away is part of the tests."""


@contextmanager
def opened(door: Door, port: int = 0) -> Iterator[Door]:
    """Have a door listen."""
    listener = _Listener(("127.0.0.1", port), _handler(door))
    door.url = f"http://127.0.0.1:{listener.server_port}"
    serve: Callable[[], None] = lambda: listener.serve_forever(poll_interval=0.01)  # noqa: E731
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield door
    finally:
        listener.shutdown()
        thread.join()
        listener.server_close()
