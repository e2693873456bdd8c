"""Changes as they happen: from the real service, and from one that breaks off."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import memgraph_sdk as sdk
import orjson
import pytest
from memgraph_sdk import Client, listening
from memgraph_sdk.listening import Changes
from werkzeug.serving import make_server

from memgraph.adapters.feed import RedisFeed
from memgraph.adapters.redis_link import RedisLink
from memgraph.api import create_app
from memgraph.bootstrap import App
from memgraph.domain.access import Role
from memgraph.domain.schema import GraphModel
from memgraph.graph.outbox import Outbox
from memgraph.graph.session import Graph
from memgraph.services.relay import Relay
from memgraph.settings import ApiSettings, OutboxSettings, Settings
from tests.api.conftest import WIDE
from tests.sdk.conftest import Answer, Scripted, problem
from tests.support.events import at
from tests.support.redis_server import redis_for_tests
from tests.support.sinks import OwnLease

PATIENCE_S = 60.0
README = Path(sdk.__file__).parents[1] / "README.md"

_BLOCKS = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_for_tests(tmp_path_factory.mktemp("redis")) as url:
        yield url


@dataclass
class Service:
    """The service behind a socket, and a relay that tells what it wrote."""

    client: Client
    relay: Relay
    url: str
    key: str

    def answer(self, prompt_id: str) -> None:
        self.client.responses.create(prompt_id, response={"text": "yes"}, metrics={"latency": 7})
        self.relay.drain()

    def ask(self, *ids: str, session: str = "s") -> None:
        for n, id_ in enumerate(ids):
            self.client.prompts.create(
                session, id=id_, timestamp=at(n), prompt={"text": "hi\u2028\u0085"}
            )
        self.relay.drain()


@pytest.fixture
def service(
    model: GraphModel, graph: Graph, tenant: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    monkeypatch.setattr("memgraph.api.event_streams.RETRY_MS", 20)
    settings = Settings(limits=WIDE, api=ApiSettings(event_stream_s=0.5))
    link = RedisLink(redis_url)
    feed = RedisFeed(link, most=100_000, keep_s=60)
    relay = Relay(Outbox(graph), [feed], OwnLease(), OutboxSettings(), tenant_id=tenant)
    app = App(settings, model, graph, redis_url=redis_url)
    server = make_server("127.0.0.1", 0, create_app(app.services), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    _, key = app.services.access.create_key(tenant, name="test", roles=[Role.ADMIN])
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        with Client(url, key) as client:
            yield Service(client, relay, url, key)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        app.shared.close()
        link.close()


def ids_of(changes: Changes, count: int) -> list[str]:
    """The prompts of the next changes that tell of one."""
    found: list[str] = []
    while len(found) < count:
        change = next(changes)
        if change.kind == "prompt_submitted":
            found.append(change.node_id)
    return found


class _Enough(Exception):
    pass


class TestTheService:
    def test_the_readme(self, service: Service) -> None:
        [block] = [b for b in _BLOCKS.findall(README.read_text()) if ".listen(" in b]
        shown: list[tuple[object, ...]] = []

        def show(*told: object) -> None:
            shown.append(told)
            raise _Enough

        def run() -> None:
            with pytest.raises(_Enough):
                exec(block, {"Client": lambda: Client(service.url, service.key), "print": show})

        listener = threading.Thread(target=run)
        listener.start()
        service.ask("p")
        give_up = time.monotonic() + PATIENCE_S
        # It hears what happens from when it listens, which nobody else is told.
        while not shown and time.monotonic() < give_up:
            service.answer("p")
        listener.join(PATIENCE_S)
        [(session_id, _, latency_ms)] = shown
        assert (session_id, latency_ms) == ("s", 7)

    def test_what_happens_from_now_on(self, service: Service, tenant: str) -> None:
        service.ask("before")
        with service.client.events.listen() as changes:
            service.ask("p1", "p2")
            change = next(c for c in changes if c.kind == "prompt_submitted")
            assert (change.node_id, change.session_id) == ("p1", "s")
            assert (change.tenant_id, change.node_type, change.key) == (tenant, "Prompt", "s")
            assert change.content_length == 4  # type: ignore[attr-defined]
            assert ids_of(changes, 1) == ["p2"]
            assert changes.gaps == 0

    def test_it_goes_on_over_the_ends_of_streams(self, service: Service) -> None:
        """The service ends each after half a second."""
        heard: list[str] = []
        answers = set()
        with service.client.events.listen() as changes:
            while len(answers) < 3:
                service.ask(f"p{len(heard)}")
                heard += ids_of(changes, 1)
                answers.add(changes._answer)
        assert heard == [f"p{n}" for n in range(len(heard))]

    def test_another_listener_goes_on_where_one_stopped(self, service: Service) -> None:
        with service.client.events.listen() as changes:
            service.ask("p0", "p1", "p2")
            assert ids_of(changes, 2) == ["p0", "p1"]
            place = changes.place
        with service.client.events.listen(after=place) as changes:
            assert ids_of(changes, 1) == ["p2"]

    def test_only_what_was_asked_for(self, service: Service) -> None:
        service.ask("p0", session="other")
        service.ask("p1")
        asked = service.client.events.listen(after="0-0", session_id="s", kind="prompt_submitted")
        with asked as changes:
            assert next(changes).node_id == "p1"

    def test_a_gap_is_counted(self, service: Service) -> None:
        service.ask("p0")
        with service.client.events.listen(after="1-1") as changes:
            assert ids_of(changes, 1) == ["p0"]
            assert changes.gaps == 1

    @pytest.mark.parametrize("is_read", [True, False])
    def test_a_closed_one_has_ended(self, service: Service, is_read: bool) -> None:
        changes = service.client.events.listen()
        if is_read:
            service.ask("p0", "p1")
            ids_of(changes, 1)
        changes.close()
        assert list(changes) == []
        assert changes._answer.is_closed

    def test_a_place_that_is_none(self, service: Service) -> None:
        with pytest.raises(sdk.InvalidInput):
            service.client.events.listen(after="yesterday")


def stream(*numbers: int, head: bool = True, **fields: str) -> bytes:
    """A stream of changes that are named by numbers."""
    blocks = [b"retry: 1\nid: 0-0\n"] if head else []
    for number in numbers:
        body = change(number) | fields
        blocks.append(b"id: %d-0\nevent: x\ndata: %b\n" % (number, orjson.dumps(body)))
    return b"\n".join([*blocks, b""])


def change(number: int) -> dict[str, object]:
    words = ("kind", "tenant_id", "key", "occurred_at", "node_type", "node_id")
    return {"id": f"e{number}", **dict.fromkeys(words, "x"), "session_id": None}


def broken(body: bytes) -> Answer:
    return Answer(200, body, {"Content-Length": str(len(body) + 1_000)})


Listen = Callable[..., Changes]


@pytest.fixture
def listen(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listen]:
    """Begin to listen to a service that is told what to say."""
    monkeypatch.setattr(listening, "COME_BACK_AFTER_S", 0.001)
    opened: list[Changes] = []
    with Client(scripted.url, "k", retries=2) as client:

        def begin(*answers: Answer, **which: str) -> Changes:
            scripted.say(*answers)
            opened.append(client.events.listen(**which))  # type: ignore[arg-type]
            return opened[-1]

        yield begin
        for changes in opened:
            changes.close()


def heard(changes: Changes, count: int) -> list[str]:
    return [next(changes).id for _ in range(count)]


class TestBreaks:
    def test_it_comes_back_after_the_last_event(self, scripted: Scripted, listen: Listen) -> None:
        changes = listen(
            Answer(200, stream(1, 2)), broken(stream(3)), Answer(200, stream(4)), kind="x"
        )
        assert heard(changes, 4) == ["e1", "e2", "e3", "e4"]
        assert [r.headers.get("last-event-id") for r in scripted.requests] == [None, "2-0", "3-0"]
        assert {r.path for r in scripted.requests} == {"/api/v1/events/stream?kind=x"}
        assert scripted.requests[0].headers["accept"] == "text/event-stream"

    def test_an_event_that_is_cut_off_comes_again(self, scripted: Scripted, listen: Listen) -> None:
        cut = stream(1) + b"id: 2-0\nevent: x\ndata: {"
        changes = listen(broken(cut), Answer(200, stream(2)))
        assert heard(changes, 2) == ["e1", "e2"]
        assert scripted.requests[1].headers["last-event-id"] == "1-0"

    def test_breaks_without_news_are_bounded(self, listen: Listen) -> None:
        changes = listen(broken(stream(1)), *[broken(stream())] * 2)
        assert heard(changes, 1) == ["e1"]
        with pytest.raises(sdk.Unavailable):
            next(changes)
        # What failed stays ended.
        assert list(changes) == []

    def test_news_and_heartbeats_forgive_breaks(self, listen: Listen) -> None:
        alive = broken(stream() + b": still here\n\n")
        answers = [broken(stream()), broken(stream()), alive, broken(stream()), broken(stream(1))]
        assert heard(listen(*answers), 1) == ["e1"]

    def test_a_refusal_is_told(self, listen: Listen) -> None:
        changes = listen(Answer(200, stream(1)), Answer(403, problem(403)))
        assert heard(changes, 1) == ["e1"]
        with pytest.raises(sdk.Forbidden):
            next(changes)

    def test_a_service_that_is_away_is_tried_as_often_as_any(self, listen: Listen) -> None:
        changes = listen(Answer(200, stream(1)), *[Answer()] * 3)
        heard(changes, 1)
        with pytest.raises(sdk.Unavailable) as caught:
            next(changes)
        assert caught.value.attempts == 3


class TestWhatIsSaid:
    @pytest.mark.parametrize(
        "line",
        [": a comment", "nonsense", "retry: soon", "retry: \u00b2", "unknown: x", "id: \0"],
    )
    def test_lines_that_mean_nothing(self, listen: Listen, line: str) -> None:
        changes = listen(Answer(200, stream() + line.encode() + b"\n\n" + stream(1, head=False)))
        assert heard(changes, 1) == ["e1"]
        assert changes.place == "1-0"

    def test_data_of_several_lines(self, listen: Listen) -> None:
        head, _, tail = orjson.dumps(change(1)).partition(b",")
        body = b"data:" + head + b",\r\ndata: " + tail + b"\r\n\r\n"
        assert heard(listen(Answer(200, stream() + body)), 1) == ["e1"]

    def test_separators_inside_a_text_end_no_line(self, listen: Listen) -> None:
        odd = "a\u2028b\u0085c"
        assert next(listen(Answer(200, stream(1, node_id=odd)))).node_id == odd

    @pytest.mark.parametrize("data", [b"{", b"7", b'{"id": "x"}'])
    def test_an_event_that_is_no_change(self, listen: Listen, data: bytes) -> None:
        changes = listen(Answer(200, stream() + b"data: " + data + b"\n\n"))
        with pytest.raises(sdk.UnexpectedAnswer):
            next(changes)

    def test_a_wait_is_bounded(self) -> None:
        blocks: Sequence[listening._Block] = list(
            listening._blocks(iter(["retry: 99999999", "id: 1", "", "retry: 5", "", "cut"]))
        )
        assert [block.wait_s for block in blocks] == [60.0, 0.005]


def test_a_silent_service_is_not_waited_for_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection stands and nothing comes, as after a router lost its table."""
    monkeypatch.setattr("memgraph_sdk.transport.SILENCE_S", 2.0)
    monkeypatch.setattr(listening, "COME_BACK_AFTER_S", 0.001)
    asked: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            held.append(connection)
            asked.append(connection.recv(65_536))
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + stream(len(asked)))

    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Client(url, "k", timeout_s=2) as client, client.events.listen() as changes:
            assert heard(changes, 2) == ["e1", "e2"]
        thread.join(PATIENCE_S)
    for connection in held:
        connection.close()
    assert b"last-event-id: 1-0" in asked[1].lower()
