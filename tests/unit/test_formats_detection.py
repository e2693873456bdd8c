from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from memgraph.domain.errors import InvalidInput
from memgraph.domain.events import SessionEvent
from memgraph.services.ingest import formats
from memgraph.services.ingest.formats import FormatOptions, Problem, Record

SESSION = {
    "type": "session",
    "eventId": "e1",
    "timestamp": "2024-05-16T00:00:00Z",
    "session": {"id": "s1", "metadata": {"b": 1, "a": [2]}},
}
PROMPT = {"name": "X", "version": 1, "committed_at": "2024-05-16T00:00:00Z", "prompt": "p"}
HELLO = {"role": "user", "content": "Hello"}


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(data: bytes | str, name: str = "in.json") -> Path:
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"traj": []}, "chat"),
        ({"messages": [], "type": "x"}, "chat"),
        (PROMPT | {"type": "TEXT"}, "prompts"),
        (SESSION, "events"),
        ({"event_type": "llm.tokens.consumed"}, "events"),
        ({"eventId": "1", "prompt": {}}, "events"),
        ({"event_id": "1"}, "events"),
        ({"resourceSpans": []}, "otlp"),
        ({"resourceLogs": []}, "otlp"),
    ],
)
def test_the_first_record_tells_the_format(file: Any, record: Any, name: str) -> None:
    text = json.dumps(record)
    for data in (text, f"[{text}]", json.dumps([record], indent=2), json.dumps(record, indent=2)):
        assert formats.detect(file(data)) == name
    assert formats.detect(file(gzip.compress(text.encode()), "in.gz")) == name
    assert formats.detect(file("nonsense\n" + text)) == name


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "is empty"),
        (b" \n\n ", "is empty"),
        (b"[]", "is empty"),
        (b"hello\nworld", "is not JSON: .*\\(line 1, column 1\\)"),
        (b"\n  PK\x03\x04", "is not JSON: .*\\(line 2, column 3\\)"),
        (b"\xff\xfe{\x00", "is not UTF-8 \\(line 1, column 1\\)"),
        ("{'é'".encode("latin-1"), "is not UTF-8 \\(line 1, column 3\\)"),
        (b"[", "the file ends before its array is closed \\(line 1, column 2\\)"),
        (b'{"a": 1}', "its first record has the shape of no format"),
        (b"[1, 2]", "its first record has the shape of no format"),
        (gzip.compress(b'{"type": "session"}' * 100)[:20], "it is damaged"),
    ],
)
def test_a_file_that_is_none_is_refused_at_once(file: Any, data: bytes, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule) as caught:
        formats.read(file(data))
    assert caught.value.field == "in.json"


def test_an_empty_file_is_refused_whatever_the_format(file: Any) -> None:
    for name in ("events", "chat", "prompts"):
        with pytest.raises(InvalidInput, match=r"in\.json: is empty"):
            formats.read(file(""), name)


def test_an_unknown_format_is_refused(file: Any) -> None:
    path = file('{"resourceSpans": []}')
    rule = "format: must be one of auto, otlp, chat, prompts, events"
    with pytest.raises(InvalidInput, match=rule):
        formats.read(path, "csv")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none\.json: cannot be opened: No such file"):
        formats.read(tmp_path / "none.json")


@pytest.mark.parametrize("layout", ["%s\n", "[%s]", "[\n  %s\n]\n"])
def test_events_keep_their_bytes(file: Any, layout: str) -> None:
    original = '{ "session":{"id":"s\\u0031"},"type":"session","eventId":"e1",' + (
        '"timestamp":"2024-05-16T02:00:00+02:00" }'
    )
    [record] = formats.read(file(layout % original))
    assert isinstance(record, Record)
    assert record.payload == original.encode()
    assert isinstance(record.event, SessionEvent)
    assert record.event.session.id == "s1"


def test_events_read_the_same_in_every_layout(file: Any) -> None:
    events = [SESSION | {"eventId": f"e{n}"} for n in range(3)]
    layouts = ["\n".join(map(json.dumps, events)), json.dumps(events), json.dumps(events, indent=1)]
    read = [list(formats.read(file(layout))) for layout in layouts]
    assert [[item.event for item in items] for items in read] == [
        [item.event for item in read[0]]
    ] * 3
    assert [item.position for item in read[0]] == ["line 1", "line 2", "line 3"]
    assert [item.position for item in read[1]] == [f"record {n} (line 1)" for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"type": "session", "eventId"', r"record: is not JSON: .* \(line 2, column \d+\)"),
        (b'{"type": "s\xff"}', r"record: is not UTF-8 \(line 2, column 12\)"),
        (b'{"eventId": "\\ud800"}', r"record: is not JSON: .*"),
        (b"[" * 100_000, r"record: is not JSON: .*"),
        (b'{"type": "a\0"}', r"record: is not JSON: .*"),
        (b'{"type": "a\\u0000"}', r"event: type is .*"),
        (b"5", r"event: type is missing.*"),
        (b'{"type": "session", "eventId": "e"}', r"timestamp: is required"),
        (
            json.dumps(SESSION | {"session": {"id": "s", "x": 1}}).encode(),
            r"session\.x: is not a field of this event",
        ),
    ],
)
def test_a_broken_event_is_refused_alone(file: Any, line: bytes, message: str) -> None:
    good = json.dumps(SESSION).encode()
    first, problem, last = formats.read(file(b"\n".join([good, line, good])))
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert isinstance(problem, Problem)
    assert problem.position == "line 2"
    assert re.fullmatch(message, problem.error.message)


def test_a_stated_format_is_not_questioned(file: Any) -> None:
    [problem] = formats.read(file(json.dumps(PROMPT)), "chat", FormatOptions())
    assert isinstance(problem, Problem)
    assert problem.error.message == "messages: is required"


def test_bad_lines_at_the_head_do_not_condemn_a_file(file: Any) -> None:
    lines = ["{bad"] * 99 + [json.dumps({"messages": [HELLO]})]
    items = list(formats.read(file("\n".join(lines))))
    assert sum(isinstance(item, Problem) for item in items) == 99
    with pytest.raises(InvalidInput, match="is not JSON"):
        formats.read(file("\n".join(["{bad", *lines])))
