"""HTTP clients that cost little: one thread drives keep-alive connections over raw sockets.

A client library takes as much of a core as the service does for a small request, and both
share the machine here. Requests are bytes made beforehand, answers are read as far as
their length.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from urllib.parse import urlsplit

import orjson

TIMEOUT_S = 30.0
CONNECT_S = 5.0
LOOK_EVERY_S = 0.5
RETRY_S = 0.01
"""Before the next connection to a service that is away."""
CHUNK = 262_144

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY_AFTER = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_NO_BODY = {204, 304}


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it is sent, and what it means to whom sends it."""

    name: str
    data: bytes
    about: str = ""


@dataclass(slots=True)
class Answer:
    """What came back. Status 0: nothing did, the connection broke or the time was over."""

    request: Request
    status: int
    ms: float
    """Since the request was due."""
    sent_ms: float = 0.0
    """Since it was sent: less when no connection was free."""
    head: bytes = b""
    """Status line and headers; bodies are read and dropped."""


Source = Iterator[Request]
OnAnswer = Callable[[Answer], None]


@dataclass(frozen=True, slots=True)
class Target:
    """Where requests go, and the credential."""

    url: str
    key: str = field(repr=False)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        about: str = "",
        name: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Request:
        """Make a request; with a body it is JSON."""
        data = b"" if body is None else orjson.dumps(body)
        lines = {
            "Host": urlsplit(self.url).netloc,
            "Authorization": f"Bearer {self.key}",
            "Content-Length": str(len(data)),
            **({"Content-Type": "application/json"} if data else {}),
            **(headers or {}),
        }
        head = "".join(f"{line}: {value}\r\n" for line, value in lines.items())
        text = f"{method} {path} HTTP/1.1\r\n{head}\r\n"
        return Request(name or f"{method} {path}", text.encode() + data, about)

    def connect(self) -> socket.socket:
        """Open a connection."""
        parts = urlsplit(self.url)
        if parts.scheme != "http" or parts.hostname is None:
            raise SystemExit(f"{self.url} is not the address of a service over plain http")
        sock = socket.create_connection((parts.hostname, parts.port or 80), CONNECT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        return sock


class _Connection:
    """One keep-alive connection with at most one request under way."""

    def __init__(self, source: Source | None = None) -> None:
        self.source = source
        self.sock: socket.socket | None = None
        self.request: Request | None = None
        self.due = self.sent = 0.0
        self.unsent = b""
        self._received = bytearray()
        self._ends: int | None = None
        self._status = 0
        self.rest_s = 0.0
        """How long the last answer asked to stay away."""

    def begin(self, request: Request, due: float) -> None:
        self.request, self.due, self.sent = request, due, time.perf_counter()
        self.unsent = request.data
        self._received.clear()
        self._ends = None
        self.rest_s = 0.0

    def send(self) -> None:
        """Send what the socket takes."""
        if self.sock is None:
            raise OSError
        sent = self.sock.send(self.unsent)
        self.unsent = self.unsent[sent:]

    def receive(self) -> Answer | None:
        """Read what there is; the answer when it is whole. OSError when the connection ended."""
        if self.sock is None:
            raise OSError
        data = self.sock.recv(CHUNK)
        if not data:
            raise OSError
        self._received += data
        if self._ends is None:
            self._read_head()
        if self._ends is None or len(self._received) < self._ends:
            return None
        return self.answer(self._status)

    def answer(self, status: int = 0) -> Answer | None:
        """What came of the request under way, if one is."""
        request, self.request = self.request, None
        if request is None:
            return None
        now = time.perf_counter()
        head = bytes(self._received).partition(b"\r\n\r\n")[0] if status else b""
        return Answer(request, status, 1000 * (now - self.due), 1000 * (now - self.sent), head)

    def close(self) -> None:
        if self.sock is not None:
            self.sock.close()
        self.sock = None

    def _read_head(self) -> None:
        at = self._received.find(b"\r\n\r\n")
        if at < 0:
            return
        head = bytes(self._received[:at])
        self._status = int(head[9:12])
        asked = _RETRY_AFTER.search(head)
        self.rest_s = float(asked[1]) if asked else 0.0
        length = _LENGTH.search(head)
        if length is None and self._status not in _NO_BODY:
            raise ValueError("an answer without Content-Length cannot be measured")
        self._ends = at + 4 + (int(length[1]) if length else 0)


class Clients:
    """A set of connections, each with one request at a time. Close them when done."""

    def __init__(self, target: Target, on_answer: OnAnswer = lambda _: None) -> None:
        """Make clients; ``on_answer`` is told of each answer before its client goes on."""
        self._target = target
        self._on_answer = on_answer
        self._selector = selectors.DefaultSelector()
        self._connections: list[_Connection] = []
        self._answers: list[Answer] = []
        self._busy = 0
        self._looked = 0.0

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()
        self._selector.close()

    def run(self, sources: Sequence[Source], seconds: float) -> list[Answer]:
        """Let each source be a client that asks, waits for the answer, and asks again.

        One that is refused rests as long as `Retry-After` says. Ends when the time is over
        and what is under way is answered, or every source is.
        """
        self._answers = []
        resting: list[tuple[float, int, _Connection]] = []
        until = time.perf_counter() + seconds
        for number, source in enumerate(sources):
            if number == len(self._connections):
                self._connections.append(_Connection())
            self._connections[number].source = source
            self._next(self._connections[number], until)
        while self._busy or (resting and resting[0][0] < until):
            for connection in self._turn(0.1 if not resting else 0.01):
                if rest_s := connection.rest_s:
                    heappush(resting, (time.perf_counter() + rest_s, id(connection), connection))
                else:
                    self._next(connection, until)
            while resting and resting[0][0] <= time.perf_counter():
                self._next(heappop(resting)[2], until)
        return self._answers

    def offer(self, source: Source, rate: float, seconds: float, most: int) -> list[Answer]:
        """Send at a rate that does not wait for answers, over at most ``most`` connections.

        A request waits here when no connection is free, and that counts into its time.
        What was due and could not be sent in time is left out: the rate offered is in
        the number of answers.
        """
        self._answers = []
        while len(self._connections) < most:
            self._connections.append(_Connection())
        idle = deque(self._connections[:most])
        began = time.perf_counter()
        count = 0
        while (now := time.perf_counter()) < began + seconds:
            while idle and count < rate * (now - began):
                connection = idle.popleft()
                self._begin(connection, next(source), began + count / rate)
                count += 1
                if connection.request is None:
                    idle.append(connection)
            ahead = began + count / rate - time.perf_counter()
            idle.extend(self._turn(min(0.1, max(0.0, ahead)) if idle else 0.1))
        while self._busy:
            self._turn(0.1)
        return self._answers

    def _next(self, connection: _Connection, until: float) -> None:
        """Send the next request of a connection's source unless the time is over."""
        while connection.request is None and (now := time.perf_counter()) < until:
            request = next(connection.source or iter(()), None)
            if request is None:
                return
            self._begin(connection, request, now)
            if connection.sock is None:
                time.sleep(RETRY_S)

    def _begin(self, connection: _Connection, request: Request, due: float) -> None:
        connection.begin(request, due)
        self._busy += 1
        try:
            if connection.sock is None:
                connection.sock = self._target.connect()
                self._selector.register(connection.sock, selectors.EVENT_READ, connection)
            connection.send()
            if connection.unsent:
                self._watch(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        except OSError:
            self._lose(connection)

    def _turn(self, timeout: float) -> list[_Connection]:
        """Wait for sockets once; the connections that are free again."""
        free: list[_Connection] = []
        for key, events in self._selector.select(timeout):
            connection: _Connection = key.data
            try:
                if events & selectors.EVENT_WRITE and connection.unsent:
                    connection.send()
                    if not connection.unsent:
                        self._watch(connection, selectors.EVENT_READ)
                answer = connection.receive() if events & selectors.EVENT_READ else None
            except BlockingIOError:
                continue
            except OSError:
                was_busy = connection.request is not None
                self._lose(connection)
                free += [connection] if was_busy else []
                continue
            if answer is not None:
                self._keep(answer)
                free.append(connection)
        return free + self._overdue()

    def _overdue(self) -> list[_Connection]:
        """Give up on what takes too long; looked for now and then, as it costs time itself."""
        now = time.perf_counter()
        if now < self._looked + LOOK_EVERY_S:
            return []
        self._looked, limit = now, now - TIMEOUT_S
        late = [c for c in self._connections if c.request is not None and c.sent < limit]
        for connection in late:
            self._lose(connection)
        return late

    def _watch(self, connection: _Connection, events: int) -> None:
        if connection.sock is not None:
            self._selector.modify(connection.sock, events, connection)

    def _lose(self, connection: _Connection) -> None:
        """Close a connection; its request has status 0, the next one connects anew."""
        if connection.sock is not None:
            self._selector.unregister(connection.sock)
        connection.close()
        answer = connection.answer()
        if answer is not None:
            self._keep(answer)

    def _keep(self, answer: Answer) -> None:
        self._busy -= 1
        self._on_answer(answer)
        self._answers.append(answer)
